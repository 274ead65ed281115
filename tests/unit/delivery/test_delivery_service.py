"""The feed and the operators' view, over both databases."""

from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.caller import Caller, Role
from gateway.delivery.destinations import untried
from gateway.delivery.errors import DeliveryUnknown, DestinationNotDisabled, NotReplayable
from gateway.delivery.ports import ChannelKind, ClaimRoom, DeliveryState, EventDraft, Receipt, ReplayReason, Settlement
from gateway.delivery.service import DeliveryService, ReplayedSince
from gateway.delivery.views import DeliverySummary, DestinationView, ReplayedSinceView
from gateway.records.entries import digest
from schemas.events import EventType
from tests.support.approvals import UTILITY, utility_caller
from tests.support.storage import NOON, SetClock, opened

SOURCE = "https://gateway.example"


@pytest.fixture
def transactions(database_url: str):
    with opened(database_url, SetClock()) as made:
        yield made


@pytest.fixture
def service(transactions) -> DeliveryService:
    return DeliveryService(transactions, SOURCE)


async def append(transactions, *names: str, destination: str = UTILITY) -> None:
    for name in names:
        draft = EventDraft(
            name, destination, ChannelKind.WEBHOOK, EventType.PERMIT_OUTCOME.value, "app_1", NOON, {"n": name}
        )
        await transactions.write(lambda tx, d=draft: tx.outbox.append(d))


async def settle(transactions, state: DeliveryState) -> None:
    def work(tx) -> None:
        (claim,) = tx.deliveries.claim("relay", NOON, NOON + timedelta(seconds=30), ClaimRoom(1, 1))
        receipt = Receipt("signed", False) if state is DeliveryState.DELIVERED else None
        settlement = Settlement(claim.event.event_id, claim.attempt, NOON, NOON, state, "said", 200, receipt)
        assert tx.deliveries.settle("relay", settlement)

    await transactions.write(work)


async def test_a_utility_reads_its_own_events_page_by_page(transactions, service: DeliveryService) -> None:
    await append(transactions, "e1", "e2", "e3")
    await append(transactions, "other", destination="csg-shenzhen")
    caller = utility_caller()
    first = await service.feed(caller, 0, 2)
    assert ([event.id for event in first.events], first.cursor, first.more) == (["e1", "e2"], 2, True)
    last = await service.feed(caller, first.cursor, 2)
    assert ([event.id for event in last.events], last.cursor, last.more) == (["e3"], 3, False)
    nothing = await service.feed(caller, last.cursor, 2)
    assert (nothing.events, nothing.cursor, nothing.more) == ([], 3, False)
    event = first.events[1]
    assert (event.source, event.sequence, event.time, event.data) == (SOURCE, 2, NOON, {"n": "e2"})
    stranger = Caller("nobody", Role.UTILITY, "t", frozenset())
    assert (await service.feed(stranger, 0, 10)).events == []


async def test_delivered_events_stay_in_the_feed(transactions, service: DeliveryService) -> None:
    await append(transactions, "e1")
    await settle(transactions, DeliveryState.DELIVERED)
    assert [event.id for event in (await service.feed(utility_caller(), 0, 10)).events] == ["e1"]


async def test_an_operator_sees_attempts_and_no_contents(transactions, service: DeliveryService) -> None:
    await append(transactions, "e1", "e2")
    await settle(transactions, DeliveryState.DELIVERED)
    summary = DeliverySummary.of(await service.find("e1"))
    assert (summary.state, summary.attempts, summary.sequence) == (DeliveryState.DELIVERED, 1, 1)
    (attempt,) = summary.history
    assert (attempt.reason, attempt.receipt_sha256) == ("said", digest("signed"))
    assert "data" not in summary.model_dump()
    pending = await service.list(None, DeliveryState.PENDING, 10)
    assert [view.event.event_id for view in pending.deliveries] == ["e2"]
    assert (await service.list("csg-shenzhen", None, 10)).deliveries == []
    with pytest.raises(DeliveryUnknown):
        await service.find("none")


async def test_a_replay_since_a_time_is_recorded_page_by_page(transactions, service: DeliveryService) -> None:
    await append(transactions, "e1", "e2", "e3")
    for _ in range(3):
        await settle(transactions, DeliveryState.DELIVERED)

    async def replay(after: int, since=NOON) -> ReplayedSince:
        reason = ReplayReason.RECEIVER_LOST_DATA
        return await service.replay_since(UTILITY, since, after, 2, reason, "operator", NOON)

    assert (await replay(0, NOON + timedelta(seconds=1))).record_id is None
    first = await replay(0)
    view = ReplayedSinceView.of(first)
    assert (view.replayed, view.cursor, view.more) == (["e1", "e2"], 2, True)
    assert (await replay(first.page.last_position)).page.event_ids == ["e3"]

    def recorded(tx) -> list[bytes]:
        return [entry.leaf for entry in tx.record_reader.of_subject(UTILITY, ["delivery.replayed_since"])]

    pages = await transactions.read(recorded)
    assert [b'"e1","e2"' in leaf for leaf in pages] == [True, False]
    assert all(b'"receiver_lost_data"' in leaf and b'"operator"' in leaf for leaf in pages)


async def test_destinations_show_what_waits_and_how_they_do(transactions, service: DeliveryService) -> None:
    await append(transactions, "e1", "e2")
    await settle(transactions, DeliveryState.DEAD)
    await append(transactions, "other", destination="csg-shenzhen")
    down = replace(untried("csg-zhuhai").failed(NOON, "webhook.timeout"), disabled_at=NOON)
    await transactions.write(lambda tx: tx.destinations.put(down))
    shown = {view.destination: view for view in (DestinationView.of(each) for each in await service.destinations())}
    assert (shown[UTILITY].pending, shown[UTILITY].dead, shown[UTILITY].disabled_at) == (1, 1, None)
    assert (shown["csg-shenzhen"].pending, shown["csg-shenzhen"].failing_since) == (1, None)
    zhuhai = shown["csg-zhuhai"]
    assert (zhuhai.pending, zhuhai.failing_since, zhuhai.disabled_at) == (0, NOON, NOON)
    assert zhuhai.last_reason == "webhook.timeout"


async def test_only_what_is_disabled_can_be_enabled(transactions, service: DeliveryService) -> None:
    with pytest.raises(DestinationNotDisabled):
        await service.enable(UTILITY, ReplayReason.RECEIVER_RESTORED, "operator", NOON)


@pytest.mark.parametrize("state", [DeliveryState.DELIVERED, DeliveryState.DEAD])
async def test_a_replay_is_recorded_with_who_and_why(transactions, service: DeliveryService, state) -> None:
    await append(transactions, "e1")
    with pytest.raises(NotReplayable):
        await service.replay("e1", ReplayReason.DRILL, "operator", NOON)
    await settle(transactions, state)
    replayed = await service.replay("e1", ReplayReason.RECEIVER_RESTORED, "operator", NOON)
    assert replayed.delivery.state is DeliveryState.PENDING
    with pytest.raises(DeliveryUnknown):
        await service.replay("none", ReplayReason.DRILL, "operator", NOON)

    def recorded(tx) -> list[bytes]:
        return [entry.leaf for entry in tx.record_reader.of_subject("app_1", ["delivery.replayed"])]

    (leaf,) = await transactions.read(recorded)
    for said in (b'"receiver_restored"', b'"operator"', b'"e1"', state.value.encode()):
        assert said in leaf
