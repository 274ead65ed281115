"""What receivers and operators may see and do about deliveries: the pull feed, the list, replay."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.caller import Caller
from gateway.delivery.cloud_events import cloud_event
from gateway.delivery.destinations import Destination, untried
from gateway.delivery.errors import DeliveryErased, DeliveryUnknown, DestinationNotDisabled, NotReplayable
from gateway.delivery.ports import DeliveryState, DeliveryView, RelayTransaction, ReplayedPage, ReplayReason
from gateway.errors import Owner
from gateway.records.entries import Fact, RecordEntry
from gateway.transaction import Transactions
from schemas.events import CloudEvent
from schemas.partner_api import EventPage
from schemas.wire import format_instant


@dataclass(frozen=True)
class Replayed:
    """The delivery as it stands after a replay, and the replay's entry in the record."""

    delivery: DeliveryView
    record_id: str


@dataclass(frozen=True)
class ReplayedSince:
    """A page of replayed events, and its entry in the record; none where there was nothing to replay."""

    page: ReplayedPage
    record_id: str | None


@dataclass(frozen=True)
class DeliveryPage:
    """Deliveries as listed; ``more`` of them come after the last one."""

    deliveries: Sequence[DeliveryView]
    more: bool


@dataclass(frozen=True)
class DestinationState:
    """A receiver with what waits for it, and how it does. ``unknown`` are among the ``pending``."""

    destination: Destination
    pending: int
    unknown: int
    dead: int


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

    async def list(
        self, destination: str | None, state: DeliveryState | None, limit: int, before: str | None = None
    ) -> DeliveryPage:
        """At most ``limit`` deliveries, newest first, without their attempts: those after the event ``before``."""
        found = await self._transactions.read(lambda tx: tx.deliveries.list(destination, state, limit + 1, before))
        return DeliveryPage(found[:limit], len(found) > limit)

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

    async def replay_since(
        self, destination: str, since: datetime, after: int, limit: int, reason: ReplayReason, actor: str, at: datetime
    ) -> ReplayedSince:
        """Send a receiver's events of ``since`` or later again, one page of at most ``limit``; recorded page by page.

        Those under way or erased are passed over. The next page is the one ``after`` this one's last position.
        """

        def work(tx: RelayTransaction) -> ReplayedSince:
            page = tx.deliveries.replay_since(destination, since, after, limit, at)
            if not page.event_ids:
                return ReplayedSince(page, None)
            facts: dict[str, Fact] = {
                "destination": destination,
                "since": format_instant(since),
                "events": list(page.event_ids),
                "reason": reason.value,
            }
            entry = RecordEntry("delivery.replayed_since", at, actor, destination, facts=facts)
            return ReplayedSince(page, tx.records.append(entry))

        return await self._transactions.write(work)

    async def destinations(self) -> Sequence[DestinationState]:
        """Every receiver for which something waits or is dead, or that fails or is disabled, by code."""

        def work(tx: RelayTransaction) -> list[DestinationState]:
            backlog, noted = tx.deliveries.backlog(), {each.code: each for each in tx.destinations.list()}
            return [
                DestinationState(
                    noted.get(code, untried(code)),
                    backlog.pending.get(code, 0),
                    backlog.unknown.get(code, 0),
                    backlog.dead.get(code, 0),
                )
                for code in sorted({*noted, *backlog.pending, *backlog.dead})
            ]

        return await self._transactions.read(work)

    async def enable(self, destination: str, reason: ReplayReason, actor: str, at: datetime) -> str:
        """Send to a disabled receiver again, at once; answers the record's id. Raises ``DestinationNotDisabled``."""

        def work(tx: RelayTransaction) -> str:
            if not tx.destinations.enable(destination):
                raise DestinationNotDisabled(
                    check="delivery.destination_not_disabled", owner=Owner.CALLER, remedy="该单位未被停用，无需启用。"
                )
            waiting = tx.deliveries.hasten(destination, at)
            facts: dict[str, Fact] = {"destination": destination, "events_waiting": waiting, "reason": reason.value}
            entry = RecordEntry("delivery.destination_enabled", at, actor, destination, facts=facts)
            return tx.records.append(entry)

        return await self._transactions.write(work)


def _known(view: DeliveryView | None) -> DeliveryView:
    if view is None:
        raise DeliveryUnknown(check="delivery.unknown", owner=Owner.CALLER, remedy="请核对事件编号。")
    return view
