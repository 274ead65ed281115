"""Claims: which events are due, whose leases are taken, and what became of the attempts of leases that lapsed."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Integer,
    Row,
    Select,
    Text,
    bindparam,
    case,
    exists,
    func,
    literal,
    literal_column,
    or_,
    select,
    tuple_,
    update,
)

from adapters.storage.deliveries import delivery_attempts, destinations_with, is_pending, outbox
from adapters.storage.delivery_rows import event_of
from adapters.storage.delivery_settling import wait_behind
from adapters.storage.destinations import delivery_destinations
from adapters.storage.outbox import ADD_ATTEMPTS, open_attempt
from adapters.storage.statements import Statements
from adapters.storage.tables import UtcInstant
from gateway.crypto.sealing import StoredDataUnreadable
from gateway.delivery.backoff import tried
from gateway.delivery.ports import (
    BODY_WITH_POSITION,
    BODY_WITHOUT_POSITION,
    LEASE_LAPSED,
    NO_TURN,
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
    # Receiver by receiver, so that nothing is looked at of one that nothing can be sent to.
    claims: list[ClaimedDelivery] = []
    for destination in statements.execute(_WITH_SOMETHING_DUE, {"at": at}).scalars().all():
        free = min(room.per_destination.get(destination, room.each), room.total - len(claims))
        if free > 0:
            asked = {"receiver": destination, "at": at, "most": free, "holding": sorted(room.holding)}
            claims += _claimed(statements, asked, at)
    if claims:
        _lease(statements, claims, owner, at, lease_until)
    return sorted(claims, key=lambda claim: (claim.event.destination, claim.event.position))


def _claimed(statements: Statements, asked: dict[str, Any], at: datetime) -> list[ClaimedDelivery]:
    # Selected and locked first, because what the lease was before decides what the last attempt came to.
    claims: list[ClaimedDelivery] = []
    for row in statements.execute(_DUE, asked).all():
        try:
            claims.append(_claim_of(statements, row, at))
        except StoredDataUnreadable as error:
            _put_aside(statements, row, error.check, at)
    return claims


def _claim_of(statements: Statements, row: Row[Any], at: datetime) -> ClaimedDelivery:
    spent, lapsed = timedelta(seconds=row.tried_for_s or 0.0), row.lease_owner is not None
    waited_for_its_turn = row.last_reason == NO_TURN and not lapsed
    if row.attempts and row.scheduled_at is not None and not waited_for_its_turn:
        spent += tried(row.scheduled_at, row.next_attempt_at, at)
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
    _end_lapsed(statements, [claim.event.event_id for claim in claims if claim.taken_over], at)
    statements.execute(
        update(outbox)
        .where(outbox.c.event_id.in_([claim.event.event_id for claim in claims]))
        .values(
            lease_owner=owner,
            lease_until=lease_until,
            attempts=outbox.c.attempts + 1,
            first_attempt_at=func.coalesce(outbox.c.first_attempt_at, now),
            unknown_since=_unknown_since(at),
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
    statements.write(ADD_ATTEMPTS, [open_attempt(claim.event.event_id, claim.attempt, at) for claim in claims])


def _put_aside(statements: Statements, row: Row[Any], reason: str, at: datetime) -> None:
    """What cannot be opened waits for somebody to mend it, and holds up nothing but its own application."""
    until = at + ASIDE_FOR
    if row.lease_owner is not None:
        _end_lapsed(statements, [row.event_id], at)
    statements.execute(
        update(outbox)
        .where(outbox.c.event_id == row.event_id)
        .values(
            next_attempt_at=until,
            scheduled_at=at,
            lease_owner=None,
            lease_until=None,
            unknown_since=_unknown_since(at),
            last_reason=reason,
        )
    )
    wait_behind(statements, [(row, until, at)])


def _end_lapsed(statements: Statements, event_ids: Sequence[str], at: datetime) -> None:
    """Of attempts whose lease lapsed nobody will tell any more how they ended."""
    if event_ids:
        statements.execute(
            update(delivery_attempts)
            .where(
                delivery_attempts.c.event_id.in_(event_ids),
                delivery_attempts.c.outcome == AttemptOutcome.OPEN.value,
            )
            .values(finished_at=at, outcome=AttemptOutcome.UNKNOWN.value, reason=LEASE_LAPSED)
        )


def _unknown_since(at: datetime) -> ColumnElement[datetime | None]:
    """``unknown_since`` after a claim: whoever held a lease that lapsed may have sent it."""
    since = func.coalesce(outbox.c.unknown_since, literal(at, UtcInstant()))
    return case((outbox.c.lease_owner.is_not(None), since), else_=outbox.c.unknown_since)


# What follows is bounded and ordered as ``ix_outbox_destination_due`` alone is, all three columns of it: along an index
# of all receivers, which another plan could take, lies whatever waits for those that nothing is sent to.
_PLACE: Final = (outbox.c.destination, outbox.c.next_attempt_at, outbox.c.position)


_AT: Final = bindparam("at", type_=UtcInstant())


def _with_something_due() -> Select[tuple[str]]:
    code = destinations_with(is_pending).c.code
    own = is_pending & (outbox.c.destination >= code) & (outbox.c.destination <= code)
    earliest = select(outbox.c.next_attempt_at).where(own).order_by(*_PLACE).limit(1).correlate(code.table)
    found = select(code, earliest.scalar_subquery().label("due_at")).subquery("found")
    disabled = select(delivery_destinations.c.code).where(delivery_destinations.c.disabled_at.is_not(None))
    return (
        select(found.c.code)
        .where(found.c.due_at <= _AT, found.c.code.not_in(disabled))
        .order_by(found.c.due_at, found.c.code)
    )


def _due() -> Select[Any]:
    receiver, earlier = bindparam("receiver", type_=Text()), outbox.alias("earlier")
    return (
        select(outbox)
        .where(
            is_pending,
            outbox.c.destination >= receiver,
            tuple_(outbox.c.destination, outbox.c.next_attempt_at) <= tuple_(receiver, _AT),
            or_(outbox.c.lease_until.is_(None), outbox.c.lease_until < _AT),
            ~exists().where(
                earlier.c.destination == outbox.c.destination,
                earlier.c.subject == outbox.c.subject,
                earlier.c.sequence < outbox.c.sequence,
                earlier.c.state == literal_column(f"'{DeliveryState.PENDING.value}'"),
            ),
            outbox.c.event_id.not_in(bindparam("holding", expanding=True)),
        )
        .order_by(*_PLACE)
        .limit(bindparam("most", type_=Integer()))
        .with_for_update(skip_locked=True, of=outbox)
    )


_WITH_SOMETHING_DUE: Final = _with_something_due()
"""The receivers that are sent to and have something due, by how long it is."""
_DUE: Final = _due()
"""What can be claimed of one, oldest first; it is locked against others who look at the same moment."""
