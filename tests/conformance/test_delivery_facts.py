"""What stands in the database of a delivery, whoever dies and whatever the clock does; on both databases."""

import asyncio
from dataclasses import replace
from datetime import timedelta

from sqlalchemy import create_engine, text

from adapters.storage.delivery_claims import ASIDE_FOR
from adapters.storage.engine import normalise_url
from adapters.storage.sealed import AtRest
from adapters.storage.transactions import SqlTransactions
from gateway.crypto.sealing import DataKey, FixedKeys, Sealer
from gateway.delivery.backoff import LATE
from gateway.delivery.destinations import LONGEST_GAP, untried
from gateway.delivery.ports import (
    BODY_WITH_POSITION,
    BODY_WITHOUT_POSITION,
    LEASE_LAPSED,
    AttemptOutcome,
    ChannelKind,
    ClaimedDelivery,
    ClaimRoom,
    DeliveryState,
    DeliveryView,
    EventDraft,
    Receipt,
    Settlement,
)
from tests.support.storage import DIGESTS, NOON, SetClock, opened

LEASE = timedelta(seconds=30)
ROOM = ClaimRoom(50, 50)
LOST = AtRest(Sealer(FixedKeys((DataKey("10571057", b"l" * 32),))), DIGESTS)
"""Without the key of what lies there."""


async def append(transactions: SqlTransactions, *names: str, destination: str = "utility", at=NOON) -> None:
    """Events named ``subject/number``."""
    for name in names:
        draft = EventDraft(name, destination, ChannelKind.WEBHOOK, "test", name.split("/")[0], at, {})
        await transactions.write(lambda tx, d=draft: tx.outbox.append(d))


async def claim(transactions: SqlTransactions, owner: str = "relay", at=NOON, room=ROOM) -> list[ClaimedDelivery]:
    return list(await transactions.write(lambda tx: tx.deliveries.claim(owner, at, at + LEASE, room)))


async def settle(transactions: SqlTransactions, *settlements: Settlement, owner: str = "relay") -> list[str]:
    return list(await transactions.write(lambda tx: tx.deliveries.settle(owner, *settlements)))


def ended(
    claimed: ClaimedDelivery, state: DeliveryState, outcome: AttemptOutcome, at=NOON, wait: timedelta | None = None
) -> Settlement:
    receipt = Receipt("signed", False) if outcome is AttemptOutcome.RECEIPTED else None
    next_attempt_at = None if wait is None else at + wait
    return Settlement(
        claimed.event.event_id,
        claimed.attempt,
        at,
        at,
        state,
        "said",
        None,
        receipt,
        next_attempt_at,
        outcome,
        claimed.tried_for,
    )


def retry(claimed: ClaimedDelivery, at=NOON, wait: timedelta = timedelta(seconds=10)) -> Settlement:
    return ended(claimed, DeliveryState.PENDING, AttemptOutcome.NOT_SENT, at, wait)


async def found(transactions: SqlTransactions, event_id: str = "a/1") -> DeliveryView:
    view = await transactions.read(lambda tx: tx.deliveries.find(event_id))
    assert view is not None
    return view


def names(claims: list[ClaimedDelivery]) -> list[str]:
    return [claimed.event.event_id for claimed in claims]


async def test_an_attempt_is_written_down_before_anything_is_sent_and_completed_by_its_end(database_url: str) -> None:
    with opened(database_url, SetClock()) as transactions:
        await append(transactions, "a/1")
        (first,) = await claim(transactions)
        (attempt,) = (await found(transactions)).history
        assert (attempt.attempt, attempt.outcome, attempt.finished_at) == (1, AttemptOutcome.OPEN, None)
        done = ended(first, DeliveryState.DELIVERED, AttemptOutcome.RECEIPTED, NOON + timedelta(seconds=1))
        assert await settle(transactions, done) == ["a/1"]
        (attempt,) = (await found(transactions)).history
        assert (attempt.outcome, attempt.finished_at) == (AttemptOutcome.RECEIPTED, done.finished_at)
        assert attempt.receipt == Receipt("signed", False)


