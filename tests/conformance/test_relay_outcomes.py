"""The relay with receivers that hang, refuse or lose answers, and clocks that jump; on both databases."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import orjson
import pytest
from structlog.testing import capture_logs

from adapters.storage.records import record_unavailable
from adapters.storage.transactions import SqlTransactions
from gateway.delivery.backoff import Backoff
from gateway.delivery.breaker import BreakerPolicy
from gateway.delivery.errors import DeliveryRefused, NotDelivered
from gateway.delivery.ports import (
    AttemptOutcome,
    ChannelKind,
    DeliveryState,
    DeliveryView,
    Event,
    EventDraft,
    Receipt,
    ReplayReason,
)
from gateway.delivery.relay import Relay, RelayLimits
from gateway.delivery.service import DeliveryService
from gateway.errors import Owner
from gateway.metrics import GatewayMetrics
from tests.support.storage import SetClock, opened

BACKOFF = Backoff(base=timedelta(seconds=1), ceiling=timedelta(seconds=8), give_up_after=timedelta(minutes=30))
LIMITS = RelayLimits(in_flight=12, per_destination=4, disable_after=timedelta(minutes=20))
Behave = Callable[[Event], Awaitable[Receipt]]


async def takes(event: Event) -> Receipt:
    return Receipt(f"receipt of {event.event_id}", False)


async def hangs(_event: Event) -> Receipt:
    await asyncio.Event().wait()
    raise AssertionError


def failing(outcome: AttemptOutcome, owner: Owner = Owner.CALLER) -> Behave:
    async def fail(event: Event) -> Receipt:
        raise NotDelivered(check="webhook.down", owner=owner, remedy="…", partner=event.destination, outcome=outcome)

    return fail


async def refuses(event: Event) -> Receipt:
    raise DeliveryRefused(check="webhook.status_422", owner=Owner.CALLER, remedy="…", partner=event.destination)


@dataclass
class Receivers:
    """A ``Channel`` whose destinations behave as they are told; ``held`` are the receipts they can be asked for."""

    behave: dict[str, Behave] = field(default_factory=dict)
    sent: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    held: dict[str, Receipt] = field(default_factory=dict)
    in_flight: Counter[str] = field(default_factory=Counter)
    most: Counter[str] = field(default_factory=Counter)

    async def send(self, event: Event, at: datetime) -> Receipt:
        self.sent.append(event.event_id)
        self.in_flight[event.destination] += 1
        self.most[event.destination] = max(self.most[event.destination], self.in_flight[event.destination])
        try:
            return await self.behave.get(event.destination, takes)(event)
        finally:
            self.in_flight[event.destination] -= 1

    async def find_receipt(self, event: Event, at: datetime) -> Receipt | None:
        self.asked.append(event.event_id)
        return self.held.get(event.event_id)


@dataclass
class Database:
    """The real one, which counts units of work and may be away."""

    real: SqlTransactions
    writes: int = 0
    away: bool = False

    async def write(self, work: Callable[[Any], Any]) -> Any:
        if self.away:
            raise record_unavailable("not_written")
        self.writes += 1
        return await self.real.write(work)

    async def read(self, work: Callable[[Any], Any]) -> Any:
        return await self.real.read(work)


@dataclass
class Scene:
    """A relay over receivers that do as they are told, and clocks that stand still until they are moved."""

    database: Database
    clock: SetClock
    receivers: Receivers = field(default_factory=Receivers)
    elapsed: float = 0.0

    def relay(self, name: str = "relay", limits: RelayLimits = LIMITS, failures: int = 3) -> Relay:
        return Relay(
            name,
            self.database,
            {ChannelKind.WEBHOOK: self.receivers},
            self.clock,
            BACKOFF,
            limits,
            random.Random(name),
            watch=self.metrics,
            breakers=BreakerPolicy(failures=failures),
            elapsed=lambda: self.elapsed,
        )

    def __post_init__(self) -> None:
        self.metrics = GatewayMetrics(self.database.real, self.clock)

    def advance(self, **by: float) -> None:
        self.clock.advance(**by)
        self.elapsed += timedelta(**by).total_seconds()

    async def append(self, destination: str, count: int, subject: str | None = None) -> list[str]:
        names = [f"{destination}-{subject or n}-{n}" for n in range(1, count + 1)]
        drafts = [
            EventDraft(name, destination, ChannelKind.WEBHOOK, "t", subject or name, self.clock(), {}) for name in names
        ]
        await self.database.real.write(lambda tx: [tx.outbox.append(draft) for draft in drafts])
        return names

    async def view(self, event_id: str) -> DeliveryView:
        found: DeliveryView = await self.database.read(lambda tx: tx.deliveries.find(event_id))
        return found

    async def states(self, destination: str) -> Counter[DeliveryState]:
        views = await self.database.read(lambda tx: tx.deliveries.list(destination, None, 1000))
        return Counter(view.state for view in views)

    async def passes(self, relay: Relay) -> int:
        """Claim and finish until nothing is left that is due."""
        total = 0
        while claimed := await relay.pass_once():
            total += claimed
            await relay.drain()
        return total

    async def actions(self) -> Counter[str]:
        def read(tx: Any) -> list[str]:
            reader = tx.record_reader
            return [orjson.loads(e.leaf)["action"] for log in reader.log_ids() for e in reader.entries(log)]

        return Counter(await self.database.read(read))


@pytest.fixture
async def scene(database_url: str) -> AsyncIterator[Scene]:
    clock = SetClock()
    with opened(database_url, clock) as transactions:
        yield Scene(Database(transactions), clock)


async def test_a_lost_answer_is_asked_for_and_nothing_is_sent_twice(scene: Scene) -> None:
    (name,) = await scene.append("csg", 1)
    relay = scene.relay()
    scene.receivers.behave["csg"] = failing(AttemptOutcome.UNKNOWN)
    await scene.passes(relay)
    assert (await scene.view(name)).state is DeliveryState.UNKNOWN
    scene.receivers.held[name] = Receipt("found later", False)
    scene.advance(seconds=10)
    await scene.passes(relay)
    view = await scene.view(name)
    assert (view.state, view.last_reason) == (DeliveryState.DELIVERED, "found")
    assert [attempt.outcome for attempt in view.history] == [AttemptOutcome.UNKNOWN, AttemptOutcome.RECEIPTED]
    assert (scene.receivers.sent, scene.receivers.asked) == ([name], [name])
    assert await scene.actions() == {"delivery.receipted": 1}


@pytest.mark.parametrize("later", [AttemptOutcome.NOT_SENT, AttemptOutcome.DECLINED])
async def test_what_is_unknown_stays_so_until_a_receipt_tells(scene: Scene, later: AttemptOutcome) -> None:
    (name,) = await scene.append("csg", 1)
    relay = scene.relay(failures=10)
    states = []
    for outcome in (AttemptOutcome.NOT_SENT, AttemptOutcome.UNKNOWN, later):
        scene.receivers.behave["csg"] = failing(outcome)
        await scene.passes(relay)
        states.append((await scene.view(name)).state)
        scene.advance(seconds=20)
    assert states == [DeliveryState.PENDING, DeliveryState.UNKNOWN, DeliveryState.UNKNOWN]
    assert scene.receivers.asked == [name]
    del scene.receivers.behave["csg"]
    await scene.passes(relay)
    view = await scene.view(name)
    assert (view.state, len(view.history)) == (DeliveryState.DELIVERED, 4)


async def test_one_dead_utility_slows_nobody(scene: Scene) -> None:
    dead = await scene.append("dead", 30)
    alive = await scene.append("alive", 30)
    scene.receivers.behave["dead"] = hangs
    relay, stop = scene.relay(), asyncio.Event()
    running = asyncio.create_task(relay.run(stop))
    async with asyncio.timeout(30):
        while (await scene.states("alive"))[DeliveryState.DELIVERED] < len(alive):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    assert scene.receivers.most["dead"] == scene.receivers.in_flight["dead"] == LIMITS.per_destination
    assert len([name for name in scene.receivers.sent if name in dead]) == LIMITS.per_destination
    assert await scene.states("dead") == {DeliveryState.PENDING: 30}
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    for task in list(relay._tasks):
        task.cancel()
    await relay.drain()


async def test_after_failures_in_a_row_only_a_probe_goes_until_one_is_taken(scene: Scene) -> None:
    await scene.append("csg", 8)
    scene.receivers.behave["csg"] = failing(AttemptOutcome.NOT_SENT)
    relay = scene.relay()
    assert await relay.pass_once() == LIMITS.per_destination
    await relay.drain()
    assert await scene.passes(relay) == 0, "it is open: nothing is claimed, though four events were never tried"
    shown = (await scene.metrics.exposition()).decode()
    assert 'bandian_breaker_open{destination="csg"} 1.0' in shown
    scene.advance(seconds=3)
    assert await scene.passes(relay) == 1
    scene.advance(seconds=3)
    assert await scene.passes(relay) == 0, "the wait is twice as long now"
    scene.advance(seconds=3)
    del scene.receivers.behave["csg"]
    await scene.passes(relay)
    scene.advance(seconds=10)
    await scene.passes(relay)
    assert await scene.states("csg") == {DeliveryState.DELIVERED: 8}
    shown = (await scene.metrics.exposition()).decode()
    assert 'bandian_breaker_open{destination="csg"} 0.0' in shown


async def test_a_refusal_for_good_is_no_failure_of_the_receiver(scene: Scene) -> None:
    await scene.append("csg", 8)
    scene.receivers.behave["csg"] = refuses
    await scene.passes(scene.relay())
    assert await scene.states("csg") == {DeliveryState.DEAD: 8}
    assert await scene.database.read(lambda tx: tx.destinations.list()) == []


async def test_a_receiver_that_only_fails_is_disabled_loudly_and_its_events_wait_until_it_is_enabled(
    scene: Scene,
) -> None:
    names = await scene.append("csg", 2)
    scene.receivers.behave["csg"] = failing(AttemptOutcome.NOT_SENT)
    relay = scene.relay()
    with capture_logs() as logs:
        for _ in range(8):
            await scene.passes(relay)
            scene.advance(minutes=4)
    (alert,) = [line for line in logs if line["event"] == "delivery.destination_disabled"]
    assert (alert["log_level"], alert["destination"], alert["reason"]) == ("error", "csg", "webhook.down")
    tried = len(scene.receivers.sent)
    scene.advance(days=90)
    assert await scene.passes(relay) == 0
    assert await scene.states("csg") == {DeliveryState.PENDING: 2}
    assert 'bandian_destinations_disabled{destination="csg"} 1.0' in (await scene.metrics.exposition()).decode()
    service = DeliveryService(scene.database.real, "https://gateway.example")
    (state,) = await service.destinations()
    assert (state.destination.code, state.pending, state.destination.disabled_at is not None) == ("csg", 2, True)
    del scene.receivers.behave["csg"]
    await service.enable("csg", ReplayReason.RECEIVER_RESTORED, "operator", scene.clock())
    await scene.passes(scene.relay("another"))
    assert await scene.states("csg") == {DeliveryState.DELIVERED: 2}
    assert len(scene.receivers.sent) == tried + 2
    actions = await scene.actions()
    assert (actions["delivery.destination_disabled"], actions["delivery.destination_enabled"]) == (1, 1)
    assert (await service.find(names[0])).last_reason == "accepted"


async def test_what_is_the_gateways_to_mend_disables_no_receiver(scene: Scene) -> None:
    await scene.append("csg", 2)
    scene.receivers.behave["csg"] = failing(AttemptOutcome.NOT_SENT, Owner.GATEWAY)
    relay = scene.relay()
    for _ in range(8):
        await scene.passes(relay)
        scene.advance(minutes=4)
    assert await scene.states("csg") == {DeliveryState.PENDING: 2}
    assert all(each.disabled_at is None for each in await scene.database.read(lambda tx: tx.destinations.list()))


async def test_a_clock_that_jumps_forward_gives_nothing_up_and_bursts_nothing(scene: Scene) -> None:
    await scene.append("csg", 10)
    scene.receivers.behave["csg"] = failing(AttemptOutcome.NOT_SENT)
    relay = scene.relay(failures=1000, limits=replace(LIMITS, disable_after=timedelta(hours=1)))
    for days in (0, 1, 4000, 40):
        scene.clock.advance(days=days)
        assert await relay.pass_once() == LIMITS.per_destination
        await relay.drain()
        await scene.passes(relay)
    assert await scene.states("csg") == {DeliveryState.PENDING: 10}
    assert all(each.disabled_at is None for each in await scene.database.read(lambda tx: tx.destinations.list()))
    del scene.receivers.behave["csg"]
    scene.advance(seconds=10)
    await scene.passes(relay)
    assert await scene.states("csg") == {DeliveryState.DELIVERED: 10}


async def test_a_clock_that_jumps_back_stalls_nothing(scene: Scene) -> None:
    await scene.append("csg", 3)
    scene.receivers.behave["csg"] = failing(AttemptOutcome.NOT_SENT)
    relay = scene.relay(failures=1000)
    await scene.passes(relay)
    new = await scene.append("other", 1)
    scene.clock.advance(days=-400)
    del scene.receivers.behave["csg"]
    await scene.passes(relay)
    assert await scene.states("csg") == {DeliveryState.DELIVERED: 3}
    assert (await scene.view(new[0])).state is DeliveryState.DELIVERED


async def test_a_relay_does_not_send_again_what_it_is_sending_when_the_clock_jumps(scene: Scene) -> None:
    (name,) = await scene.append("csg", 1)
    answer = asyncio.Event()

    async def slow(event: Event) -> Receipt:
        await answer.wait()
        return await takes(event)

    scene.receivers.behave["csg"] = slow
    relay = scene.relay()
    assert await relay.pass_once() == 1
    for days in (1, -2):
        scene.clock.advance(days=days)
        assert await relay.pass_once() == 0
    answer.set()
    await relay.drain()
    view = await scene.view(name)
    assert (view.state, view.attempts, scene.receivers.sent) == (DeliveryState.DELIVERED, 1, [name])


async def test_an_event_that_alone_keeps_failing_is_given_up_in_the_end(scene: Scene) -> None:
    (bad,) = await scene.append("csg", 1, "bad")
    relay = scene.relay(failures=1000)

    async def all_but_one(event: Event) -> Receipt:
        return await (failing(AttemptOutcome.DECLINED) if event.event_id == bad else takes)(event)

    scene.receivers.behave["csg"] = all_but_one
    for minute in range(0, 40, 4):
        await scene.append("csg", 1, f"good{minute}")
        await scene.passes(relay)
        scene.advance(minutes=4)
    view = await scene.view(bad)
    assert (view.state, view.last_reason) == (DeliveryState.DEAD, "webhook.down")
    assert view.attempts == 9
    assert (await scene.actions())["delivery.dead"] == 1


async def test_sends_that_end_together_are_settled_together(scene: Scene) -> None:
    await scene.append("csg", 12)
    together = asyncio.Event()

    async def all_at_once(event: Event) -> Receipt:
        await together.wait()
        return await takes(event)

    scene.receivers.behave["csg"] = all_at_once
    relay = scene.relay(limits=RelayLimits(in_flight=12, per_destination=12))
    assert await relay.pass_once() == 12
    claimed_with = scene.database.writes
    together.set()
    await relay.drain()
    assert await scene.states("csg") == {DeliveryState.DELIVERED: 12}
    assert claimed_with == 1
    assert scene.database.writes - claimed_with <= 3


async def test_while_the_database_is_away_nothing_is_lost_and_no_restart_is_needed(scene: Scene) -> None:
    names = await scene.append("csg", 4, "app")
    answer = asyncio.Event()

    async def when_told(event: Event) -> Receipt:
        await answer.wait()
        return await takes(event)

    scene.receivers.behave["csg"] = when_told
    relay = scene.relay()
    assert await relay.pass_once() == 1
    scene.database.away = True
    answer.set()
    await relay.drain()
    with pytest.raises(Exception, match="not_written"):
        await relay.pass_once()
    scene.database.away = False
    assert await scene.passes(relay) == 0, "the lease still runs"
    scene.advance(seconds=31)
    scene.receivers.held[names[0]] = Receipt("asked for", False)
    assert await scene.passes(relay) == 4
    assert await scene.states("csg") == {DeliveryState.DELIVERED: 4}
    assert scene.receivers.sent == names
    assert 'bandian_lease_takeovers_total{destination="csg"} 1.0' in (await scene.metrics.exposition()).decode()
