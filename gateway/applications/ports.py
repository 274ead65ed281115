"""What the applications room asks of the unit of work."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

from gateway.applications.lifecycle import Lifecycle
from gateway.applications.model import GridConnectionApplication, Party
from gateway.authorisations.ports import AuthorisationRepository
from gateway.delivery.ports import Outbox
from gateway.records.ports import RecordAppender


class ApplicationRepository(Protocol):
    """Applications, and beside them the personal data of their parties."""

    def add(self, application: GridConnectionApplication, party: Party) -> None: ...

    def find(self, application_id: str) -> GridConnectionApplication | None: ...

    def find_for_change(self, application_id: str) -> GridConnectionApplication | None:
        """Like ``find``, and nobody else changes it until this unit of work is over."""
        ...

    def party(self, application_id: str) -> Party | None:
        """The personal data, or None once they were erased."""
        ...

    def put_lifecycle(self, application_id: str, lifecycle: Lifecycle) -> None: ...

    def of_utility(self, utility: str, limit: int) -> Sequence[GridConnectionApplication]:
        """The newest first, at most ``limit``."""
        ...

    def of_holder(self, holder_digest: str, limit: int) -> Sequence[GridConnectionApplication]:
        """The newest first, at most ``limit``."""
        ...


class IntakeRepository(Protocol):
    """Intakes that were begun and not yet confirmed: personal data, kept until confirmed, dropped or expired."""

    def add(self, intake_id: str, holder_digest: str, expires_at: datetime, body: dict[str, Any]) -> None: ...

    def find(self, intake_id: str, holder_digest: str, at: datetime) -> dict[str, Any] | None:
        """The body, if it is this holder's and has not expired."""
        ...

    def remove(self, intake_id: str) -> bool:
        """False where it was gone already: of two that confirm at once, one finds it gone."""
        ...

    def expired(self, at: datetime, limit: int) -> Sequence[tuple[str, str, dict[str, Any]]]:
        """(intake id, holder digest, body) of intakes that have expired."""
        ...


class StageEventRepository(Protocol):
    """The utility's own event ids, so that a repeated one has no second effect."""

    def find(self, application_id: str, event_id: str) -> tuple[str, str] | None:
        """The digest of the event as it first came, and its record id."""
        ...

    def add(self, application_id: str, event_id: str, content_digest: str, record_id: str, at: datetime) -> None: ...


class CopiesOfHolder(Protocol):
    """The shelf of certificate copies, as far as an intake may clear it."""

    def forget(self, holder_code: str) -> int:
        """Remove every copy of the holder's; answers how many."""
        ...


class IntakeTransaction(Protocol):
    """The slice for intakes."""

    @property
    def intakes(self) -> IntakeRepository: ...
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


class StagesTransaction(Protocol):
    """The slice for stage events."""

    @property
    def applications(self) -> ApplicationRepository: ...
    @property
    def stage_events(self) -> StageEventRepository: ...
    @property
    def records(self) -> RecordAppender: ...
    @property
    def outbox(self) -> Outbox: ...
