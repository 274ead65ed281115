"""The relay with a real webhook receiver that fails in every way, over both databases: all arrive, in order, once."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

import orjson
import pytest
from aiohttp import web

from adapters.channels.posting import Outgoing
from adapters.channels.webhook import WebhookChannel
from adapters.storage.transactions import SqlTransactions
from gateway.caller import Role
from gateway.delivery.backoff import Backoff
from gateway.delivery.ports import LEASE_LAPSED, NO_TURN, AttemptOutcome, ChannelKind, DeliveryState, EventDraft
from gateway.delivery.relay import Relay, RelayLimits
from gateway.partners.model import KeyUse
from schemas.events import EventType
from tests.support.approvals import UTILITY, FixedDirectory
from tests.support.partners import ISSUER, ed25519_key, es256_key
from tests.support.receivers import Received, Receiver, UtilityBehaviour, answering, receiver, reset
from tests.support.storage import NOON, opened

PACE = 50
"""Seconds of the gateway's clock in one second of the test's."""
BACKOFF = Backoff(base=timedelta(seconds=1), ceiling=timedelta(seconds=4))
LIMITS = RelayLimits(per_destination=8, lease=timedelta(seconds=60), idle=timedelta(milliseconds=5))


class FastClock:
    """Runs ``PACE`` times as fast, from noon."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def __call__(self) -> datetime:
        return NOON + timedelta(seconds=(time.monotonic() - self._began) * PACE)


@dataclass
class Scene:
    """A utility behind a real receiver, and everything a relay needs."""

    transactions: SqlTransactions
    clock: FastClock
    channel: WebhookChannel
    receiver: Receiver
    utility: UtilityBehaviour

    def relay(self, name: str) -> Relay:
        channels = {ChannelKind.WEBHOOK: self.channel}
        return Relay(
            name,
            self.transactions,
            channels,
            self.clock,
            BACKOFF,
            LIMITS,
            random.Random(name),
            elapsed=lambda: self.clock().timestamp(),
        )

    async def append(self, applications: int, events: int) -> list[str]:
        names = [f"app{a}-{n}" for n in range(1, events + 1) for a in range(applications)]
        for name in names:
            subject = name.partition("-")[0]
            draft = EventDraft(
                name, UTILITY, ChannelKind.WEBHOOK, EventType.PERMIT_OUTCOME.value, subject, self.clock(), {"n": name}
            )
            await self.transactions.write(lambda tx, d=draft: tx.outbox.append(d))
        return names

    async def states(self) -> list[DeliveryState]:
        views = await self.transactions.read(lambda tx: tx.deliveries.list(UTILITY, None, 1000))
        return [view.state for view in views]

    async def all_settled(self) -> bool:
        return not any(state.under_way for state in await self.states())

    def check_arrivals(self, names: list[str]) -> None:
        """Every event is held, once, and those of an application took effect in the order of their sequence."""
        assert sorted(self.utility.held) == sorted(names)
        for subject in {name.partition("-")[0] for name in names}:
            sequences = [event["sequence"] for event in self.utility.held.values() if event["subject"] == subject]
            assert sequences == list(range(1, len(sequences) + 1))


@asynccontextmanager
async def scene_over(database_url: str) -> AsyncIterator[Scene]:
    clock, directory = FastClock(), FixedDirectory()
    utility = UtilityBehaviour(UTILITY, es256_key("receipts-1"), NOON.timestamp)
    directory.add(UTILITY, Role.UTILITY, "440100")
    directory.add_key(UTILITY, utility.key, KeyUse.RECEIPT)
    async with receiver(utility.take) as receiving, Outgoing(timedelta(seconds=2)) as outgoing:
        directory.set_endpoint(UTILITY, "webhook", receiving.url)
        key = ed25519_key("g")
        channel = WebhookChannel(
            outgoing, directory, ISSUER, lambda: key, lambda _: (), insecure_hosts=frozenset({"127.0.0.1"})
        )
        with opened(database_url, clock) as transactions:
            yield Scene(transactions, clock, channel, receiving, utility)


@pytest.fixture
async def scene(database_url: str) -> AsyncIterator[Scene]:
    async with scene_over(database_url) as made:
        yield made


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(30):
        while not await holds():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


@asynccontextmanager
async def running(*relays: Relay) -> AsyncIterator[None]:
    stop = asyncio.Event()
    tasks = [asyncio.create_task(relay.run(stop)) for relay in relays]
    try:
        yield
    finally:
        stop.set()
        await asyncio.gather(*tasks)


