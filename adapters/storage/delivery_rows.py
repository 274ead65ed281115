"""What rows of the outbox and of attempts say, as the queue's callers read it."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Row

from adapters.storage.deliveries import delivery_attempts, is_dead, is_pending, is_unknown, outbox
from adapters.storage.statements import Statements
from gateway.delivery.ports import (
    BODY_WITH_POSITION,
    BODY_WITHOUT_POSITION,
    Attempt,
    AttemptOutcome,
    ChannelKind,
    DeliveryState,
    DeliveryView,
    Event,
    Receipt,
)


def event_of(statements: Statements, row: Any) -> Event:
    """Raises ``StoredDataUnreadable``."""
    return _event(row, statements.opened(outbox, row)["data"])


def _event(row: Any, data: dict[str, Any]) -> Event:
    return Event(
        row.event_id,
        row.destination,
        ChannelKind(row.channel),
        row.type,
        row.subject,
        row.sequence,
        row.position,
        row.at,
        data,
        row.erased_at is not None,
        row.body_form or (BODY_WITHOUT_POSITION if row.attempts else BODY_WITH_POSITION),
        row.replayed_at,
    )


def attempt_of(statements: Statements, row: Row[Any]) -> Attempt:
    """Raises ``StoredDataUnreadable``."""
    receipt = statements.opened(delivery_attempts, row)["receipt"]
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


def view_of(statements: Statements, row: Any, history: Sequence[Attempt]) -> DeliveryView:
    """Raises ``StoredDataUnreadable``."""
    return _view(event_of(statements, row), row, history)


SUMMARY: Final = tuple(column for column in outbox.c if column is not outbox.c.data)
"""The columns that ``summary_of`` reads."""


def summary_of(row: Row[Any]) -> DeliveryView:
    """Without attempts, and without what the event carries, which need not be opened."""
    return _view(_event(row, {}), row, ())


def _view(event: Event, row: Any, history: Sequence[Attempt]) -> DeliveryView:
    pending = row.state == DeliveryState.PENDING.value
    return DeliveryView(
        event,
        DeliveryState.UNKNOWN if pending and row.unknown_since is not None else DeliveryState(row.state),
        row.attempts,
        row.next_attempt_at,
        row.settled_at,
        row.last_reason,
        history,
        row.unknown_since,
    )


def in_state(state: DeliveryState) -> ColumnElement[bool]:
    """Whether a row of the outbox is in ``state``."""
    match state:
        case DeliveryState.PENDING:
            return is_pending & outbox.c.unknown_since.is_(None)
        case DeliveryState.UNKNOWN:
            return is_unknown
        case DeliveryState.DEAD:
            return is_dead
        case DeliveryState.DELIVERED:
            return outbox.c.state == state.value


def stored(state: DeliveryState) -> str:
    """What the column says of ``state``; what is unknown is pending there."""
    return (DeliveryState.PENDING if state.under_way else state).value


def _outcome(row: Row[Any]) -> AttemptOutcome:
    """What is known of an attempt; that of a former release did not say whether anything was sent."""
    if row.outcome is not None:
        return AttemptOutcome(row.outcome)
    return AttemptOutcome.RECEIPTED if row.state == DeliveryState.DELIVERED.value else AttemptOutcome.UNKNOWN
