"""Two processes that commit and deliver at once, over receivers that fail: never out of order, never two at once of one
application, and nothing is lost.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from adapters.storage.transactions import SqlTransactions
from gateway.delivery.backoff import Backoff
from gateway.delivery.errors import NotDelivered
from gateway.delivery.ports import (
    NO_TURN,
    AttemptOutcome,
    ChannelKind,
    DeliveryState,
    DeliveryView,
    Event,
    EventDraft,
    Receipt,
)
from gateway.delivery.relay import Relay, RelayLimits
from gateway.errors import Owner
from tests.support.storage import NOON, opened

PACE = 40
"""Seconds of the gateways' clock in one second of the test's."""
LIMITS = RelayLimits(
    in_flight=8,
    per_destination=3,
    lease=timedelta(seconds=120),
    wait=timedelta(seconds=10),
    idle=timedelta(milliseconds=20),
)
BACKOFF = Backoff(base=timedelta(seconds=1), ceiling=timedelta(seconds=4))
SUBJECTS, EVENTS, SLOW_S = 4, 60, 0.3
"""``SLOW_S`` is longer than ``LIMITS.wait`` by the gateways' clock."""
SEEDS = range(5)


def fast_clock() -> datetime:
    return NOON + timedelta(seconds=(time.monotonic() % 100_000) * PACE)


@dataclass
class Receivers:
    """Takes most events, fails some, loses some answers, and is slow at times."""

    chance: random.Random
    kind: bool = False
    taken: dict[str, list[int]] = field(default_factory=dict)
    under_way: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    async def send(self, event: Event, at: datetime) -> Receipt:
        taken = self.taken.setdefault(event.subject, [])
        self.under_way[event.subject] += 1
        if self.under_way[event.subject] > 1:
            self.wrong.append(f"{event.event_id}: two at once")
        if event.sequence > len(taken) + 1:
            self.wrong.append(f"{event.event_id} before {len(taken) + 1}")
        try:
            return await self._answered(event, taken)
        finally:
            self.under_way[event.subject] -= 1

    async def _answered(self, event: Event, taken: list[int]) -> Receipt:
        came = self.chance.random()
        await asyncio.sleep(SLOW_S if came > 0.97 and not self.kind else 0.004 * came)
        if came < 0.06 and not self.kind:
            raise self._failed(event, AttemptOutcome.DECLINED)
        duplicate = event.sequence in taken
        if not duplicate:
            taken.append(event.sequence)
        if came < 0.1 and not self.kind:
            raise self._failed(event, AttemptOutcome.UNKNOWN)
        return Receipt("a receipt", duplicate)

    def _failed(self, event: Event, outcome: AttemptOutcome) -> NotDelivered:
        return NotDelivered(
            check="webhook.failed", owner=Owner.CALLER, remedy="", partner=event.destination, outcome=outcome
        )

    async def find_receipt(self, event: Event, at: datetime) -> None:
        return None


async def _append(transactions: SqlTransactions, names: Sequence[tuple[str, str]]) -> None:
    def work(tx: object) -> None:
        for name, subject in names:
            draft = EventDraft(name, "utility", ChannelKind.WEBHOOK, "test", subject, fast_clock(), {"said": name})
            tx.outbox.append(draft)  # type: ignore[attr-defined]

    await transactions.write(work)


@pytest.mark.parametrize("seed", SEEDS)
async def test_in_order_one_at_a_time_and_all_of_them(database_url: str, seed: int) -> None:
    chance = random.Random(seed)
    receivers, stop = Receivers(random.Random(seed)), asyncio.Event()
    channels = {ChannelKind.WEBHOOK: receivers}
    with ExitStack() as stack:
        both = [stack.enter_context(opened(database_url, fast_clock)) for _ in range(2)]
        relays = [
            Relay(f"relay-{number}", transactions, channels, fast_clock, BACKOFF, LIMITS, random.Random(seed),
                  elapsed=lambda: fast_clock().timestamp())
            for number, transactions in enumerate(both)
        ]  # fmt: skip
        for transactions, relay in zip(both, relays, strict=True):
            transactions.hand_over_to(relay.hand_over)
        running = [asyncio.create_task(relay.run(stop)) for relay in relays]
        await asyncio.sleep(0.05)
        made = 0
        while made < EVENTS:
            some = range(made, made + chance.randint(1, 5))
            names = [(f"event-{number:03}", f"app-{chance.randrange(SUBJECTS)}") for number in some]
            await _append(both[chance.randrange(2)], names)
            made = some.stop
            if chance.random() < 0.5:
                await asyncio.sleep(0.02 * chance.random())
        receivers.kind = chance.random() < 0.5
        views = await _all_delivered(both[0], made)
        stop.set()
        await asyncio.gather(*running)
    assert receivers.wrong == []
    for subject, taken in receivers.taken.items():
        assert taken == sorted(taken), subject
    assert sum(map(len, receivers.taken.values())) == made
    print(f"{made} events, {sum(relay.looks for relay in relays)} looks, {_put_back(views)} put back")


async def _all_delivered(transactions: SqlTransactions, made: int) -> Sequence[DeliveryView]:
    async with asyncio.timeout(60):
        while True:
            views = await transactions.read(lambda tx: tx.deliveries.list(None, None, 1000))
            if len(views) == made and all(view.state is DeliveryState.DELIVERED for view in views):
                break
            await asyncio.sleep(0.02)
    found = [await transactions.read(lambda tx, name=view.event.event_id: tx.deliveries.find(name)) for view in views]
    for view in found:
        assert [each.outcome for each in view.history][-1] is AttemptOutcome.RECEIPTED
        assert sum(each.outcome is AttemptOutcome.RECEIPTED for each in view.history) == 1
        assert all(each.outcome is AttemptOutcome.NOT_SENT for each in view.history if each.reason == NO_TURN)
    return found


def _put_back(views: Sequence[DeliveryView]) -> int:
    return sum(each.reason == NO_TURN for view in views for each in view.history)
