"""The queue that the relay works off: claims, settlements, replays, and what operators look at."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, Select, bindparam, case, exists, func, insert, literal, or_, select, update

from adapters.storage.deliveries import delivery_attempts, is_dead, is_pending, outbox
from adapters.storage.destinations import delivery_destinations
from adapters.storage.statements import Statements
from adapters.storage.tables import UtcInstant
from gateway.crypto.sealing import StoredDataUnreadable
from gateway.delivery.backoff import LONGEST_WAIT, tried
from gateway.delivery.ports import (
    BODY_WITH_POSITION,
    BODY_WITHOUT_POSITION,
    LEASE_LAPSED,
    Attempt,
    AttemptOutcome,
    Backlog,
    ChannelKind,
    ClaimedDelivery,
    ClaimRoom,
    DeliveryState,
    DeliveryView,
    Event,
    Receipt,
    ReplayedPage,
    Settlement,
)

ASIDE_FOR: Final = timedelta(minutes=10)
"""How long an event that cannot be opened is left before it is looked at again."""
SKEW: Final = timedelta(minutes=2)
"""How far the clocks of two machines may be apart before one of them counts as having jumped."""

_COMPLETED = (
    update(delivery_attempts)
    .where(
        delivery_attempts.c.event_id == bindparam("b_event_id"), delivery_attempts.c.attempt == bindparam("b_attempt")
    )
    .values(
        {
            name: bindparam(f"b_{name}")
            for name in ("started_at", "finished_at", "state", "reason", "status", "receipt", "outcome")
        }
    )
)
_MOVED = (
    update(outbox)
    .where(outbox.c.event_id == bindparam("b_event_id"))
    .values(
        lease_owner=None,
        lease_until=None,
        **{
            name: bindparam(f"b_{name}")
            for name in (
                "state",
                "next_attempt_at",
                "scheduled_at",
                "tried_for_s",
                "unknown_since",
                "settled_at",
                "last_reason",
            )
        },
    )
)


class SqlDeliveryQueue:
    """``gateway.delivery.ports.DeliveryQueue``."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    def claim(self, owner: str, at: datetime, lease_until: datetime, room: ClaimRoom) -> Sequence[ClaimedDelivery]:
        # Selected and locked first, because what the lease was before decides what the last attempt came to.
        taken: Counter[str] = Counter()
        claims: list[ClaimedDelivery] = []
        for row in self._statements.execute(_due(at, room)).all():
            if taken[row.destination] >= room.per_destination.get(row.destination, room.each):
                continue
            try:
                claims.append(self._claimed(row, at))
            except StoredDataUnreadable as error:
                self._put_aside(row.event_id, error.check, at)
            else:
                taken[row.destination] += 1
        if claims:
            self._lease(claims, owner, at, lease_until)
        return sorted(claims, key=lambda claim: (claim.event.destination, claim.event.position))

    def _claimed(self, row: Row[Any], at: datetime) -> ClaimedDelivery:
        spent = timedelta(seconds=row.tried_for_s or 0.0)
        if row.attempts and row.scheduled_at is not None:
            spent += tried(row.scheduled_at, row.next_attempt_at, at)
        lapsed = row.lease_owner is not None
        return ClaimedDelivery(
            self._event(row),
            row.attempts + 1,
            row.first_attempt_at or at,
            spent,
            unknown=lapsed or row.unknown_since is not None,
            taken_over=lapsed,
        )

    def _lease(self, claims: Sequence[ClaimedDelivery], owner: str, at: datetime, lease_until: datetime) -> None:
        now = literal(at, UtcInstant())
        lapsed = [claim.event.event_id for claim in claims if claim.taken_over]
        if lapsed:
            self._statements.execute(
                update(delivery_attempts)
                .where(
                    delivery_attempts.c.event_id.in_(lapsed),
                    delivery_attempts.c.outcome == AttemptOutcome.OPEN.value,
                )
                .values(finished_at=at, outcome=AttemptOutcome.UNKNOWN.value, reason=LEASE_LAPSED)
            )
        self._statements.execute(
            update(outbox)
            .where(outbox.c.event_id.in_([claim.event.event_id for claim in claims]))
            .values(
                lease_owner=owner,
                lease_until=lease_until,
                attempts=outbox.c.attempts + 1,
                first_attempt_at=func.coalesce(outbox.c.first_attempt_at, now),
                unknown_since=case(
                    (outbox.c.lease_owner.is_not(None), func.coalesce(outbox.c.unknown_since, now)),
                    else_=outbox.c.unknown_since,
                ),
                body_form=case(
                    (outbox.c.body_form.is_not(None), outbox.c.body_form),
                    (outbox.c.attempts == 0, BODY_WITH_POSITION),
                    else_=BODY_WITHOUT_POSITION,
                ),
                # The digest kept at the commit is of the form that this release would have sent first.
                body_sha256=case(
                    (outbox.c.body_form.is_not(None) | (outbox.c.attempts == 0), outbox.c.body_sha256),
                    else_=None,
                ),
            )
        )
        attempts = [
            {
                "event_id": claim.event.event_id,
                "attempt": claim.attempt,
                "started_at": at,
                "finished_at": at,
                "state": DeliveryState.PENDING.value,
                "reason": AttemptOutcome.OPEN.value,
                "outcome": AttemptOutcome.OPEN.value,
            }
            for claim in claims
        ]
        self._statements.execute(insert(delivery_attempts), attempts)

    def settle(self, owner: str, *settlements: Settlement) -> Sequence[str]:
        leased = (
            select(outbox.c.event_id, outbox.c.attempts, outbox.c.unknown_since)
            .where(
                outbox.c.event_id.in_([settlement.event_id for settlement in settlements]),
                outbox.c.lease_owner == owner,
                is_pending,
            )
            .order_by(outbox.c.event_id)
            .with_for_update(of=outbox)
        )
        rows = {row.event_id: row for row in self._statements.execute(leased)}
        held = [
            settlement
            for settlement in settlements
            if (row := rows.get(settlement.event_id)) is not None and row.attempts == settlement.attempt
        ]
        if held:
            moved = [_moved(settlement, rows[settlement.event_id].unknown_since) for settlement in held]
            self._statements.execute(_MOVED, moved)
            self._statements.execute(_COMPLETED, [self._completed(settlement) for settlement in held])
        return [settlement.event_id for settlement in held]

    def _completed(self, settlement: Settlement) -> dict[str, Any]:
        delivered = settlement.state is DeliveryState.DELIVERED
        attempt = {
            "event_id": settlement.event_id,
            "attempt": settlement.attempt,
            "started_at": settlement.started_at,
            "finished_at": settlement.finished_at,
            "state": _stored(settlement.state),
            "reason": settlement.reason,
            "status": settlement.status,
            "receipt": settlement.receipt.document if settlement.receipt else None,
            "outcome": (AttemptOutcome.RECEIPTED if delivered else settlement.outcome).value,
        }
        return _bound(self._statements.sealed(delivery_attempts, attempt))

    def undo_clock_jump(self, at: datetime, lease_until: datetime) -> int:
        waiting = self._statements.execute(
            update(outbox)
            .where(
                is_pending,
                outbox.c.lease_owner.is_(None),
                or_(outbox.c.scheduled_at > at + SKEW, outbox.c.next_attempt_at > at + LONGEST_WAIT),
            )
            .values(next_attempt_at=at, scheduled_at=at)
        )
        leased = self._statements.execute(
            update(outbox)
            .where(is_pending, outbox.c.lease_until > lease_until + SKEW)
            .values(lease_until=lease_until, next_attempt_at=at, scheduled_at=at)
        )
        return waiting.rowcount + leased.rowcount

    def feed(self, destination: str, after: int, limit: int) -> Sequence[Event]:
        rows = self._statements.execute(
            select(outbox)
            .where(outbox.c.destination == destination, outbox.c.position > after)
            .order_by(outbox.c.position)
            .limit(limit)
        )
        return [self._event(row) for row in rows]

    def find(self, event_id: str) -> DeliveryView | None:
        row = self._statements.execute(select(outbox).where(outbox.c.event_id == event_id)).one_or_none()
        if row is None:
            return None
        attempts = self._statements.execute(
            select(delivery_attempts)
            .where(delivery_attempts.c.event_id == event_id)
            .order_by(delivery_attempts.c.attempt)
        )
        return self._view(row, [self._attempt(attempt) for attempt in attempts])

    def list(self, destination: str | None, state: DeliveryState | None, limit: int) -> Sequence[DeliveryView]:
        query = select(outbox).order_by(outbox.c.at.desc(), outbox.c.position.desc()).limit(limit)
        if destination is not None:
            query = query.where(outbox.c.destination == destination)
        if state is not None:
            query = query.where(_in_state(state))
        return [self._view(row, []) for row in self._statements.execute(query)]

    def replay(self, event_id: str, at: datetime) -> bool:
        replayed = self._statements.execute(_replayed(outbox.c.event_id == event_id, at))
        return replayed.rowcount == 1

    def replay_since(self, destination: str, since: datetime, after: int, limit: int, at: datetime) -> ReplayedPage:
        found = self._statements.execute(
            select(outbox.c.event_id, outbox.c.position)
            .where(
                outbox.c.destination == destination,
                outbox.c.position > after,
                outbox.c.at >= since,
                ~is_pending,
                outbox.c.erased_at.is_(None),
            )
            .order_by(outbox.c.position)
            .limit(limit + 1)
        ).all()
        page = found[:limit]
        if not page:
            return ReplayedPage([], after, False)
        event_ids = [row.event_id for row in page]
        self._statements.execute(_replayed(outbox.c.event_id.in_(event_ids), at))
        return ReplayedPage(event_ids, page[-1].position, len(found) > limit)

    def hasten(self, destination: str, at: datetime) -> int:
        waiting = (is_pending, outbox.c.destination == destination, outbox.c.lease_owner.is_(None))
        hastened = update(outbox).where(*waiting, outbox.c.next_attempt_at > at)
        return self._statements.execute(hastened.values(next_attempt_at=at, scheduled_at=at)).rowcount

    def backlog(self) -> Backlog:
        oldest = self._statements.execute(select(func.min(outbox.c.at).label("at")).where(is_pending)).one().at
        unknown = self._count(_in_state(DeliveryState.UNKNOWN))
        return Backlog(self._count(is_pending), self._count(is_dead), oldest, unknown)

    def _put_aside(self, event_id: str, reason: str, at: datetime) -> None:
        """What cannot be opened waits for somebody to mend it, and holds up nothing but its own application."""
        self._statements.execute(
            update(outbox)
            .where(outbox.c.event_id == event_id)
            .values(
                next_attempt_at=at + ASIDE_FOR,
                scheduled_at=at,
                lease_owner=None,
                lease_until=None,
                last_reason=reason,
            )
        )

    def _event(self, row: Row[Any]) -> Event:
        return Event(
            row.event_id,
            row.destination,
            ChannelKind(row.channel),
            row.type,
            row.subject,
            row.sequence,
            row.position,
            row.at,
            self._statements.opened(outbox, row)["data"],
            row.erased_at is not None,
            row.body_form or (BODY_WITHOUT_POSITION if row.attempts else BODY_WITH_POSITION),
        )

    def _attempt(self, row: Row[Any]) -> Attempt:
        receipt = self._statements.opened(delivery_attempts, row)["receipt"]
        outcome = _outcome(row)
        return Attempt(
            row.event_id,
            row.attempt,
            row.started_at,
            None if outcome is AttemptOutcome.OPEN else row.finished_at,
            outcome,
            row.reason,
            row.status,
            Receipt(receipt, row.reason == "duplicate") if receipt else None,
        )

    def _view(self, row: Row[Any], history: Sequence[Attempt]) -> DeliveryView:
        pending = row.state == DeliveryState.PENDING.value
        return DeliveryView(
            self._event(row),
            DeliveryState.UNKNOWN if pending and row.unknown_since is not None else DeliveryState(row.state),
            row.attempts,
            row.next_attempt_at,
            row.settled_at,
            row.last_reason,
            history,
            row.unknown_since,
        )

    def _count(self, condition: ColumnElement[bool]) -> dict[str, int]:
        rows = self._statements.execute(
            select(outbox.c.destination, func.count().label("events")).where(condition).group_by(outbox.c.destination)
        )
        return {row.destination: row.events for row in rows}


