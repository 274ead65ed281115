"""Ports of delivery: the outbox that rooms write to, the queue that the relay works off, the channels that send."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, Protocol

from gateway.delivery.destinations import Destinations
from gateway.records.ports import RecordAppender

LEASE_LAPSED: Final = "relay.lease_lapsed"
"""Reason of an attempt whose relay died, or was too slow to settle it."""
NO_TURN: Final = "relay.no_turn"
"""Reason of an attempt that never began: its relay had too much in hand, or what is before it was not delivered."""
BODY_WITHOUT_POSITION: Final = 1
BODY_WITH_POSITION: Final = 2
"""Forms of an event's body. An event keeps the form that it was first sent in: a receipt names the body's digest."""


class ChannelKind(StrEnum):
    """How an event travels; one adapter each in ``adapters/channels``.

    Events to utilities are appended as ``WEBHOOK``; which of the two ways one takes is decided at each attempt, by what
    the utility has registered.
    """

    WEBHOOK = "webhook"
    NATS = "nats"
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
    """Where a delivery stands.

    ``UNKNOWN`` – it may have reached the receiver, and no answer says so: the receiver is asked, or it is sent again
    (its id makes that harmless), until a receipt resolves it. It is due and claimed like ``PENDING``.
    """

    PENDING = "pending"
    UNKNOWN = "unknown"
    DELIVERED = "delivered"
    DEAD = "dead"

    @property
    def under_way(self) -> bool:
        """Whether it is still to be delivered."""
        return self in (DeliveryState.PENDING, DeliveryState.UNKNOWN)


class AttemptOutcome(StrEnum):
    """What is known of one attempt."""

    OPEN = "open"
    """It was written down before anything was sent; nobody has told yet how it ended."""
    RECEIPTED = "receipted"
    """The receiver signed that it holds the event."""
    NOT_SENT = "not_sent"
    """Certainly nothing reached the receiver: refused connection, unknown name, no address registered."""
    DECLINED = "declined"
    """The receiver answered, with an error or with a receipt that does not hold."""
    UNKNOWN = "unknown"
    """Something may have been sent, and no answer came."""


@dataclass(frozen=True)
class Event:
    """A committed event. ``position`` counts a receiver's events, ``sequence`` those of one subject; both from 1.

    Of an ``erased`` one the retention period is over: ``data`` is empty, and it is not sent again. ``body_form`` is one
    of ``BODY_WITHOUT_POSITION`` (first sent by a version that told none) and ``BODY_WITH_POSITION``. ``replayed_at`` is
    when it was last asked to be sent anew: what the receiver signed before settles nothing. ``body`` is what is sent,
    where it was encoded already.
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
    body_form: int = BODY_WITH_POSITION
    replayed_at: datetime | None = None
    body: bytes | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class ClaimRoom:
    """How many events a relay can take: ``total``, and of each destination.

    A destination named in ``per_destination`` has that much room (0: none), every other one ``each``. Events of
    ``holding`` are this relay's own sends in flight, whatever a clock that jumped says of their leases.
    """

    total: int
    each: int
    per_destination: Mapping[str, int] = field(default_factory=dict)
    holding: Collection[str] = ()


@dataclass(frozen=True)
class ClaimedDelivery:
    """An event that this relay holds the lease of. ``attempt`` counts from 1.

    ``tried_for`` is how long it has been tried and waited for so far, without times in which nobody tried.
    ``unknown`` – an earlier attempt may have reached the receiver. ``taken_over`` – from a relay whose lease lapsed.
    ``behind`` is the sequence of an event of the same subject, in the same hand, that has to be delivered before it; 0
    where nothing has to be.
    """

    event: Event
    attempt: int
    first_attempt_at: datetime
    tried_for: timedelta = timedelta()
    unknown: bool = False
    taken_over: bool = False
    behind: int = 0


@dataclass(frozen=True)
class Receipt:
    """What a receiver answered: its signed receipt, verified. ``duplicate`` – it had the event before."""

    document: str
    duplicate: bool


@dataclass(frozen=True)
class Settlement:
    """How one attempt ended, with when to try again (None: delivered or dead). ``outcome`` is that of this attempt,
    ``state`` where the delivery stands after it.
    """

    event_id: str
    attempt: int
    started_at: datetime
    finished_at: datetime
    state: DeliveryState
    reason: str
    status: int | None = None
    receipt: Receipt | None = None
    next_attempt_at: datetime | None = None
    outcome: AttemptOutcome = AttemptOutcome.DECLINED
    tried_for: timedelta = timedelta()


@dataclass(frozen=True)
class Attempt:
    """One attempt as it stands in the database. ``finished_at`` is None while it is open."""

    event_id: str
    attempt: int
    started_at: datetime
    finished_at: datetime | None
    outcome: AttemptOutcome
    reason: str
    status: int | None = None
    receipt: Receipt | None = None


