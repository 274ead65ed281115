"""What operators send and see of deliveries (/v1/operator/deliveries)."""

from typing import Self

from pydantic import Field

from gateway.delivery.ports import Attempt, AttemptOutcome, ChannelKind, DeliveryState, DeliveryView, ReplayReason
from gateway.delivery.service import DeliveryPage, DestinationState, ReplayedSince
from gateway.records.entries import digest
from schemas.wire import Instant, OpaqueId, OpenWireModel, PartnerCode, WireModel


class ReplayOrder(WireModel):
    """``POST /v1/operator/deliveries/{event_id}/replay``."""

    reason: ReplayReason


class ReplaySinceOrder(WireModel):
    """``POST /v1/operator/deliveries/destinations/{code}/replay``: one page, after the last one's ``cursor``."""

    since: Instant
    after: int = Field(default=0, ge=0, le=2**62)
    limit: int = Field(default=200, ge=1, le=500)
    reason: ReplayReason


class ReplayedSinceView(OpenWireModel):
    """``202``: what of the page is on its way again. Ask again with ``after`` = ``cursor`` while there is ``more``."""

    replayed: list[OpaqueId]
    cursor: int
    more: bool
    record_id: str | None = None

    @classmethod
    def of(cls, replayed: ReplayedSince) -> Self:
        page = replayed.page
        return cls(
            replayed=list(page.event_ids), cursor=page.last_position, more=page.more, record_id=replayed.record_id
        )


class DestinationView(OpenWireModel):
    """A receiver. ``unknown`` are those of ``pending`` of which no answer tells whether they arrived."""

    destination: PartnerCode
    pending: int
    unknown: int
    dead: int
    failing_since: Instant | None = Field(description="Since when every attempt failed")
    last_reason: str | None
    disabled_at: Instant | None = Field(description="Since when nothing is sent there; events wait")

    @classmethod
    def of(cls, state: DestinationState) -> Self:
        destination = state.destination
        return cls(
            destination=destination.code,
            pending=state.pending,
            unknown=state.unknown,
            dead=state.dead,
            failing_since=destination.failing_since,
            last_reason=destination.last_reason,
            disabled_at=destination.disabled_at,
        )


class DestinationList(OpenWireModel):
    """Receivers for which something waits, or that fail."""

    destinations: list[DestinationView]


class EnableOrder(WireModel):
    """``POST /v1/operator/deliveries/destinations/{code}/enable``."""

    reason: ReplayReason


class EnabledView(OpenWireModel):
    """``200``: the receiver is sent to again."""

    destination: PartnerCode
    record_id: str


class AttemptView(OpenWireModel):
    """One attempt. ``receipt_sha256`` refers to the receiver's signed receipt; one that is open has not finished."""

    attempt: int
    started_at: Instant
    finished_at: Instant | None
    outcome: AttemptOutcome
    reason: str = Field(examples=["accepted", "webhook.timeout"])
    status: int | None
    receipt_sha256: str | None

    @classmethod
    def of(cls, attempt: Attempt) -> Self:
        """The view of one attempt."""
        return cls(
            attempt=attempt.attempt,
            started_at=attempt.started_at,
            finished_at=attempt.finished_at,
            outcome=attempt.outcome,
            reason=attempt.reason,
            status=attempt.status,
            receipt_sha256=digest(attempt.receipt.document) if attempt.receipt else None,
        )


class DeliverySummary(OpenWireModel):
    """A delivery without what it carries: bodies hold signed documents, and they are the receiver's."""

    event_id: OpaqueId
    destination: PartnerCode
    channel: ChannelKind
    type: str
    subject: OpaqueId = Field(description="The application")
    sequence: int
    position: int
    at: Instant
    state: DeliveryState
    attempts: int
    next_attempt_at: Instant | None
    settled_at: Instant | None
    last_reason: str | None
    unknown_since: Instant | None = Field(
        default=None, description="Since when it may have reached the receiver without an answer that says so"
    )
    history: list[AttemptView] = []
    record_id: str | None = None

    @classmethod
    def of(cls, view: DeliveryView, record_id: str | None = None) -> Self:
        """The summary of ``view``; ``record_id`` is that of the change just made, if any."""
        event = view.event
        return cls(
            event_id=event.event_id,
            destination=event.destination,
            channel=event.channel,
            type=event.type,
            subject=event.subject,
            sequence=event.sequence,
            position=event.position,
            at=event.at,
            state=view.state,
            attempts=view.attempts,
            next_attempt_at=view.next_attempt_at if view.state.under_way else None,
            settled_at=view.settled_at,
            last_reason=view.last_reason,
            unknown_since=view.unknown_since,
            history=[AttemptView.of(attempt) for attempt in view.history],
            record_id=record_id,
        )


class DeliveryList(OpenWireModel):
    """Deliveries, newest first. Ask again with ``before`` = ``cursor``, if there is one, for older ones."""

    deliveries: list[DeliverySummary]
    cursor: OpaqueId | None = None

    @classmethod
    def of(cls, page: DeliveryPage) -> Self:
        """The view of one page."""
        last = page.deliveries[-1].event.event_id if page.more else None
        return cls(deliveries=[DeliverySummary.of(view) for view in page.deliveries], cursor=last)
