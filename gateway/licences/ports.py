"""What the licences room asks of the unit of work."""

from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Protocol

from gateway.applications.ports import ApplicationRepository
from gateway.authorisations.ports import AuthorisationRepository
from gateway.certificates.named_persons import NamedPersons
from gateway.certificates.proofs import EvidenceShelf
from gateway.partners.ports import PartnerRepository
from gateway.records.ports import RecordAppender


class AskedHolders(Protocol):
    """Third parties that an application asked for, by keyed digest."""

    def of(self, application_id: str, kind: str) -> AbstractSet[str]:
        """The digests of the holders of ``kind`` that were asked for."""
        ...

    def add(self, application_id: str, kind: str, holder_digest: str, at: datetime) -> None:
        """Remember one that was not asked for before."""
        ...


class LicencesTransaction(Protocol):
    """The room's slice of the unit of work."""

    @property
    def applications(self) -> ApplicationRepository: ...
    @property
    def authorisations(self) -> AuthorisationRepository: ...
    @property
    def asked_holders(self) -> AskedHolders: ...
    @property
    def evidence(self) -> EvidenceShelf: ...
    @property
    def named_persons(self) -> NamedPersons: ...
    @property
    def partners(self) -> PartnerRepository: ...
    @property
    def records(self) -> RecordAppender: ...