@dataclass(frozen=True)
class DeliveryView:
    """One delivery as an operator sees it; attempts oldest first."""

    event: Event
    state: DeliveryState
    attempts: int
    next_attempt_at: datetime | None
    settled_at: datetime | None
    last_reason: str | None
    history: Sequence[Attempt] = field(default=())
    unknown_since: datetime | None = None


@dataclass(frozen=True)
class Backlog:
    """What is not delivered: events that wait and events given up, by destination, and since when the oldest waits.

    Those of ``unknown`` outcome are among the ``pending`` ones.
    """

    pending: Mapping[str, int]
    dead: Mapping[str, int]
    oldest_pending_at: datetime | None
    unknown: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class ReplayedPage:
    """``event_ids`` of a page of replayed events, oldest first; ``last_position`` is where the next page begins."""

    event_ids: Sequence[str]
    last_position: int
    more: bool


class ReplayReason(StrEnum):
    """Why an event is sent again. A code and not free text, because it stands in the record in clear."""

    RECEIVER_RESTORED = "receiver_restored"
    RECEIVER_LOST_DATA = "receiver_lost_data"
    CONFIGURATION_MENDED = "configuration_mended"
    RECEIVER_ASKED = "receiver_asked"
    DRILL = "drill"


class DeliveryQueue(Protocol):
    """The committed events, as relay, feed and operator use them."""

    def claim(self, owner: str, at: datetime, lease_until: datetime, room: ClaimRoom) -> Sequence[ClaimedDelivery]:
        """Take the lease of due events for which there is ``room``, and write an open attempt down for each.

        Of each destination and subject only the oldest undelivered event can be claimed; of a disabled destination
        none. A lapsed lease is free: the attempt it was for ends as unknown (``LEASE_LAPSED``).
        """
        ...

    def settle(self, owner: str, *settlements: Settlement) -> Sequence[str]:
        """Complete attempts and move their events; answers the ids of those whose lease this owner still had.

        Of the others nothing is done: somebody else has taken them over.
        """
        ...

    def undo_clock_jump(self, at: datetime, lease_until: datetime) -> int:
        """Make due what waits because the clock was ahead when its wait or its lease began; answers how many.

        ``lease_until`` is how far a lease taken now would reach.
        """
        ...

    def feed(self, destination: str, after: int, limit: int) -> Sequence[Event]:
        """Events of ``destination`` with ``position`` beyond ``after``, in order."""
        ...

    def find(self, event_id: str) -> DeliveryView | None: ...

    def of_subject(self, destination: str, subject: str, types: Sequence[str]) -> Sequence[DeliveryView]:
        """Events of ``types`` about ``subject`` for ``destination``, oldest first, each with its attempts."""
        ...

    def list(
        self, destination: str | None, state: DeliveryState | None, limit: int, before: str | None = None
    ) -> Sequence[DeliveryView]:
        """Newest first, without attempts and without what the events carry; those that come after ``before`` there.

        Ids order them, which are made when events are. Of one receiver what is in no state in particular, or
        delivered, is ordered by position; an id that is none of its events has nothing after it.
        """
        ...

    def replay(self, event_id: str, at: datetime) -> bool:
        """Make a delivered or dead event due again; False where there is none."""
        ...

    def replay_since(self, destination: str, since: datetime, after: int, limit: int, at: datetime) -> ReplayedPage:
        """As ``replay``, for events of ``since`` or later with positions beyond ``after``: at most ``limit`` of them.

        What is under way, or erased, is passed over.
        """
        ...

    def hasten(self, destination: str, at: datetime) -> int:
        """Make due whatever of ``destination`` waits for its next attempt; answers how many."""
        ...

    def backlog(self) -> Backlog: ...


class RelayTransaction(Protocol):
    """The relay's slice of the unit of work."""

    @property
    def deliveries(self) -> DeliveryQueue: ...
    @property
    def destinations(self) -> Destinations: ...
    @property
    def records(self) -> RecordAppender: ...


class Channel(Protocol):
    """Sends one event to its receiver."""

    async def send(self, event: Event, at: datetime) -> Receipt:
        """Answers the receiver's verified receipt.

        Raises ``NotDelivered`` where trying again may help, which says whether anything was sent, and
        ``DeliveryRefused`` where it will not help.
        """
        ...

    async def find_receipt(self, event: Event, at: datetime) -> Receipt | None:
        """Ask the receiver whether it holds an event whose sending came to no known end: its verified receipt.

        None where it does not hold it, or cannot be asked: the event is then sent again. Raises as ``send``.
        """
        return None