def failing(utility: UtilityBehaviour, share: float, seed: int) -> Callable[[Received], Awaitable[web.StreamResponse]]:
    """Take a share of what comes; fail the rest in turn by 503, 429, reset, or by losing the answer to a success."""
    chance = random.Random(seed)

    async def behave(got: Received) -> web.StreamResponse:
        if chance.random() < share:
            return await utility.take(got)
        match chance.randrange(4):
            case 0:
                return await answering(503)(got)
            case 1:
                return await answering(429, Retry_After="1")(got)
            case 2:
                return await reset(got)
            case _:
                await utility.take(got)
                return await reset(got)

    return behave


async def test_through_every_failure_each_outcome_arrives_in_order_and_once_in_effect(scene: Scene) -> None:
    names = await scene.append(applications=5, events=4)
    scene.receiver.behave = answering(503)
    async with running(scene.relay("one"), scene.relay("two")):
        await until(lambda: _at_least(scene, 15))
        scene.receiver.behave = failing(scene.utility, 0.4, seed=7)
        await until(lambda: _held(scene, 10))
        scene.receiver.behave = scene.utility.take
        await until(scene.all_settled)
    assert set(await scene.states()) == {DeliveryState.DELIVERED}
    scene.check_arrivals(names)
    assert len(scene.utility.arrivals) > len(names), "no answer was lost, so nothing was proved about duplicates"
    actions = await scene.transactions.read(_actions)
    assert actions == ["delivery.receipted"] * len(names)


async def test_a_killed_relays_event_is_taken_over_after_its_lease(scene: Scene) -> None:
    names = await scene.append(applications=1, events=2)
    reached = asyncio.Event()

    async def take_and_hold(got: Received) -> web.StreamResponse:
        answer = await scene.utility.take(got)
        reached.set()
        await asyncio.sleep(30)
        return answer

    scene.receiver.behave = take_and_hold
    before = asyncio.all_tasks()
    victim = asyncio.create_task(scene.relay("victim").run(asyncio.Event()))
    await asyncio.wait_for(reached.wait(), 10)
    victim_tasks = asyncio.all_tasks() - before
    for task in {victim, *(task for task in victim_tasks if "_deliver" in str(task.get_coro()))}:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    killed_at = scene.clock()
    scene.receiver.behave = scene.utility.take
    async with running(scene.relay("heir")):
        await until(scene.all_settled)
    scene.check_arrivals(names)
    view = await scene.transactions.read(lambda tx: tx.deliveries.find(names[0]))
    assert view is not None
    *put_back, lost, attempt = view.history
    assert {each.reason for each in put_back} <= {NO_TURN}, "on a busy machine it may have lost its turn before"
    assert (view.attempts, view.last_reason) == (len(view.history), "duplicate")
    assert (lost.outcome, lost.reason) == (AttemptOutcome.UNKNOWN, LEASE_LAPSED)
    assert attempt.started_at > killed_at
    assert attempt.started_at - NOON >= LIMITS.lease


async def test_what_the_receiver_refuses_for_good_is_a_dead_letter_that_can_be_replayed(scene: Scene) -> None:
    names = await scene.append(applications=1, events=2)

    async def refuse_first(got: Received) -> web.StreamResponse:
        if got.headers["webhook-id"] == names[0]:
            return await answering(422)(got)
        return await scene.utility.take(got)

    scene.receiver.behave = refuse_first
    async with running(scene.relay("one")):
        await until(scene.all_settled)
        assert sorted(await scene.states()) == [DeliveryState.DEAD, DeliveryState.DELIVERED]
        scene.receiver.behave = scene.utility.take
        await scene.transactions.write(lambda tx: tx.deliveries.replay(names[0], scene.clock()))
        await until(scene.all_settled)
    assert set(await scene.states()) == {DeliveryState.DELIVERED}
    assert set(scene.utility.held) == set(names)


async def _at_least(scene: Scene, requests: int) -> bool:
    return len(scene.receiver.received) >= requests


async def _held(scene: Scene, events: int) -> bool:
    return len(scene.utility.held) >= events


def _actions(tx) -> list[str]:
    reader = tx.record_reader
    return [orjson.loads(e.leaf)["action"] for log in reader.log_ids() for e in reader.entries(log)]
