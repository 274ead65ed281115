"""Settling: attempts that have ended are completed, and their events moved, by whoever still holds the lease."""

from collections.abc import Sequence
from datetime import datetime
from itertools import starmap
from typing import Any, Final, NamedTuple

from sqlalchemy import Row, bindparam, func, update

from adapters.storage.deliveries import delivery_attempts, is_pending, outbox
from adapters.storage.delivery_rows import stored
from adapters.storage.plain import Plain
from adapters.storage.statements import Statements
from adapters.storage.tables import read_instant
from adapters.storage.together import ChangeTogether
from gateway.delivery.ports import NO_TURN, AttemptOutcome, DeliveryState, Settlement

_COMPLETED = ChangeTogether(
    delivery_attempts,
    ("event_id", "attempt"),
    ("started_at", "finished_at", "state", "reason", "status", "receipt", "outcome"),
)
_MOVED = ChangeTogether(
    outbox,
    ("event_id",),
    ("state", "next_attempt_at", "scheduled_at", "tried_for_s", "unknown_since", "settled_at", "last_reason"),
    emptied=("lease_owner", "lease_until"),
)
_LEASED_COLUMNS = (
    "SELECT event_id, destination, subject, sequence, attempts, unknown_since FROM outbox"
    " WHERE event_id IN ({wanted}) AND lease_owner = ? AND state = 'pending' ORDER BY event_id"
)
_LEASED = Plain(
    _LEASED_COLUMNS.format(wanted="SELECT json_extract(value, '$[0]') FROM json_each(?)"),
    _LEASED_COLUMNS.format(wanted="SELECT unnest(?::text[])") + " FOR UPDATE OF outbox",
)


_OUTCOMES: Final = {outcome: outcome.value for outcome in AttemptOutcome}
_STORED: Final = {state: stored(state) for state in DeliveryState}
"""What is looked up for each event of a batch."""


class _Leased(NamedTuple):
    event_id: str
    destination: str
    subject: str
    sequence: int
    attempts: int
    unknown_since: Any


_LATER = (
    update(outbox)
    .where(
        outbox.c.destination == bindparam("b_destination"),
        outbox.c.subject == bindparam("b_subject"),
        outbox.c.sequence > bindparam("b_sequence"),
        is_pending,
        (outbox.c.attempts == 0) | (outbox.c.last_reason == NO_TURN),
        # Not as a bound of an index: SQLite would rather read all that is due of the receiver.
        func.coalesce(outbox.c.next_attempt_at, bindparam("b_next_attempt_at")) < bindparam("b_next_attempt_at"),
    )
    .values(next_attempt_at=bindparam("b_next_attempt_at"), scheduled_at=bindparam("b_scheduled_at"))
)


def wait_behind(statements: Statements, waits: Sequence[tuple[Row[Any] | _Leased, datetime, datetime]]) -> None:
    """What comes after an event in its application cannot go before it: while it waits, no claim has to look at that.

    ``waits`` are rows with ``destination``, ``subject`` and ``sequence``, until when each waits, and since when. What
    has been sent before keeps its own time.
    """
    if waits:
        statements.execute(_LATER, [_bound(_later(*each)) for each in waits])


def _later(event: Row[Any] | _Leased, until: datetime, at: datetime) -> dict[str, Any]:
    place = {"destination": event.destination, "subject": event.subject, "sequence": event.sequence}
    return {**place, "next_attempt_at": until, "scheduled_at": at}


def settle(statements: Statements, owner: str, settlements: Sequence[Settlement]) -> Sequence[str]:
    """See ``gateway.delivery.ports.DeliveryQueue.settle``."""
    event_ids = [(settlement.event_id,) for settlement in settlements]
    rows = {row.event_id: row for row in starmap(_Leased, statements.say_for(_LEASED, event_ids, owner))}
    held = [
        settlement
        for settlement in settlements
        if (row := rows.get(settlement.event_id)) is not None and row.attempts == settlement.attempt
    ]
    if held:
        statements.write(_MOVED, [_moved(each, _instant(rows[each.event_id].unknown_since)) for each in held])
        statements.write(_COMPLETED, [_completed(statements, each) for each in held])
        waits = [
            (rows[each.event_id], each.next_attempt_at, each.finished_at)
            for each in held
            if each.next_attempt_at is not None
        ]
        wait_behind(statements, waits)
    return [settlement.event_id for settlement in held]


def _instant(value: Any) -> datetime | None:
    return None if value is None else read_instant(value)


def _completed(statements: Statements, settlement: Settlement) -> dict[str, Any]:
    outcome = AttemptOutcome.RECEIPTED if settlement.state is DeliveryState.DELIVERED else settlement.outcome
    attempt = {
        "event_id": settlement.event_id,
        "attempt": settlement.attempt,
        "started_at": settlement.started_at,
        "finished_at": settlement.finished_at,
        "state": _STORED[settlement.state],
        "reason": settlement.reason,
        "status": settlement.status,
        "receipt": settlement.receipt.document if settlement.receipt else None,
        "outcome": _OUTCOMES[outcome],
    }
    return statements.sealed(delivery_attempts, attempt)


def _moved(settlement: Settlement, unknown_since: datetime | None) -> dict[str, Any]:
    if settlement.outcome is AttemptOutcome.UNKNOWN or settlement.state is DeliveryState.UNKNOWN:
        unknown_since = unknown_since or settlement.finished_at
    if settlement.state is DeliveryState.DELIVERED:
        unknown_since = None
    return {
        "event_id": settlement.event_id,
        "state": _STORED[settlement.state],
        "next_attempt_at": settlement.next_attempt_at,
        "scheduled_at": settlement.finished_at,
        "tried_for_s": settlement.tried_for.total_seconds(),
        "unknown_since": unknown_since,
        "settled_at": None if settlement.state.under_way else settlement.finished_at,
        "last_reason": settlement.reason,
    }


def _bound(values: dict[str, Any]) -> dict[str, Any]:
    return {f"b_{name}": value for name, value in values.items()}