async def test_of_a_dead_relay_the_attempt_ends_unknown_and_so_does_the_delivery(database_url: str) -> None:
    with opened(database_url, SetClock()) as transactions:
        await append(transactions, "a/1", "b/1")
        first, other = await claim(transactions, "dead")
        assert not first.unknown
        await settle(transactions, retry(other), owner="dead")
        later = NOON + LEASE + timedelta(seconds=1)
        heir = {claimed.event.event_id: claimed for claimed in await claim(transactions, "heir", later)}
        assert (heir["a/1"].attempt, heir["a/1"].unknown, heir["a/1"].taken_over) == (2, True, True)
        assert (heir["b/1"].attempt, heir["b/1"].unknown, heir["b/1"].taken_over) == (2, False, False)
        view = await found(transactions)
        assert (view.state, view.unknown_since) == (DeliveryState.UNKNOWN, later)
        assert [(each.outcome, each.reason) for each in view.history] == [
            (AttemptOutcome.UNKNOWN, LEASE_LAPSED),
            (AttemptOutcome.OPEN, "open"),
        ]
        backlog = await transactions.read(lambda tx: tx.deliveries.backlog())
        assert (backlog.pending, backlog.unknown) == ({"utility": 2}, {"utility": 1})
        unknown = await transactions.read(lambda tx: tx.deliveries.list(None, DeliveryState.UNKNOWN, 9))
        pending = await transactions.read(lambda tx: tx.deliveries.list(None, DeliveryState.PENDING, 9))
        assert [[each.event.event_id for each in views] for views in (unknown, pending)] == [["a/1"], ["b/1"]]
        await settle(transactions, ended(heir["a/1"], DeliveryState.DELIVERED, AttemptOutcome.RECEIPTED), owner="heir")
        view = await found(transactions)
        assert (view.state, view.unknown_since) == (DeliveryState.DELIVERED, None)


async def test_what_a_dead_relay_had_and_nobody_can_open_is_unknown_too(database_url: str) -> None:
    """It is left until its key is back. Meanwhile nobody may take it for an event that was never sent."""
    with opened(database_url, SetClock()) as transactions, opened(database_url, SetClock(), at_rest=LOST) as keyless:
        await append(transactions, "a/1", "a/2", "b/1")
        _lost, other = await claim(transactions, "dead")
        await settle(transactions, retry(other), owner="dead")
        later = NOON + LEASE + timedelta(seconds=1)
        assert await claim(keyless, "heir", later) == []
        view = await found(transactions)
        assert (view.state, view.unknown_since, view.attempts) == (DeliveryState.UNKNOWN, later, 1)
        (attempt,) = view.history
        assert (attempt.outcome, attempt.reason, attempt.finished_at) == (AttemptOutcome.UNKNOWN, LEASE_LAPSED, later)
        never_lapsed = await found(transactions, "b/1")
        assert (never_lapsed.state, never_lapsed.unknown_since) == (DeliveryState.PENDING, None)
        mended = {each.event.event_id: each for each in await claim(transactions, "heir", later + ASIDE_FOR)}
        assert mended.keys() == {"a/1", "b/1"}
        assert (mended["a/1"].unknown, mended["b/1"].unknown) == (True, False)


async def test_an_unknown_delivery_stays_claimable_and_keeps_its_place(database_url: str) -> None:
    with opened(database_url, SetClock()) as transactions:
        await append(transactions, "a/1", "a/2")
        (first,) = await claim(transactions)
        lost = ended(first, DeliveryState.UNKNOWN, AttemptOutcome.UNKNOWN, wait=timedelta(seconds=5))
        await settle(transactions, lost)
        assert await claim(transactions) == []
        (again,) = await claim(transactions, at=NOON + timedelta(seconds=5))
        assert (again.event.event_id, again.unknown, again.taken_over) == ("a/1", True, False)


async def test_a_group_is_settled_together_and_what_was_lost_is_left_out(database_url: str) -> None:
    with opened(database_url, SetClock()) as transactions:
        await append(transactions, *(f"{n}/1" for n in range(6)))
        claims = await claim(transactions, "slow", room=ClaimRoom(3, 3))
        later = NOON + LEASE + timedelta(seconds=1)
        taken = await claim(transactions, "heir", later, ClaimRoom(1, 1))
        assert len(taken) == 1
        kept = await settle(
            transactions,
            *(ended(each, DeliveryState.DELIVERED, AttemptOutcome.RECEIPTED) for each in claims),
            owner="slow",
        )
        assert sorted(kept + names(taken)) == sorted(names(claims))
        assert (await found(transactions, names(taken)[0])).state is DeliveryState.UNKNOWN


