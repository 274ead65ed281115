"""What the licences room asks of the unit of work."""

from typing import Protocol

from gateway.applications.ports import ApplicationRepository
from gateway.authorisations.ports import AuthorisationRepository
from gateway.records.ports import RecordAppender


class LicencesTransaction(Protocol):
    """The room's slice of the unit of work."""

    @property
    def applications(self) -> ApplicationRepository: ...
    @property
    def authorisations(self) -> AuthorisationRepository: ...
    @property
    def records(self) -> RecordAppender: ...
