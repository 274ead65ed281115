"""What the progress room asks of the unit of work; it only reads."""

from collections.abc import Sequence
from typing import Protocol

from gateway.applications.ports import ApplicationRepository
from gateway.approvals.ports import JointReviewRepository
from gateway.authorisations.ports import AuthorisationRepository
from gateway.records.ports import StoredEntry


class EntriesOfSubject(Protocol):
    """The record, as far as one application's applicant may see it."""

    def of_subject(self, subject: str, actions: Sequence[str]) -> Sequence[StoredEntry]: ...


class ProgressTransaction(Protocol):
    """The room's slice of the unit of work."""

    @property
    def applications(self) -> ApplicationRepository: ...
    @property
    def authorisations(self) -> AuthorisationRepository: ...
    @property
    def joint_reviews(self) -> JointReviewRepository: ...
    @property
    def record_reader(self) -> EntriesOfSubject: ...