async def test_no_more_is_claimed_of_a_destination_than_there_is_room_for(database_url: str) -> None:
    with opened(database_url, SetClock()) as transactions:
        await append(transactions, *(f"x{n}/1" for n in range(6)), destination="x")
        await append(transactions, *(f"y{n}/1" for n in range(6)), destination="y")
        await append(transactions, *(f"z{n}/1" for n in range(6)), destination="z")
        room = ClaimRoom(18, 18, {"x": 0, "y": 2}, holding=("z0/1",))
        taken = names(await claim(transactions, room=room))
        assert len([name for name in taken if name[0] == "y"]) == 2
        assert sorted(name for name in taken if name[0] != "y") == [f"z{n}/1" for n in range(1, 6)]


async def test_nothing_is_claimed_for_a_disabled_destination_until_it_is_enabled(database_url: str) -> None:
    with opened(database_url, SetClock()) as transactions:
        await append(transactions, "a/1", "a/2", destination="down")
        await append(transactions, "b/1")
        (waiting,) = await claim(transactions, room=ClaimRoom(50, 50, {"utility": 0}))
        await settle(transactions, retry(waiting, wait=timedelta(minutes=9)))
        failing = untried("down").failed(NOON, "webhook.timeout")
        await transactions.write(lambda tx: tx.destinations.put(replace(failing, disabled_at=NOON)))
        await transactions.write(lambda tx: tx.destinations.succeeded(["down"]))
        far = NOON + timedelta(days=30)
        assert names(await claim(transactions, at=far)) == ["b/1"]
        (listed,) = await transactions.read(lambda tx: tx.destinations.list())
        assert (listed.code, listed.disabled_at, listed.failing_since) == ("down", NOON, None)
        assert await transactions.write(lambda tx: tx.destinations.enable("down"))
        assert not await transactions.write(lambda tx: tx.destinations.enable("down"))
        assert await transactions.write(lambda tx: tx.deliveries.hasten("down", NOON)) == 2
        assert names(await claim(transactions)) == ["a/1"]
        assert await transactions.read(lambda tx: tx.destinations.list()) == []


async def test_failures_of_a_destination_add_up_until_a_success(database_url: str) -> None:
    with opened(database_url, SetClock()) as transactions:

        async def fail(minutes: float) -> timedelta:
            def work(tx) -> timedelta:
                before = tx.destinations.failing(["down"]).get("down", untried("down"))
                after = before.failed(NOON + timedelta(minutes=minutes), "webhook.timeout")
                tx.destinations.put(after)
                return after.failing_for

            return await transactions.write(work)

        assert [await fail(minutes) for minutes in (0, 4, 6)] == [timedelta(minutes=n) for n in (0, 4, 6)]
        assert await fail(6 + 60 * 24 * 365) == timedelta(minutes=6) + LONGEST_GAP
        assert await fail(0) == timedelta(minutes=6) + LONGEST_GAP
        await transactions.write(lambda tx: tx.destinations.succeeded(["down", "other"]))
        assert await fail(7) == timedelta(0)


async def test_a_clock_set_back_does_not_stall_what_waits(database_url: str) -> None:
    with opened(database_url, SetClock()) as transactions:
        await append(transactions, "new/1")
        await append(transactions, "a/1", "leased/1", at=NOON - timedelta(minutes=1))
        waiting, leased = await claim(transactions, room=ClaimRoom(2, 2))
        await settle(transactions, retry(waiting))
        assert names([waiting, leased]) == ["a/1", "leased/1"]
        early = NOON - timedelta(days=2)
        assert await claim(transactions, at=early) == []
        moved = await transactions.write(lambda tx: tx.deliveries.undo_clock_jump(early, early + LEASE))
        assert moved == 3
        assert sorted(names(await claim(transactions, at=early))) == ["a/1", "new/1"]
        after_lease = early + LEASE + timedelta(seconds=1)
        taken = {each.event.event_id: each for each in await claim(transactions, "heir", after_lease)}
        assert taken["leased/1"].taken_over


