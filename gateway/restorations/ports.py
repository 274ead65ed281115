"""What adopting a restored database asks of the unit of work."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from gateway.records.log import Seal
from gateway.records.ports import RecordingTransaction


@dataclass(frozen=True)
class Restoration:
    """A backup that became the database. Until ``adopted_at`` nothing may serve from it.

    ``number`` counts a database's restorations from 1. What is None was not told: the backup was not put there by
    ``bandian restore``.
    """

    number: int
    backup_sha256: str | None
    backup_taken_at: datetime | None
    restored_at: datetime | None
    adopted_at: datetime | None = None


class Restorations(Protocol):
    """The restorations of this database."""

    def waiting(self) -> Restoration | None:
        """The one that was not adopted yet."""
        ...

    def last_number(self) -> int: ...

    def contradicted(self, kept: Sequence[Seal]) -> Sequence[Seal]:
        """Those of ``kept``, heads from outside, that the database does not hold: it is older than they are."""
        ...

    def adopt(self, restoration: Restoration, adopted_at: datetime, record_id: str) -> None:
        """Store it as adopted, and let every number that is given from now on lie beyond any given before."""
        ...


class AdoptingTransaction(RecordingTransaction, Protocol):
    """The slice of the unit of work."""

    @property
    def restorations(self) -> Restorations: ...
