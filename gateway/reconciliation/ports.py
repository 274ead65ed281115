"""What reconciliation asks of the unit of work."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Protocol

from gateway.delivery.ports import DeliveryQueue, Event
from gateway.reconciliation.days import DayEvent, DayRange
from gateway.records.ports import RecordAppender


@dataclass(frozen=True)
class Undigested:
    """An event of an earlier release, whose body's digest is not kept beside it yet, and the receipt for it if any."""

    event: Event
    receipt: str | None


@dataclass(frozen=True)
class StoredReport:
    """The latest report of a utility on a day. ``body`` is as it was sent; ``record_id`` names its entry."""

    utility: str
    day: date
    reported_at: datetime
    agrees: bool
    body: dict[str, Any]
    record_id: str


class DayBook(Protocol):
    """Days of utilities, over the outbox."""

    def last_closed(self, utility: str, before: date | None = None) -> DayRange | None:
        """The latest closed day, or the latest before ``before``."""
        ...

    def closed(self, utility: str, day: date) -> DayRange | None: ...

    def hold(self, utility: str) -> int:
        """Keep further events from being numbered until this unit is committed; answers the last position given."""
        ...

    def last_position(self, utility: str) -> int: ...

    def next_at(self, utility: str, after: int) -> datetime | None:
        """``at`` of the first event with a position beyond ``after``."""
        ...

    def last_before(self, utility: str, after: int, at: datetime) -> int | None:
        """The position before the first one beyond ``after`` whose event is of ``at`` or later; None if none is."""
        ...

    def close(self, day: DayRange) -> None:
        """Keep ``day``; its range never changes again."""
        ...

    def anchor(self, utility: str, day: date, subjects: int, root: bytes, record_id: str) -> None:
        """Keep the root of a closed day that has none yet."""
        ...

    def count(self, utility: str, first: int, last: int) -> int:
        """How many events have those positions."""
        ...

    def nth(self, utility: str, after: int, number: int) -> int:
        """The position of the ``number``-th event beyond ``after``; ``number`` is not 0 and there are so many."""
        ...

    def events(self, utility: str, after: int, last: int, limit: int) -> Sequence[DayEvent]:
        """Up to ``limit`` events with a position beyond ``after`` and up to ``last``, in order."""
        ...

    def find(self, utility: str, event_ids: Sequence[str]) -> Sequence[DayEvent]:
        """Those of ``event_ids`` that are the utility's."""
        ...

    def undigested(self, limit: int, after: tuple[str, int] = ("", 0)) -> Sequence[Undigested]:
        """Events without a digest that one can still be told for, beyond a destination and position, in order."""
        ...

    def keep_digest(self, event_id: str, body_sha256: str) -> None:
        """Keep a digest where there is none."""
        ...

    def keep_report(self, report: StoredReport) -> None:
        """In place of an earlier one on the same day."""
        ...

    def reports(self, utility: str | None, *, only_differing: bool, limit: int) -> Sequence[StoredReport]:
        """The latest days first."""
        ...

    def report(self, utility: str, day: date) -> StoredReport | None: ...


class ReconciliationTransaction(Protocol):
    """The room's slice of the unit of work."""

    @property
    def day_book(self) -> DayBook: ...
    @property
    def deliveries(self) -> DeliveryQueue: ...
    @property
    def records(self) -> RecordAppender: ...