async def test_what_waits_behind_an_event_is_due_as_soon_as_that_one_is_through(database_url: str) -> None:
    """It is put off with the event before it, and no longer: also where that one is refused, or waited for a day."""
    with opened(database_url, SetClock()) as transactions:
        await append(transactions, "a/1", "a/2", "b/1", "b/2", "c/1")
        claims = {each.event.event_id: each for each in await claim(transactions)}
        day = timedelta(days=1)
        await settle(transactions, retry(claims["a/1"]), retry(claims["b/1"], wait=day))
        at = NOON + timedelta(seconds=10)
        (again,) = await claim(transactions, at=at)
        assert (await found(transactions, "a/2")).next_attempt_at == at
        await settle(transactions, ended(again, DeliveryState.DEAD, AttemptOutcome.DECLINED, at))
        assert names(await claim(transactions, at=at)) == ["a/2"]
        assert (await found(transactions, "b/2")).next_attempt_at == NOON + day
        (again,) = [each for each in await claim(transactions, "heir", NOON + day) if each.event.subject == "b"]
        done = ended(again, DeliveryState.DELIVERED, AttemptOutcome.RECEIPTED, NOON + day)
        await settle(transactions, done, owner="heir")
        assert names(await claim(transactions, at=NOON + day)) == ["b/2"]


async def test_a_clock_set_back_does_not_stall_what_waits_behind_an_event(database_url: str) -> None:
    with opened(database_url, SetClock()) as transactions:
        early = NOON - timedelta(hours=3)
        await append(transactions, "a/1", "a/2", at=early)
        (first,) = await claim(transactions)
        await settle(transactions, retry(first))
        await transactions.write(lambda tx: tx.deliveries.undo_clock_jump(early, early + LEASE))
        (first,) = await claim(transactions, at=early)
        await settle(transactions, ended(first, DeliveryState.DELIVERED, AttemptOutcome.RECEIPTED, early))
        assert names(await claim(transactions, at=early)) == ["a/2"]


async def test_what_was_tried_before_keeps_its_own_time(database_url: str) -> None:
    """An event that is replayed while a later one is under way puts off nothing that counts its time of trying."""
    with opened(database_url, SetClock()) as transactions:
        await append(transactions, "a/1", "a/2")
        (first,) = await claim(transactions)
        await settle(transactions, ended(first, DeliveryState.DELIVERED, AttemptOutcome.RECEIPTED))
        (second,) = await claim(transactions)
        await settle(transactions, retry(second, wait=timedelta(seconds=20)))
        assert await transactions.write(lambda tx: tx.deliveries.replay("a/1", NOON))
        (again,) = await claim(transactions)
        await settle(transactions, retry(again, wait=timedelta(minutes=5)))
        assert (await found(transactions, "a/2")).next_attempt_at == NOON + timedelta(seconds=20)


async def test_a_replay_tells_since_when_nothing_from_before_counts(database_url: str) -> None:
    """And does so by the clock as it was set right: otherwise no receipt would count until it is that late again."""
    with opened(database_url, SetClock()) as transactions:
        early = NOON - timedelta(hours=3)
        await append(transactions, "a/1", "b/1", "c/1", at=early)
        claims = await claim(transactions, at=early)
        assert {each.event.replayed_at for each in claims} == {None}
        for each in claims:
            await settle(transactions, ended(each, DeliveryState.DELIVERED, AttemptOutcome.RECEIPTED, early))
            assert await transactions.write(lambda tx, e=each: tx.deliveries.replay(e.event.event_id, NOON))
        _leased, sent = await claim(transactions, room=ClaimRoom(2, 2))
        assert sent.event.replayed_at == NOON
        await settle(transactions, retry(sent, at=early))  # the clock is right again, and only the replay is ahead
        assert await transactions.write(lambda tx: tx.deliveries.undo_clock_jump(early, early + LEASE)) == 3
        later = early + LEASE + timedelta(seconds=1)
        assert [each.event.replayed_at for each in await claim(transactions, at=later)] == [early] * 3


async def test_what_merely_waits_its_turn_is_left_to_wait(database_url: str) -> None:
    with opened(database_url, SetClock()) as transactions:
        await append(transactions, "a/1", "b/1", "c/1")
        first, second, _leased = await claim(transactions)
        await settle(transactions, retry(first, wait=timedelta(days=1)), retry(second, wait=timedelta(minutes=10)))
        at = NOON - timedelta(minutes=1)
        assert await transactions.write(lambda tx: tx.deliveries.undo_clock_jump(at, at + LEASE)) == 0
        assert await claim(transactions) == []


