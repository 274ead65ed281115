"""What the authorisations room asks of the unit of work."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from gateway.authorisations.model import Authorisation
from gateway.delivery.ports import Outbox
from gateway.records.ports import RecordAppender


class AuthorisationRepository(Protocol):
    """One authorisation an application."""

    def add(self, authorisation: Authorisation) -> None: ...
    def of_application(self, application_id: str) -> Authorisation | None: ...
    def of_application_for_use(self, application_id: str) -> Authorisation | None:
        """Like ``of_application``, and nobody withdraws or changes it until this unit of work is over."""
        ...

    def find(self, authorisation_id: str) -> Authorisation | None: ...

    def unpurged(self, limit: int) -> Sequence[Authorisation]:
        """Withdrawn, and the utility has not confirmed that it purged; the oldest withdrawals first."""
        ...

    def purged(self, authorisation_id: str, purged_at: datetime, heard_at: datetime, receipt: str) -> bool:
        """Keep the receipt; False where there is one already."""
        ...

    def withdraw(self, authorisation_id: str, at: datetime) -> bool:
        """False where it had been withdrawn before."""
        ...

    def renew(self, authorisation_id: str, until: datetime, statement_digest: str) -> bool:
        """Let it last until ``until`` (exclusive); False where it had been withdrawn."""
        ...


class AuthorisationsTransaction(Protocol):
    """The room's slice of the unit of work."""

    @property
    def authorisations(self) -> AuthorisationRepository: ...
    @property
    def records(self) -> RecordAppender: ...
    @property
    def outbox(self) -> Outbox: ...
