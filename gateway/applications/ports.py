"""What the applications room asks of the unit of work."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Protocol

from gateway.applications.lifecycle import Lifecycle
from gateway.applications.model import (
    ApplicationDocument,
    ApplicationHeading,
    GridConnectionApplication,
    HeadingFilter,
    Party,
)
from gateway.applications.review_tasks import Look, ReviewState, ReviewTask, Settlement
from gateway.authorisations.ports import AuthorisationRepository
from gateway.certificates.named_persons import NamedPersons
from gateway.certificates.proofs import EvidenceShelf
from gateway.delivery.ports import Outbox
from gateway.records.ports import RecordAppender


class ApplicationRepository(Protocol):
    """Applications, and beside them the personal data of their parties."""

    def add(self, application: GridConnectionApplication, party: Party) -> None: ...

    def find(self, application_id: str) -> GridConnectionApplication | None: ...

    def find_for_change(self, application_id: str) -> GridConnectionApplication | None:
        """Like ``find``, and nobody else changes it until this unit of work is over."""
        ...

    def find_all_for_change(self, application_ids: Collection[str]) -> Sequence[GridConnectionApplication]:
        """Several as by ``find_for_change``, by id."""
        ...

    def party(self, application_id: str) -> Party | None:
        """The personal data, or None once they were erased."""
        ...

    def put_lifecycle(self, application_id: str, lifecycle: Lifecycle) -> None: ...

    def put_document(self, application_id: str, document: ApplicationDocument) -> None:
        """Let ``document`` take the place of the application's document of its kind."""
        ...

    def of_utility(self, utility: str, limit: int) -> Sequence[GridConnectionApplication]:
        """The newest first, at most ``limit``."""
        ...

    def open_of_utility(self, utility: str, application_ids: Collection[str]) -> Sequence[str]:
        """Those of ``application_ids`` that are open applications to ``utility``, by id; nothing sealed is opened."""
        ...

    def of_holder(self, holder_digest: str, limit: int) -> Sequence[GridConnectionApplication]:
        """The newest first, at most ``limit``."""
        ...

    def headings(self, wanted: HeadingFilter, limit: int) -> Sequence[ApplicationHeading]:
        """The newest first, at most ``limit``; nothing sealed is opened for it."""
        ...


class IntakeRepository(Protocol):
    """Intakes that were begun and not yet confirmed: personal data, kept until confirmed, dropped or expired."""

    def add(self, intake_id: str, holder_digest: str, expires_at: datetime, body: dict[str, Any]) -> None: ...

    def find(self, intake_id: str, holder_digest: str, at: datetime) -> dict[str, Any] | None:
        """The body, if it is this holder's and has not expired."""
        ...

    def find_under_review(self, intake_id: str, at: datetime) -> dict[str, Any] | None:
        """The body, whoever's it is, if it waits for an officer and has not expired."""
        ...

    def put_under_review(self, intake_id: str, expires_at: datetime, body: dict[str, Any]) -> bool:
        """From now on it waits for an officer, until ``expires_at``. False where it did already, or was gone."""
        ...

    def remove(self, intake_id: str, *, under_review: bool | None = None) -> bool:
        """False where it was gone already: of two that confirm at once, one finds it gone.

        ``under_review`` removes it only while it does, or does not, wait for an officer.
        """
        ...

    def open_of(self, holder_digest: str, at: datetime) -> int:
        """How many of the holder's have not expired."""
        ...

    def expired(self, at: datetime, limit: int) -> Sequence[tuple[str, str]]:
        """(intake id, holder digest) of intakes that have expired."""
        ...


class StageEventRepository(Protocol):
    """The utility's own event ids, so that a repeated one has no second effect."""

    def find(self, application_id: str, event_id: str) -> tuple[str, str] | None:
        """The digest of the event as it first came, and its record id."""
        ...

    def add(self, application_id: str, event_id: str, content_digest: str, record_id: str, at: datetime) -> None: ...


class ReviewRepository(Protocol):
    """Review tasks, and who looked at them."""

    def add(self, task: ReviewTask) -> None: ...

    def find(self, task_id: str) -> ReviewTask | None: ...

    def of_intake(self, intake_id: str) -> ReviewTask | None: ...

    def of_application(self, application_id: str) -> ReviewTask | None:
        """The task whose acceptance made the application."""
        ...

    def of_holder(self, holder_digest: str, limit: int) -> Sequence[ReviewTask]:
        """The newest first, at most ``limit``."""
        ...

    def listed(self, state: ReviewState | None, limit: int) -> Sequence[ReviewTask]:
        """The oldest first, at most ``limit``; those in ``state``, or all."""
        ...

    def settle(self, task_id: str, settlement: Settlement) -> bool:
        """End an open task. False where it is no longer open: of two officers at once, one is too late."""
        ...

    def add_look(self, look: Look) -> None: ...

    def looks(self, task_id: str) -> Sequence[Look]:
        """In the order in which they were taken."""
        ...


class StageRechecks(Protocol):
    """Certificates are looked at again at each stage boundary; whoever works that queue is no concern of this room."""

    def ask_at_stage(self, application_id: str, at: datetime) -> int:
        """Ask for every certificate that the application rests on, now; answers how many."""
        ...


class CopiesOfHolder(Protocol):
    """The shelf of certificate copies, as far as an intake may clear it."""

    def forget(self, holder_code: str) -> int:
        """Remove every copy of the holder's; answers how many."""
        ...

    def forget_holder(self, holder_digest: str) -> int:
        """The same, where the holder is known by their keyed digest alone."""
        ...


class IntakeTransaction(Protocol):
    """The slice for intakes, and for the reviews that some of them wait for."""

    @property
    def intakes(self) -> IntakeRepository: ...
    @property
    def reviews(self) -> ReviewRepository: ...
    @property
    def applications(self) -> ApplicationRepository: ...
    @property
    def authorisations(self) -> AuthorisationRepository: ...
    @property
    def certificate_copies(self) -> CopiesOfHolder: ...
    @property
    def evidence(self) -> EvidenceShelf: ...
    @property
    def named_persons(self) -> NamedPersons: ...
    @property
    def records(self) -> RecordAppender: ...
    @property
    def outbox(self) -> Outbox: ...


class HolderTransaction(Protocol):
    """The slice for what a holder does with an application of their own."""

    @property
    def applications(self) -> ApplicationRepository: ...
    @property
    def authorisations(self) -> AuthorisationRepository: ...
    @property
    def certificate_copies(self) -> CopiesOfHolder: ...
    @property
    def records(self) -> RecordAppender: ...
    @property
    def outbox(self) -> Outbox: ...


class PurgeTransaction(Protocol):
    """The slice for purge receipts."""

    @property
    def authorisations(self) -> AuthorisationRepository: ...
    @property
    def records(self) -> RecordAppender: ...


class StagesTransaction(Protocol):
    """The slice for stage events."""

    @property
    def applications(self) -> ApplicationRepository: ...
    @property
    def stage_events(self) -> StageEventRepository: ...
    @property
    def recheck_queue(self) -> StageRechecks: ...
    @property
    def records(self) -> RecordAppender: ...
    @property
    def outbox(self) -> Outbox: ...
