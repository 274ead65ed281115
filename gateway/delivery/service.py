"""What receivers and operators may see and do about deliveries: the pull feed, the list, replay."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.caller import Caller
from gateway.delivery.cloud_events import cloud_event
from gateway.delivery.errors import DeliveryErased, DeliveryUnknown, NotReplayable
from gateway.delivery.ports import DeliveryState, DeliveryView, RelayTransaction, ReplayReason
from gateway.errors import Owner
from gateway.records.entries import RecordEntry
from gateway.transaction import Transactions
from schemas.events import CloudEvent
from schemas.partner_api import EventPage


@dataclass(frozen=True)
class Replayed:
    """The delivery as it stands after a replay, and the replay's entry in the record."""

    delivery: DeliveryView
    record_id: str


class DeliveryService:
    """Reads the committed events. ``source`` is the gateway's issuer."""

    def __init__(self, transactions: Transactions[RelayTransaction], source: str) -> None:
        self._transactions = transactions
        self._source = source

    async def feed(self, caller: Caller, after: int, limit: int) -> EventPage:
        """The caller's own events beyond position ``after``, in order, whether they were delivered by webhook or not.

        An event never appears behind a position that the feed has passed.
        """
        events = await self._transactions.read(lambda tx: tx.deliveries.feed(caller.partner_code, after, limit + 1))
        page = events[:limit]
        return EventPage(
            events=[CloudEvent.model_validate(cloud_event(event, self._source)) for event in page],
            cursor=page[-1].position if page else after,
            more=len(events) > limit,
        )

    async def list(self, destination: str | None, state: DeliveryState | None, limit: int) -> Sequence[DeliveryView]:
        """The latest deliveries, newest first, without their attempts."""
        return await self._transactions.read(lambda tx: tx.deliveries.list(destination, state, limit))

    async def find(self, event_id: str) -> DeliveryView:
        """One delivery with its attempts. Raises ``DeliveryUnknown``."""
        return _known(await self._transactions.read(lambda tx: tx.deliveries.find(event_id)))

    async def replay(self, event_id: str, reason: ReplayReason, actor: str, at: datetime) -> Replayed:
        """Send a delivered or dead event again; the receiver knows it by its id. Recorded.

        Raises ``DeliveryUnknown``, ``DeliveryErased``, or ``NotReplayable`` while it is still under way.
        """

        def work(tx: RelayTransaction) -> Replayed:
            before = _known(tx.deliveries.find(event_id))
            if before.event.erased:
                raise DeliveryErased(
                    check="delivery.erased", owner=Owner.GATEWAY, remedy="内容已不在本平台；请向接收方或部门另行取得。"
                )
            if not tx.deliveries.replay(event_id, at):
                raise NotReplayable(check="delivery.under_way", owner=Owner.CALLER, remedy="事件仍在送达中，无需重放。")
            record_id = tx.records.append(
                RecordEntry(
                    "delivery.replayed",
                    at,
                    actor,
                    before.event.subject,
                    facts={
                        "event": event_id,
                        "destination": before.event.destination,
                        "state_before": before.state.value,
                        "attempts_before": before.attempts,
                        "reason": reason.value,
                    },
                )
            )
            return Replayed(_known(tx.deliveries.find(event_id)), record_id)

        return await self._transactions.write(work)


def _known(view: DeliveryView | None) -> DeliveryView:
    if view is None:
        raise DeliveryUnknown(check="delivery.unknown", owner=Owner.CALLER, remedy="请核对事件编号。")
    return view
