"""What the evidence room asks of the unit of work: it reads, and records that it did."""

from collections.abc import Collection, Sequence
from typing import Protocol

from gateway.applications.ports import ApplicationRepository
from gateway.applications.review_tasks import ReviewTask
from gateway.approvals.ports import JointReviewRepository, OutcomeRepository
from gateway.authorisations.ports import AuthorisationRepository
from gateway.certificates.proofs import EvidenceDocument, ProofOfApplication
from gateway.contracts.ports import ContractRepository
from gateway.delivery.ports import DeliveryView
from gateway.records.ports import RecordAppender, StoredEntry, SuperLog


class KeptEvidence(Protocol):
    """What was kept with an application as evidence."""

    def proofs(self, application_id: str) -> Sequence[ProofOfApplication]:
        """Oldest first."""
        ...

    def documents(self, application_id: str) -> Sequence[EvidenceDocument]:
        """In the order of their digests."""
        ...


class ApplicationTraces(Protocol):
    """What other rooms keep of an application, by its id."""

    def entries_about(self, subjects: Collection[str]) -> Sequence[StoredEntry]:
        """Every record entry with one of ``subjects``, log by log, oldest first."""
        ...

    def deliveries_of(self, application_id: str, destinations: Collection[str]) -> Sequence[DeliveryView]:
        """Every event about the application for one of ``destinations``, with each attempt, in order of sequence."""
        ...

    def stage_event_of(self, application_id: str, record_id: str) -> str | None:
        """The utility's own id of what it said, by the entry of it; None where it said nothing there."""
        ...


class SettledReviews(Protocol):
    """Reviews that made applications."""

    def of_application(self, application_id: str) -> ReviewTask | None:
        """The task whose acceptance made the application."""
        ...


class EvidenceTransaction(Protocol):
    """The room's slice of the unit of work."""

    @property
    def applications(self) -> ApplicationRepository: ...
    @property
    def reviews(self) -> SettledReviews: ...
    @property
    def authorisations(self) -> AuthorisationRepository: ...
    @property
    def contracts(self) -> ContractRepository: ...
    @property
    def joint_reviews(self) -> JointReviewRepository: ...
    @property
    def approval_outcomes(self) -> OutcomeRepository: ...
    @property
    def evidence(self) -> KeptEvidence: ...
    @property
    def traces(self) -> ApplicationTraces: ...
    @property
    def super_log(self) -> SuperLog: ...
    @property
    def records(self) -> RecordAppender: ...
