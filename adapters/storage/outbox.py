"""The outbox that rooms append to: events are numbered without a gap as they are committed, and those that the relay of
this process takes at once are leased to it in the same breath.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import orjson
from sqlalchemy import Connection

from adapters.storage.deliveries import delivery_attempts, outbox
from adapters.storage.plain import Plain
from adapters.storage.sealed import seal_values
from adapters.storage.together import AddTogether
from gateway.crypto.sealing import Sealer
from gateway.delivery.cloud_events import encode_cloud_event
from gateway.delivery.hand_over import HandOver
from gateway.delivery.in_hand import Key
from gateway.delivery.ports import (
    BODY_WITH_POSITION,
    AttemptOutcome,
    ChannelKind,
    ClaimedDelivery,
    DeliveryState,
    Event,
    EventDraft,
)
from gateway.records.entries import digest
from schemas.events import EPOCH


class BatchOutbox:
    """Events of the units that are about to be committed together; they are numbered just before the commit.

    Numbering last keeps the counters' rows locked for the length of one insert, and makes commit order the order of
    positions, so that a reader of the feed never passes over an event that is still to be committed. What the relay of
    this process takes at once is leased to it as it is written down.
    """

    def __init__(self, sealer: Sealer, source: str, hand_over: HandOver | None = None) -> None:
        """``source`` is the gateway's issuer: with it the body of an event is known when the event is numbered."""
        self._sealer = sealer
        self._source = source
        self._hand_over = hand_over
        self._claims: list[ClaimedDelivery] = []
        self._left: set[Key] = set()
        self.drafts: list[EventDraft] = []

    def append(self, draft: EventDraft) -> None:
        self.drafts.append(draft)

    def truncate(self, length: int) -> None:
        """Forget drafts beyond ``length``: those of a unit that failed."""
        del self.drafts[length:]

    def write(self, connection: Connection) -> None:
        """Number and store what was appended."""
        if not self.drafts:
            return
        spelled = [orjson.Fragment(orjson.dumps(draft.data)) for draft in self.drafts]
        events = [self._encoded(*each) for each in zip(numbered(connection, self.drafts), spelled, strict=True)]
        at = None
        if self._hand_over is not None:
            at = self._hand_over.now()
            self._promise(connection, self._hand_over, events, at)
        claimed = {claim.event.event_id for claim in self._claims}
        lease = {} if at is None or self._hand_over is None else _leased(self._hand_over, at)
        rows = [
            self._row(event, data, lease if event.event_id in claimed else _NOT_LEASED)
            for event, data in zip(events, spelled, strict=True)
        ]
        _ADD_EVENTS.write(connection, rows)
        if at is not None and claimed:
            ADD_ATTEMPTS.write(connection, [open_attempt(event_id, 1, at) for event_id in claimed])

    def committed(self) -> None:
        """The transaction stands: the relay may send."""
        if self._hand_over is not None and (self._claims or self._left):
            self._hand_over.handed(self._claims, self._left)

    def broken_off(self) -> None:
        """The transaction does not stand, or nobody knows whether it does."""
        if self._hand_over is not None:
            self._hand_over.broken_off([claim.event.event_id for claim in self._claims])

    def _promise(self, connection: Connection, hand_over: HandOver, events: Sequence[Event], at: datetime) -> None:
        """Of each subject what may go at once, or behind what the relay has in hand already, and nothing beyond."""
        disabled = {code for (code,) in _DISABLED.rows(connection)}
        last: dict[Key, int | None] = _undelivered(connection, events, hand_over.owner)
        for event in events:
            key = (event.destination, event.subject)
            behind = last.get(key, 0)
            if event.destination in disabled:
                continue
            if behind is not None and hand_over.promise(event, behind):
                self._claims.append(ClaimedDelivery(event, 1, at, behind=behind))
                last[key] = event.sequence
            else:
                last[key] = None
                self._left.add(key)

    def _encoded(self, event: Event, data: orjson.Fragment) -> Event:
        """With the bytes of its body, the same at every attempt. A review request is signed anew at each."""
        if event.channel is not ChannelKind.DEPARTMENT:
            # Nobody but this batch has seen the event: it is given its body as if it were being made.
            object.__setattr__(event, "body", encode_cloud_event(event, self._source, data))
        return event

    def _row(self, event: Event, data: orjson.Fragment, lease: Mapping[str, Any]) -> dict[str, Any]:
        key = {"event_id": event.event_id}
        return {
            **seal_values(self._sealer, outbox, {"data": data}, key),
            **key,
            **lease,
            "destination": event.destination,
            "channel": _VALUE_OF[event.channel],
            "type": event.type,
            "subject": event.subject,
            "at": event.at,
            "position": event.position,
            "sequence": event.sequence,
            "state": _PENDING,
            "next_attempt_at": event.at,
            "scheduled_at": event.at,
            "tried_for_s": 0.0,
            "body_sha256": None if event.body is None else digest(event.body),
        }


