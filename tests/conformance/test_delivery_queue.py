"""The queue's promises, on both databases: order within an application, leases, settling, feed and replay."""

import asyncio
from datetime import timedelta

from adapters.storage.transactions import SqlTransactions
from gateway.delivery.ports import (
    LEASE_LAPSED,
    AttemptOutcome,
    ChannelKind,
    ClaimedDelivery,
    ClaimRoom,
    DeliveryState,
    EventDraft,
    Receipt,
    Settlement,
)
from gateway.retention.policies import Kept, RetentionPolicy
from tests.support.storage import NOON, SetClock, opened

LATER = NOON + timedelta(seconds=30)


async def append(transactions: SqlTransactions, *names: str) -> None:
    """Append events named ``subject/number``, all for one utility."""
    for name in names:
        draft = EventDraft(name, "utility", ChannelKind.WEBHOOK, "test", name.split("/")[0], NOON, {})
        await transactions.write(lambda tx, d=draft: tx.outbox.append(d))


def room(limit: int = 10, excluding: tuple[str, ...] = ()) -> ClaimRoom:
    return ClaimRoom(limit, limit, dict.fromkeys(excluding, 0))


async def claim(
    transactions: SqlTransactions, owner: str = "relay", at=NOON, limit: int = 10, excluding: tuple[str, ...] = ()
) -> list[ClaimedDelivery]:
    return list(
        await transactions.write(
            lambda tx: tx.deliveries.claim(owner, at, at + timedelta(seconds=30), room(limit, excluding))
        )
    )


def settled(claim: ClaimedDelivery, state: DeliveryState, next_attempt_at=None, receipt=None) -> Settlement:
    return Settlement(claim.event.event_id, claim.attempt, NOON, NOON, state, "test", 200, receipt, next_attempt_at)


def names(claims: list[ClaimedDelivery]) -> list[str]:
    return [claim.event.event_id for claim in claims]


async def test_only_the_oldest_of_each_application_is_claimed(database_url: str) -> None:
    with opened(database_url, SetClock()) as transactions:
        await append(transactions, "a/1", "a/2", "b/1", "a/3", "b/2")
        first = await claim(transactions)
        assert names(first) == ["a/1", "b/1"]
        assert await claim(transactions) == []
        await transactions.write(
            lambda tx: tx.deliveries.settle(
                "relay", settled(first[0], DeliveryState.DELIVERED, receipt=Receipt("r", False))
            )
        )
        assert names(await claim(transactions)) == ["a/2"]


async def test_an_event_that_waits_for_its_next_attempt_holds_up_its_own_application_only(database_url: str) -> None:
    with opened(database_url, SetClock()) as transactions:
        await append(transactions, "a/1", "a/2", "b/1")
        first, _ = await claim(transactions)
        retry = settled(first, DeliveryState.PENDING, next_attempt_at=LATER)
        await transactions.write(lambda tx: tx.deliveries.settle("relay", retry))
        assert await claim(transactions) == []
        assert names(await claim(transactions, at=LATER)) == ["a/1"]


async def test_a_dead_letter_lets_the_next_event_through(database_url: str) -> None:
    with opened(database_url, SetClock()) as transactions:
        await append(transactions, "a/1", "a/2")
        (first,) = await claim(transactions)
        await transactions.write(lambda tx: tx.deliveries.settle("relay", settled(first, DeliveryState.DEAD)))
        assert names(await claim(transactions)) == ["a/2"]


