"""Claims: which events are due, whose leases are taken, and what became of the attempts of leases that lapsed."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Row, Select, case, exists, func, insert, literal, or_, select, update

from adapters.storage.deliveries import delivery_attempts, is_pending, outbox
from adapters.storage.delivery_rows import event_of
from adapters.storage.destinations import delivery_destinations
from adapters.storage.statements import Statements
from adapters.storage.tables import UtcInstant
from gateway.crypto.sealing import StoredDataUnreadable
from gateway.delivery.backoff import tried
from gateway.delivery.ports import (
    BODY_WITH_POSITION,
    BODY_WITHOUT_POSITION,
    LEASE_LAPSED,
    AttemptOutcome,
    ClaimedDelivery,
    ClaimRoom,
    DeliveryState,
)

ASIDE_FOR: Final = timedelta(minutes=10)
"""How long an event that cannot be opened is left before it is looked at again."""


def claim(
    statements: Statements, owner: str, at: datetime, lease_until: datetime, room: ClaimRoom
) -> Sequence[ClaimedDelivery]:
    """See ``gateway.delivery.ports.DeliveryQueue.claim``."""
    # Selected and locked first, because what the lease was before decides what the last attempt came to.
    taken: Counter[str] = Counter()
    claims: list[ClaimedDelivery] = []
    for row in statements.execute(_due(at, room)).all():
        if taken[row.destination] >= room.per_destination.get(row.destination, room.each):
            continue
        try:
            claims.append(_claimed(statements, row, at))
        except StoredDataUnreadable as error:
            _put_aside(statements, row.event_id, error.check, at)
        else:
            taken[row.destination] += 1
    if claims:
        _lease(statements, claims, owner, at, lease_until)
    return sorted(claims, key=lambda claim: (claim.event.destination, claim.event.position))


def _claimed(statements: Statements, row: Row[Any], at: datetime) -> ClaimedDelivery:
    spent = timedelta(seconds=row.tried_for_s or 0.0)
    if row.attempts and row.scheduled_at is not None:
        spent += tried(row.scheduled_at, row.next_attempt_at, at)
    lapsed = row.lease_owner is not None
    return ClaimedDelivery(
        event_of(statements, row),
        row.attempts + 1,
        row.first_attempt_at or at,
        spent,
        unknown=lapsed or row.unknown_since is not None,
        taken_over=lapsed,
    )


def _lease(
    statements: Statements, claims: Sequence[ClaimedDelivery], owner: str, at: datetime, lease_until: datetime
) -> None:
    now = literal(at, UtcInstant())
    lapsed = [claim.event.event_id for claim in claims if claim.taken_over]
    if lapsed:
        statements.execute(
            update(delivery_attempts)
            .where(
                delivery_attempts.c.event_id.in_(lapsed),
                delivery_attempts.c.outcome == AttemptOutcome.OPEN.value,
            )
            .values(finished_at=at, outcome=AttemptOutcome.UNKNOWN.value, reason=LEASE_LAPSED)
        )
    statements.execute(
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
    statements.execute(insert(delivery_attempts), attempts)


def _put_aside(statements: Statements, event_id: str, reason: str, at: datetime) -> None:
    """What cannot be opened waits for somebody to mend it, and holds up nothing but its own application."""
    statements.execute(
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