_VALUE_OF: Final = {channel: channel.value for channel in ChannelKind}
_PENDING: Final = DeliveryState.PENDING.value
_OPEN: Final = AttemptOutcome.OPEN.value
_WITHOUT_YET = ("settled_at", "last_reason", "erased_at", "unknown_since", "replayed_at")
"""Columns that are empty in a new row."""
_ADD_EVENTS = AddTogether(outbox, *(each.name for each in outbox.c if each.name not in _WITHOUT_YET))
_OPENED = ("event_id", "attempt", "started_at", "finished_at", "state", "reason", "outcome")
ADD_ATTEMPTS = AddTogether(delivery_attempts, *_OPENED)
"""Of rows as ``open_attempt`` makes them."""
_NOT_LEASED: Final[dict[str, Any]] = {
    "attempts": 0,
    "first_attempt_at": None,
    "lease_owner": None,
    "lease_until": None,
    "body_form": None,
}


def _leased(hand_over: HandOver, at: datetime) -> dict[str, Any]:
    """What a claim leaves in the row of an event that was never tried."""
    return {
        "attempts": 1,
        "first_attempt_at": at,
        "lease_owner": hand_over.owner,
        "lease_until": at + hand_over.lease,
        "body_form": BODY_WITH_POSITION,
    }


def open_attempt(event_id: str, attempt: int, at: datetime) -> dict[str, Any]:
    """The row of an attempt that begins."""
    return {
        "event_id": event_id,
        "attempt": attempt,
        "started_at": at,
        "finished_at": at,
        "state": _PENDING,
        "reason": _OPEN,
        "outcome": _OPEN,
    }


class ReadOnlyOutbox:
    """Stands in for the outbox where a unit only reads."""

    def append(self, draft: EventDraft) -> None:
        raise RuntimeError(f"{draft.type} was to be sent from a unit of work that only reads")


def numbered(connection: Connection, drafts: Sequence[EventDraft]) -> list[Event]:
    """``drafts`` as events, each with its position and sequence; their counters are locked from here on."""
    wanted: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for index, draft in enumerate(drafts):
        wanted[(draft.destination, "")].append(index)
        wanted[(draft.destination, draft.subject)].append(index)
    positions, sequences = [0] * len(drafts), [0] * len(drafts)
    counters = [(destination, subject, len(wanted[destination, subject])) for destination, subject in sorted(wanted)]
    for destination, subject, last in _ADVANCE.rows_for(connection, counters):
        indices = wanted[destination, subject]
        numbers = sequences if subject else positions
        for number, index in enumerate(indices, last - len(indices) + 1):
            numbers[index] = number
    return [
        Event(
            draft.event_id,
            draft.destination,
            draft.channel,
            draft.type,
            draft.subject,
            sequence,
            position,
            draft.at,
            draft.data,
        )
        for draft, position, sequence in zip(drafts, positions, sequences, strict=True)
    ]


def _undelivered(connection: Connection, events: Sequence[Event], owner: str) -> dict[Key, int | None]:
    """Of which receivers and subjects events that were committed before are still under way: the last sequence, where
    ``owner`` has the leases of all of them.
    """
    later = {(event.destination, event.subject, owner) for event in events if event.sequence > 1}
    found = _UNDELIVERED.rows_for(connection, sorted(later)) if later else []
    return {(destination, subject): None if others else last for destination, subject, last, others in found}


_WANTED_SQLITE: Final = (
    "(SELECT json_extract(value, '$[0]') AS destination, json_extract(value, '$[1]') AS subject,"
    " json_extract(value, '$[2]') AS {third} FROM json_each(?)) AS wanted"
)
"""A few rows as a table, whatever their number, so that one statement does for them all."""
_WANTED_POSTGRESQL: Final = "unnest(?::text[], ?::text[], ?::{of}[]) AS wanted (destination, subject, {third})"
_BASE: Final = f"(SELECT CAST(coalesce(max(number), 0) AS bigint) * {EPOCH} FROM restorations)"  # noqa: S608 - constants
"""What lies before the first number of a counter that begins now (``adapters.storage.restorations.first_number``)."""
_DISABLED: Final = Plain("SELECT code FROM delivery_destinations WHERE disabled_at IS NOT NULL")


def _advance(wanted: str) -> str:
    return (
        "INSERT INTO outbox_counters (destination, subject, last)"  # noqa: S608 - constants
        f" SELECT destination, subject, count + {_BASE} FROM {wanted} WHERE true"
        " ON CONFLICT (destination, subject)"
        f" DO UPDATE SET last = outbox_counters.last + excluded.last - {_BASE}"
        " RETURNING destination, subject, last"
    )


def _under_way(wanted: str) -> str:
    return (
        "SELECT earlier.destination, earlier.subject, max(earlier.sequence),"  # noqa: S608 - constants
        " sum(CASE WHEN earlier.lease_owner = wanted.owner THEN 0 ELSE 1 END)"
        f" FROM {wanted} CROSS JOIN outbox AS earlier"
        " WHERE earlier.destination = wanted.destination AND earlier.subject = wanted.subject"
        " AND earlier.state = 'pending' GROUP BY earlier.destination, earlier.subject"
    )


_ADVANCE: Final = Plain(
    _advance(_WANTED_SQLITE.format(third="count")), _advance(_WANTED_POSTGRESQL.format(third="count", of="bigint"))
)
_UNDELIVERED: Final = Plain(
    _under_way(_WANTED_SQLITE.format(third="owner")), _under_way(_WANTED_POSTGRESQL.format(third="owner", of="text"))
)
