"""What operators send and see of deliveries (/v1/operator/deliveries)."""

from typing import Self

from pydantic import Field

from gateway.delivery.ports import ChannelKind, DeliveryState, DeliveryView, ReplayReason, Settlement
from gateway.records.entries import digest
from schemas.wire import Instant, OpaqueId, OpenWireModel, PartnerCode, WireModel


class ReplayOrder(WireModel):
    """``POST /v1/operator/deliveries/{event_id}/replay``."""

    reason: ReplayReason


class AttemptView(OpenWireModel):
    """One attempt. ``receipt_sha256`` refers to the receiver's signed receipt."""

    attempt: int
    started_at: Instant
    finished_at: Instant
    state: DeliveryState
    reason: str = Field(examples=["accepted", "webhook.timeout"])
    status: int | None
    receipt_sha256: str | None

    @classmethod
    def of(cls, settlement: Settlement) -> Self:
        """The view of one settled attempt."""
        return cls(
            attempt=settlement.attempt,
            started_at=settlement.started_at,
            finished_at=settlement.finished_at,
            state=settlement.state,
            reason=settlement.reason,
            status=settlement.status,
            receipt_sha256=digest(settlement.receipt.document) if settlement.receipt else None,
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
    history: list[AttemptView] = []
    record_id: str | None = None

    @classmethod
    def of(cls, view: DeliveryView, record_id: str | None = None) -> Self:
        """The summary of ``view``; ``record_id`` is that of the change just made, if any."""
        event = view.event
        pending = view.state is DeliveryState.PENDING
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
            next_attempt_at=view.next_attempt_at if pending else None,
            settled_at=view.settled_at,
            last_reason=view.last_reason,
            history=[AttemptView.of(settlement) for settlement in view.history],
            record_id=record_id,
        )


class DeliveryList(OpenWireModel):
    """The latest deliveries, newest first."""

    deliveries: list[DeliverySummary]
