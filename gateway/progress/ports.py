"""What the progress room asks of the unit of work; it only reads."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from gateway.applications.model import GridConnectionApplication
from gateway.applications.ports import ApplicationRepository, ReviewRepository
from gateway.approvals.ports import KeptReview
from gateway.authorisations.model import Authorisation
from gateway.contracts.model import Contract
from gateway.delivery.ports import DeliveryView
from gateway.identity.ports import SessionRepository
from gateway.rechecks.ports import LastLook
from gateway.records.ports import StoredEntry


class EntriesOfSubject(Protocol):
    """The record, as far as one application's applicant may see it."""

    def of_subject(self, subject: str, actions: Sequence[str]) -> Sequence[StoredEntry]: ...


@dataclass(frozen=True, slots=True)
class EntryNaming:
    """An entry about a subject for which a certificate is kept that names the person in question.

    ``kind`` and ``content_digest`` (SHA-256 of the envelope) say which certificate, ``label`` what the person
    knows it by; the entry may be about another.
    """

    entry: StoredEntry
    kind: str
    content_digest: str
    label: str | None = field(default=None, repr=False)


class EntriesNaming(Protocol):
    """The record, as far as whom a certificate names beside its holder may see it."""

    def entries_naming(self, person: str, actions: Collection[str]) -> Sequence[EntryNaming]:
        """In no order; ``person`` is the digest that certificates' other persons are known by."""
        ...


class CertificatesLookedAt(Protocol):
    """When an application's certificates were looked at last."""

    def looks(self, application_id: str) -> Mapping[str, LastLook]: ...


class DeliveriesOfSubject(Protocol):
    """What was sent about one application."""

    def of_subject(self, destination: str, subject: str, types: Sequence[str]) -> Sequence[DeliveryView]: ...


class ContractsOfApplication(Protocol):
    """供用电合同, without their documents."""

    def of_application(self, application_id: str) -> Sequence[Contract]: ...


class Standing(NamedTuple):
    """An application, and what stands one to one beside it."""

    application: GridConnectionApplication
    authorisation: Authorisation | None
    review: KeptReview | None


class Standings(Protocol):
    """Applications as they stand."""

    def of_application(self, application_id: str) -> Standing | None: ...


class NamedPersonTransaction(Protocol):
    """The slice for somebody who looks at certificates that name them."""

    @property
    def named_persons(self) -> EntriesNaming: ...


class ProgressTransaction(Protocol):
    """The room's slice of the unit of work."""

    @property
    def sessions(self) -> SessionRepository: ...
    @property
    def applications(self) -> ApplicationRepository: ...
    @property
    def standings(self) -> Standings: ...
    @property
    def application_certificates(self) -> CertificatesLookedAt: ...
    @property
    def contracts(self) -> ContractsOfApplication: ...
    @property
    def reviews(self) -> ReviewRepository: ...
    @property
    def record_reader(self) -> EntriesOfSubject: ...
    @property
    def deliveries(self) -> DeliveriesOfSubject: ...
