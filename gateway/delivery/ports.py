"""Ports of delivery: the outbox that rooms write to, the queue that the relay works off, the channels that send."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from gateway.records.ports import RecordAppender


class ChannelKind(StrEnum):
    """How an event travels; one adapter each in ``adapters/channels`` or ``adapters/departments``."""

    WEBHOOK = "webhook"
    DEPARTMENT = "department"


@dataclass(frozen=True)
class EventDraft:
    """An event to be delivered; its sequence is given when the unit of work is committed.

    ``subject`` is the application: events of one receiver and subject are delivered in the order they were appended.
    """

    event_id: str
    destination: str
    channel: ChannelKind
    type: str
    subject: str
    at: datetime
    data: dict[str, Any]


class Outbox(Protocol):
    """The slice that rooms need: what is appended is committed with the unit of work, and then delivered."""

    def append(self, draft: EventDraft) -> None: ...


class DeliveryState(StrEnum):
    """Where a delivery stands."""

    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"


@dataclass(frozen=True)
class Event:
    """A committed event. ``position`` counts a receiver's events, ``sequence`` those of one subject; both from 1.

    Of an ``erased`` one the retention period is over: ``data`` is empty, and it is not sent again.
    """

    event_id: str
    destination: str
    channel: ChannelKind
    type: str
    subject: str
    sequence: int
    position: int
    at: datetime
    data: dict[str, Any]
    erased: bool = False


@dataclass(frozen=True)
class ClaimedDelivery:
    """An event that this relay holds the lease of. ``attempt`` counts from 1."""

    event: Event
    attempt: int
    first_attempt_at: datetime


@dataclass(frozen=True)
class Receipt:
    """What a receiver answered: its signed receipt, verified. ``duplicate`` – it had the event before."""

    document: str
    duplicate: bool


@dataclass(frozen=True)
class Settlement:
    """How one attempt ended, with when to try again (None: delivered or dead)."""

    event_id: str
    attempt: int
    started_at: datetime
    finished_at: datetime
    state: DeliveryState
    reason: str
    status: int | None = None
    receipt: Receipt | None = None
    next_attempt_at: datetime | None = None


@dataclass(frozen=True)
class DeliveryView:
    """One delivery as an operator sees it; attempts oldest first."""

    event: Event
    state: DeliveryState
    attempts: int
    next_attempt_at: datetime | None
    settled_at: datetime | None
    last_reason: str | None
    history: Sequence[Settlement] = field(default=())


@dataclass(frozen=True)
class Backlog:
    """What is not delivered: events that wait and events given up, by destination, and since when the oldest waits."""

    pending: Mapping[str, int]
    dead: Mapping[str, int]
    oldest_pending_at: datetime | None


class ReplayReason(StrEnum):
    """Why an event is sent again. A code and not free text, because it stands in the record in clear."""

    RECEIVER_RESTORED = "receiver_restored"
    RECEIVER_LOST_DATA = "receiver_lost_data"
    CONFIGURATION_MENDED = "configuration_mended"
    RECEIVER_ASKED = "receiver_asked"
    DRILL = "drill"


class DeliveryQueue(Protocol):
    """The committed events, as relay, feed and operator use them."""

    def claim(
        self, owner: str, at: datetime, lease_until: datetime, limit: int, excluding: Collection[str]
    ) -> Sequence[ClaimedDelivery]:
        """Take the lease of up to ``limit`` due events, none for a destination in ``excluding``.

        Of each destination and subject only the oldest undelivered event can be claimed. A lapsed lease is free.
        """
        ...

    def settle(self, owner: str, settlement: Settlement) -> bool:
        """Record an attempt and move the event; False where the lease was lost meanwhile and nothing was done."""
        ...

    def feed(self, destination: str, after: int, limit: int) -> Sequence[Event]:
        """Events of ``destination`` with ``position`` beyond ``after``, in order."""
        ...

    def find(self, event_id: str) -> DeliveryView | None: ...

    def list(self, destination: str | None, state: DeliveryState | None, limit: int) -> Sequence[DeliveryView]: ...

    def replay(self, event_id: str, at: datetime) -> bool:
        """Make a delivered or dead event due again; False where there is none."""
        ...

    def backlog(self) -> Backlog: ...


class RelayTransaction(Protocol):
    """The relay's slice of the unit of work."""

    @property
    def deliveries(self) -> DeliveryQueue: ...
    @property
    def records(self) -> RecordAppender: ...


class Channel(Protocol):
    """Sends one event to its receiver."""

    async def send(self, event: Event, at: datetime) -> Receipt:
        """Answers the receiver's verified receipt.

        Raises ``PartnerUnavailable`` where trying again may help, and ``DeliveryRefused`` where it will not.
        """
        ...