def _due(at: datetime, room: ClaimRoom) -> Select[Any]:
    """What can be claimed, oldest first, and is locked against others who look at the same moment."""
    earlier = outbox.alias("earlier")
    disabled = select(delivery_destinations.c.code).where(delivery_destinations.c.disabled_at.is_not(None))
    due = (
        select(outbox)
        .where(
            is_pending,
            outbox.c.next_attempt_at <= at,
            or_(outbox.c.lease_until.is_(None), outbox.c.lease_until < at),
            outbox.c.destination.not_in(disabled),
            ~exists().where(
                earlier.c.destination == outbox.c.destination,
                earlier.c.subject == outbox.c.subject,
                earlier.c.sequence < outbox.c.sequence,
                earlier.c.state == DeliveryState.PENDING.value,
            ),
        )
        .order_by(outbox.c.next_attempt_at, outbox.c.position)
        .limit(min(room.total, room.each))
        .with_for_update(skip_locked=True, of=outbox)
    )
    full = sorted(code for code, left in room.per_destination.items() if left <= 0)
    if full:
        due = due.where(outbox.c.destination.not_in(full))
    if room.holding:
        due = due.where(outbox.c.event_id.not_in(sorted(room.holding)))
    return due


def _replayed(which: ColumnElement[bool], at: datetime) -> Any:
    return (
        update(outbox)
        .where(which, ~is_pending, outbox.c.erased_at.is_(None))
        .values(
            state=DeliveryState.PENDING.value,
            next_attempt_at=at,
            scheduled_at=at,
            first_attempt_at=None,
            tried_for_s=0.0,
            unknown_since=None,
            settled_at=None,
            last_reason="replayed",
        )
    )


