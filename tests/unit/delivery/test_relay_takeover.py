"""A relay that was so slow that another took its event over must not record what it no longer holds the lease of."""

import asyncio
import random
from datetime import datetime

import orjson
import pytest
from structlog.testing import capture_logs

from gateway.delivery import settling
from gateway.delivery.backoff import Backoff
from gateway.delivery.ports import ChannelKind, DeliveryState, Event, EventDraft, Receipt
from gateway.delivery.relay import Relay
from gateway.delivery.settling import Finished
from gateway.records.entries import RecordEntry
from tests.support.storage import NOON, SetClock, opened


async def test_of_two_receipts_for_one_event_the_one_under_the_lease_is_recorded(database_url: str) -> None:
    clock = SetClock()

    class Prompt:
        async def send(self, event: Event, at: datetime) -> Receipt:
            return Receipt("from the heir", False)

        async def find_receipt(self, event: Event, at: datetime) -> None:
            return None

    class Slow:
        """Answers when its lease has lapsed and the other relay has delivered the event."""

        async def send(self, event: Event, at: datetime) -> Receipt:
            clock.advance(seconds=31)
            assert await heir.pass_once() == 1
            await heir.drain()
            return Receipt("too late", False)

        async def find_receipt(self, event: Event, at: datetime) -> None:
            raise AssertionError

    with opened(database_url, clock) as transactions:

        def relay(owner: str, channel: Prompt | Slow) -> Relay:
            return Relay(owner, transactions, {ChannelKind.WEBHOOK: channel}, clock, Backoff(), chance=random.Random(1))

        heir, slow = relay("heir", Prompt()), relay("slow", Slow())
        draft = EventDraft("evt-1", "utility", ChannelKind.WEBHOOK, "test", "app-1", NOON, {})
        await transactions.write(lambda tx: tx.outbox.append(draft))
        assert await slow.pass_once() == 1
        await slow.drain()
        view = await transactions.read(lambda tx: tx.deliveries.find("evt-1"))
        assert (view.state, view.attempts) == (DeliveryState.DELIVERED, 2)
        receipts = [attempt.receipt.document if attempt.receipt else attempt.reason for attempt in view.history]
        assert receipts == ["relay.lease_lapsed", "from the heir"]
        leaves = await transactions.read(
            lambda tx: [e.leaf for log in tx.record_reader.log_ids() for e in tx.record_reader.entries(log)]
        )
        assert [orjson.loads(leaf)["action"] for leaf in leaves] == ["delivery.receipted"]


async def test_a_fault_while_settling_is_told_and_the_event_goes_to_whoever_comes_after_the_lease(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Prompt:
        async def send(self, event: Event, at: datetime) -> Receipt:
            return Receipt("signed", False)

        async def find_receipt(self, event: Event, at: datetime) -> None:
            return None

    clock, broken = SetClock(), True

    def entry(finished: Finished) -> RecordEntry:
        if broken:
            raise LookupError("a fault of ours")
        return real(finished)

    real = settling._entry
    monkeypatch.setattr(settling, "_entry", entry)
    with opened(database_url, clock) as transactions:
        relay = Relay("relay", transactions, {ChannelKind.WEBHOOK: Prompt()}, clock, Backoff())
        draft = EventDraft("evt-1", "utility", ChannelKind.WEBHOOK, "test", "app-1", NOON, {})
        await transactions.write(lambda tx: tx.outbox.append(draft))
        with capture_logs() as logged:
            assert await relay.pass_once() == 1
            await relay.drain()
        (line,) = [each for each in logged if each["event"] == "delivery.unsettled"]
        assert (line["log_level"], line["event_id"], line["fault"]) == ("error", "evt-1", "LookupError")
        broken = False
        clock.advance(seconds=31)
        assert await relay.pass_once() == 1
        await relay.drain()
        view = await transactions.read(lambda tx: tx.deliveries.find("evt-1"))
        assert (view.state, view.attempts) == (DeliveryState.DELIVERED, 2)


async def test_what_was_broken_off_is_sent_again_after_its_lease_by_the_same_relay(database_url: str) -> None:
    """A turn that never ended would have each look claim the event and put it back, without end."""
    clock, sent = SetClock(), asyncio.Event()

    class Endless:
        async def send(self, event: Event, at: datetime) -> Receipt:
            if sent.is_set():
                return Receipt("signed", False)
            sent.set()
            return await asyncio.get_running_loop().create_future()  # type: ignore[no-any-return]

        async def find_receipt(self, event: Event, at: datetime) -> None:
            return None

    with opened(database_url, clock) as transactions:
        relay = Relay("relay", transactions, {ChannelKind.WEBHOOK: Endless()}, clock, Backoff())
        draft = EventDraft("evt-1", "utility", ChannelKind.WEBHOOK, "test", "app-1", NOON, {})
        await transactions.write(lambda tx: tx.outbox.append(draft))
        assert await relay.pass_once() == 1
        await sent.wait()
        (task,) = relay._tasks
        task.cancel()
        await asyncio.wait([task])
        clock.advance(seconds=31)
        assert await relay.pass_once() == 1
        await relay.drain()
        view = await transactions.read(lambda tx: tx.deliveries.find("evt-1"))
        assert (view.state, view.attempts) == (DeliveryState.DELIVERED, 2)
