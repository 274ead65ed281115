"""The queue that the relay works off: claims, settlements, replays, and what operators look at."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, bindparam, case, false, func, literal, or_, select, tuple_, update

from adapters.storage.constant import Constant
from adapters.storage.deliveries import delivery_attempts, destinations_with, is_dead, is_pending, outbox
from adapters.storage.delivery_claims import claim
from adapters.storage.delivery_list import newest
from adapters.storage.delivery_rows import attempt_of, event_of, in_state, view_of
from adapters.storage.delivery_settling import settle
from adapters.storage.statements import Statements
from adapters.storage.tables import UtcInstant
from gateway.delivery.backoff import LONGEST_WAIT
from gateway.delivery.ports import (
    Attempt,
    Backlog,
    ClaimedDelivery,
    ClaimRoom,
    DeliveryState,
    DeliveryView,
    Event,
    ReplayedPage,
    Settlement,
)

OUT_OF_ORDER: Final = timedelta(hours=1)
"""How far an event's time may lie behind that of one with a lower position: it is taken before the commit."""
SKEW: Final = timedelta(minutes=2)
"""How far the clocks of two machines may be apart before one of them counts as having jumped."""


def _oldest() -> Select[tuple[datetime | None]]:
    """When the oldest event was that waits: of each receiver the first by its id, which tells when it was made."""
    code = destinations_with(is_pending).c.code
    own = is_pending & (outbox.c.destination >= code) & (outbox.c.destination <= code)
    first = select(outbox.c.at).where(own).order_by(outbox.c.destination, outbox.c.event_id).limit(1)
    of_each = select(first.correlate(code.table).scalar_subquery().label("at")).select_from(code.table).subquery()
    return select(func.min(of_each.c.at))


_OLDEST: Final = _oldest()


@lru_cache(16)
def _of_subject(types: tuple[str, ...]) -> Constant:
    own = (outbox.c.destination == bindparam("to")) & (outbox.c.subject == bindparam("about"))
    of_these = or_(false(), *(outbox.c.type == each for each in types))
    return Constant(select(outbox).where(own, of_these).order_by(outbox.c.sequence))