def _in_state(state: DeliveryState) -> ColumnElement[bool]:
    if not state.under_way:
        return outbox.c.state == state.value
    known = outbox.c.unknown_since.is_(None)
    return is_pending & (known if state is DeliveryState.PENDING else ~known)


def _stored(state: DeliveryState) -> str:
    return (DeliveryState.PENDING if state.under_way else state).value


def _moved(settlement: Settlement, unknown_since: datetime | None) -> dict[str, Any]:
    if settlement.outcome is AttemptOutcome.UNKNOWN or settlement.state is DeliveryState.UNKNOWN:
        unknown_since = unknown_since or settlement.finished_at
    if settlement.state is DeliveryState.DELIVERED:
        unknown_since = None
    moved = {
        "event_id": settlement.event_id,
        "state": _stored(settlement.state),
        "next_attempt_at": settlement.next_attempt_at,
        "scheduled_at": settlement.finished_at,
        "tried_for_s": settlement.tried_for.total_seconds(),
        "unknown_since": unknown_since,
        "settled_at": None if settlement.state.under_way else settlement.finished_at,
        "last_reason": settlement.reason,
    }
    return _bound(moved)


def _bound(values: dict[str, Any]) -> dict[str, Any]:
    return {f"b_{name}": value for name, value in values.items()}


def _outcome(row: Row[Any]) -> AttemptOutcome:
    """What is known of an attempt; that of a former release did not say whether anything was sent."""
    if row.outcome is not None:
        return AttemptOutcome(row.outcome)
    return AttemptOutcome.RECEIPTED if row.state == DeliveryState.DELIVERED.value else AttemptOutcome.UNKNOWN