async def test_a_lapsed_lease_is_taken_over_and_the_late_settlement_is_refused(database_url: str) -> None:
    with opened(database_url, SetClock()) as transactions:
        await append(transactions, "a/1")
        (lost,) = await claim(transactions, owner="dead-relay")
        assert await claim(transactions, owner="heir", at=NOON + timedelta(seconds=29)) == []
        (taken,) = await claim(transactions, owner="heir", at=NOON + timedelta(seconds=31))
        assert (taken.attempt, taken.first_attempt_at) == (2, NOON)
        late = settled(lost, DeliveryState.DEAD)
        assert not await transactions.write(lambda tx: tx.deliveries.settle("dead-relay", late))
        done = settled(taken, DeliveryState.DELIVERED, receipt=Receipt("r", True))
        assert await transactions.write(lambda tx: tx.deliveries.settle("heir", done))
        view = await transactions.read(lambda tx: tx.deliveries.find("a/1"))
        assert view is not None
        assert (view.state, view.attempts) == (DeliveryState.DELIVERED, 2)
        assert [(attempt.attempt, attempt.outcome, attempt.reason) for attempt in view.history] == [
            (1, AttemptOutcome.UNKNOWN, LEASE_LAPSED),
            (2, AttemptOutcome.RECEIPTED, "test"),
        ]


async def test_two_relays_never_hold_the_same_event(database_url: str) -> None:
    with opened(database_url, SetClock()) as one, opened(database_url, SetClock()) as two:
        await append(one, *(f"app{n}/1" for n in range(40)))
        claims = await asyncio.gather(*((one, two)[n % 2].write(_claim_five(f"relay-{n % 2}")) for n in range(8)))
        taken = [claim.event.event_id for batch in claims for claim in batch]
        assert sorted(taken) == sorted(f"app{n}/1" for n in range(40))


def _claim_five(owner: str):
    return lambda tx: tx.deliveries.claim(owner, NOON, LATER, room(5))


async def test_excluded_destinations_are_left_alone(database_url: str) -> None:
    with opened(database_url, SetClock()) as transactions:
        await append(transactions, "a/1")
        assert await claim(transactions, excluding=("utility", "other")) == []
        assert names(await claim(transactions, excluding=("other",))) == ["a/1"]


async def test_the_feed_goes_on_after_a_position(database_url: str) -> None:
    with opened(database_url, SetClock()) as transactions:
        await append(transactions, "a/1", "b/1", "a/2")
        feed = await transactions.read(lambda tx: tx.deliveries.feed("utility", 1, 10))
        assert [(event.event_id, event.position, event.sequence) for event in feed] == [("b/1", 2, 1), ("a/2", 3, 2)]
        assert await transactions.read(lambda tx: tx.deliveries.feed("utility", 3, 10)) == []


async def test_a_delivered_event_can_be_replayed_and_one_under_way_cannot(database_url: str) -> None:
    with opened(database_url, SetClock()) as transactions:
        await append(transactions, "a/1")
        assert not await transactions.write(lambda tx: tx.deliveries.replay("a/1", NOON))
        (first,) = await claim(transactions)
        done = settled(first, DeliveryState.DELIVERED, receipt=Receipt("r", False))
        await transactions.write(lambda tx: tx.deliveries.settle("relay", done))
        assert await transactions.write(lambda tx: tx.deliveries.replay("a/1", NOON))
        (again,) = await claim(transactions)
        assert (again.event.event_id, again.attempt, again.event.sequence) == ("a/1", 2, 1)
        assert not await transactions.write(lambda tx: tx.deliveries.replay("nothing", NOON))


async def test_what_retention_has_erased_is_not_queued_again(database_url: str) -> None:
    """Whoever replays has looked before; retention may have come between."""
    with opened(database_url, SetClock()) as transactions:
        await append(transactions, "a/1")
        (taken,) = await claim(transactions)
        done = settled(taken, DeliveryState.DELIVERED, receipt=Receipt("r", False))
        await transactions.write(lambda tx: tx.deliveries.settle("relay", done))
        policy = RetentionPolicy(Kept.DELIVERIES, "deliveries", "settled", timedelta(), "test")
        assert await transactions.write(lambda tx: tx.removal.remove(policy, LATER, LATER, 10)) == 1
        assert not await transactions.write(lambda tx: tx.deliveries.replay("a/1", LATER))
        assert await claim(transactions, at=LATER) == []