async def test_time_in_which_nobody_tried_does_not_count_as_trying(database_url: str) -> None:
    with opened(database_url, SetClock()) as transactions:
        await append(transactions, "a/1")
        at, tried_for = NOON, []
        for pause in (timedelta(seconds=10), timedelta(days=400), timedelta(seconds=12)):
            (claimed,) = await claim(transactions, at=at)
            tried_for.append(claimed.tried_for)
            await settle(transactions, retry(claimed, at))
            at += pause
        assert tried_for == [timedelta(0), timedelta(seconds=10), timedelta(seconds=20) + LATE]
        (claimed,) = await claim(transactions, at=at)
        assert claimed.tried_for == timedelta(seconds=32) + LATE


async def test_replay_since_takes_whole_pages_of_what_is_settled_and_not_erased(database_url: str) -> None:
    with opened(database_url, SetClock()) as transactions:
        await append(transactions, "old/1")
        await append(transactions, "a/1", "b/1", "c/1", "d/1", at=NOON + timedelta(hours=1))
        later = NOON + timedelta(hours=1)
        claims = await claim(transactions, at=later)
        done = [ended(each, DeliveryState.DELIVERED, AttemptOutcome.RECEIPTED) for each in claims[:3]]
        await settle(transactions, *done, ended(claims[3], DeliveryState.DEAD, AttemptOutcome.DECLINED))
        engine = create_engine(normalise_url(database_url))
        with engine.begin() as connection:
            connection.execute(text("UPDATE outbox SET erased_at = settled_at WHERE event_id = 'b/1'"))
        engine.dispose()

        async def page(after: int, limit: int):
            return await transactions.write(
                lambda tx: tx.deliveries.replay_since("utility", later, after, limit, later)
            )

        first = await page(0, 1)
        assert (first.event_ids, first.last_position, first.more) == (["a/1"], 2, True)
        second = await page(first.last_position, 5)
        assert (second.event_ids, second.more) == (["c/1"], False)
        assert (await page(0, 5)).event_ids == []
        states = {name: (await found(transactions, name)).state for name in ("old/1", "a/1", "b/1", "c/1", "d/1")}
        assert states == {
            "old/1": DeliveryState.DELIVERED,
            "a/1": DeliveryState.PENDING,
            "b/1": DeliveryState.DELIVERED,
            "c/1": DeliveryState.PENDING,
            "d/1": DeliveryState.PENDING,
        }


async def test_what_the_previous_release_began_keeps_the_body_it_was_sent_with(database_url: str) -> None:
    with opened(database_url, SetClock()) as transactions:
        await append(transactions, "begun/1", "fresh/1")
        engine = create_engine(normalise_url(database_url))
        with engine.begin() as connection:
            connection.execute(
                text(
                    "UPDATE outbox SET attempts = 1, scheduled_at = NULL, tried_for_s = NULL WHERE event_id = 'begun/1'"
                )
            )
        engine.dispose()
        claims = {each.event.event_id: each for each in await claim(transactions)}
        assert claims["begun/1"].event.body_form == BODY_WITHOUT_POSITION
        assert claims["fresh/1"].event.body_form == BODY_WITH_POSITION
        await settle(transactions, *(retry(each) for each in claims.values()))
        again = {each.event.event_id: each for each in await claim(transactions, at=NOON + timedelta(minutes=1))}
        forms = {name: each.event.body_form for name, each in again.items()}
        assert forms == {"begun/1": BODY_WITHOUT_POSITION, "fresh/1": BODY_WITH_POSITION}


async def test_relays_that_race_never_hold_the_same_event_and_keep_each_applications_order(database_url: str) -> None:
    applications, events = 6, 5
    delivered: list[str] = []

    async def work(transactions: SqlTransactions, owner: str) -> None:
        while len(delivered) < applications * events:
            claims = await claim(transactions, owner, room=ClaimRoom(3, 3))
            delivered.extend(names(claims))
            if claims:
                done = [ended(each, DeliveryState.DELIVERED, AttemptOutcome.RECEIPTED) for each in claims]
                assert sorted(await settle(transactions, *done, owner=owner)) == sorted(names(claims))
            await asyncio.sleep(0)

    with opened(database_url, SetClock()) as one, opened(database_url, SetClock()) as two:
        await append(one, *(f"app{a}/{n}" for n in range(1, events + 1) for a in range(applications)))
        async with asyncio.timeout(60):
            await asyncio.gather(*(work((one, two)[n % 2], f"relay-{n}") for n in range(2)))
    assert len(delivered) == len(set(delivered)) == applications * events
    for application in range(applications):
        own = [name for name in delivered if name.startswith(f"app{application}/")]
        assert own == sorted(own)