class SqlDeliveryQueue:
    """``gateway.delivery.ports.DeliveryQueue``."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    def claim(self, owner: str, at: datetime, lease_until: datetime, room: ClaimRoom) -> Sequence[ClaimedDelivery]:
        return claim(self._statements, owner, at, lease_until, room)

    def settle(self, owner: str, *settlements: Settlement) -> Sequence[str]:
        return settle(self._statements, owner, settlements)

    def undo_clock_jump(self, at: datetime, lease_until: datetime) -> int:
        replayed_at = case((outbox.c.replayed_at > at, literal(at, UtcInstant())), else_=outbox.c.replayed_at)
        waiting = self._statements.execute(
            update(outbox)
            .where(
                is_pending,
                outbox.c.lease_owner.is_(None),
                or_(
                    outbox.c.scheduled_at > at + SKEW,
                    outbox.c.next_attempt_at > at + LONGEST_WAIT,
                    outbox.c.replayed_at > at + SKEW,
                ),
            )
            .values(next_attempt_at=at, scheduled_at=at, replayed_at=replayed_at)
        )
        leased = self._statements.execute(
            update(outbox)
            .where(is_pending, outbox.c.lease_until > lease_until + SKEW)
            .values(lease_until=lease_until, next_attempt_at=at, scheduled_at=at, replayed_at=replayed_at)
        )
        return waiting.rowcount + leased.rowcount

    def feed(self, destination: str, after: int, limit: int) -> Sequence[Event]:
        rows = self._statements.execute(
            select(outbox)
            .where(outbox.c.destination == destination, outbox.c.position > after)
            .order_by(outbox.c.position)
            .limit(limit)
        )
        return [event_of(self._statements, row) for row in rows]

    def find(self, event_id: str) -> DeliveryView | None:
        row = self._statements.execute(select(outbox).where(outbox.c.event_id == event_id)).one_or_none()
        return None if row is None else view_of(self._statements, row, self._attempts(event_id))

    def of_subject(self, destination: str, subject: str, types: Sequence[str]) -> Sequence[DeliveryView]:
        rows = self._statements.ask(_of_subject(tuple(types)), to=destination, about=subject)
        return [view_of(self._statements, row, self._attempts(row.event_id)) for row in rows]

    def _attempts(self, event_id: str) -> Sequence[Attempt]:
        attempts = self._statements.execute(
            select(delivery_attempts)
            .where(delivery_attempts.c.event_id == event_id)
            .order_by(delivery_attempts.c.attempt)
        )
        return [attempt_of(self._statements, attempt) for attempt in attempts]

    def list(
        self, destination: str | None, state: DeliveryState | None, limit: int, before: str | None = None
    ) -> Sequence[DeliveryView]:
        return newest(self._statements, destination, state, limit, before)

    def replay(self, event_id: str, at: datetime) -> bool:
        replayed = self._statements.execute(_replayed(outbox.c.event_id == event_id, at))
        return replayed.rowcount == 1

    def replay_since(self, destination: str, since: datetime, after: int, limit: int, at: datetime) -> ReplayedPage:
        after = max(after, self._before(destination, since - OUT_OF_ORDER))
        found = self._statements.execute(
            select(outbox.c.event_id, outbox.c.position)
            .where(
                # Bounded and ordered as the index of positions alone is.
                outbox.c.destination <= destination,
                tuple_(outbox.c.destination, outbox.c.position) > tuple_(destination, after),
                outbox.c.at >= since,
                ~is_pending,
                outbox.c.erased_at.is_(None),
            )
            .order_by(outbox.c.destination, outbox.c.position)
            .limit(limit + 1)
        ).all()
        page = found[:limit]
        if not page:
            return ReplayedPage([], after, False)
        event_ids = [row.event_id for row in page]
        self._statements.execute(_replayed(outbox.c.event_id.in_(event_ids), at))
        return ReplayedPage(event_ids, page[-1].position, len(found) > limit)

    def _before(self, destination: str, at: datetime) -> int:
        """A position of ``destination`` with no event of ``at`` or later up to it, as positions go with time: halving
        what lies between, so that nothing is read of years that nobody asks about.
        """
        own = select(outbox.c.position, outbox.c.at).where(outbox.c.destination == destination)
        furthest = own.order_by(outbox.c.position.desc()).limit(1)
        last = self._statements.execute(furthest).one_or_none()
        low, high = 0, 0 if last is None else last.position
        while low < high:
            middle = (low + high + 1) // 2
            nearest = own.where(outbox.c.position <= middle).order_by(outbox.c.position.desc()).limit(1)
            row = self._statements.execute(nearest).one_or_none()
            if row is None or row.at < at:
                low = middle
            else:
                high = row.position - 1
        return low

    def hasten(self, destination: str, at: datetime) -> int:
        waiting = (is_pending, outbox.c.destination == destination, outbox.c.lease_owner.is_(None))
        hastened = update(outbox).where(*waiting, outbox.c.next_attempt_at > at)
        return self._statements.execute(hastened.values(next_attempt_at=at, scheduled_at=at)).rowcount

    def backlog(self) -> Backlog:
        oldest = self._statements.execute(_OLDEST).scalar_one()
        unknown = self._count(in_state(DeliveryState.UNKNOWN))
        return Backlog(self._count(is_pending), self._count(is_dead), oldest, unknown)

    def _count(self, condition: ColumnElement[bool]) -> dict[str, int]:
        rows = self._statements.execute(
            select(outbox.c.destination, func.count().label("events")).where(condition).group_by(outbox.c.destination)
        )
        return {row.destination: row.events for row in rows}


def _replayed(which: ColumnElement[bool], at: datetime) -> Any:
    return (
        update(outbox)
        .where(which, ~is_pending, outbox.c.erased_at.is_(None))
        .values(
            state=DeliveryState.PENDING.value,
            next_attempt_at=at,
            scheduled_at=at,
            replayed_at=at,
            first_attempt_at=None,
            tried_for_s=0.0,
            unknown_since=None,
            settled_at=None,
            last_reason="replayed",
        )
    )
