"""Events go to the relay of the same process as they are committed, and all that a claim promises still holds."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest

from adapters.storage.transactions import SqlTransactions
from gateway.delivery.backoff import Backoff
from gateway.delivery.destinations import untried
from gateway.delivery.errors import DeliveryRefused, NotDelivered
from gateway.delivery.ports import (
    LEASE_LAPSED,
    NO_TURN,
    AttemptOutcome,
    ChannelKind,
    ClaimRoom,
    DeliveryState,
    DeliveryView,
    Event,
    EventDraft,
    Receipt,
    Settlement,
)
from gateway.delivery.relay import Relay, RelayLimits
from gateway.delivery.turns import MOST_BEHIND
from gateway.errors import Owner
from tests.support.storage import NOON, SetClock, opened

PLENTY = ClaimRoom(100, 100)
SELDOM = timedelta(seconds=30)
"""How long the relay waits between two looks: what comes before that was handed over, or asked for."""


@dataclass
class Utility:
    """A channel that answers when it is let, or fails."""

    sent: list[str] = field(default_factory=list)
    going: set[str] = field(default_factory=set)
    open: asyncio.Event = field(default_factory=asyncio.Event)
    fails: bool = False
    refuses: set[str] = field(default_factory=set)

    async def send(self, event: Event, at: datetime) -> Receipt:
        self.going.add(event.event_id)
        await self.open.wait()
        self.sent.append(event.event_id)
        if event.event_id in self.refuses:
            raise DeliveryRefused(
                check="webhook.status_422", owner=Owner.CALLER, remedy="", partner=event.destination, status=422
            )
        if self.fails:
            raise NotDelivered(
                check="webhook.status_503",
                owner=Owner.CALLER,
                remedy="",
                partner=event.destination,
                outcome=AttemptOutcome.DECLINED,
            )
        return Receipt("a receipt", False)

    async def find_receipt(self, event: Event, at: datetime) -> None:
        return None


@dataclass
class Scene:
    """A writer and the relay beside it."""

    transactions: SqlTransactions
    relay: Relay
    utility: Utility
    elapsed: list[float]
    """One number: what the relay takes for the time that has passed."""

    async def commit(self, *drafts: EventDraft) -> None:
        """All of them in one unit of work."""

        def work(tx: object) -> None:
            for draft in drafts:
                tx.outbox.append(draft)  # type: ignore[attr-defined]

        await self.transactions.write(work)

    async def view(self, event_id: str) -> DeliveryView:
        found = await self.transactions.read(lambda tx: tx.deliveries.find(event_id))
        assert found is not None
        return found

    async def claimed(self, at: datetime = NOON) -> list[str]:
        """What another relay could claim."""
        claims = await self.transactions.write(
            lambda tx: tx.deliveries.claim("another", at, at + timedelta(seconds=30), PLENTY)
        )
        return [claim.event.event_id for claim in claims]

    async def delivered(self, *event_ids: str) -> None:
        async with asyncio.timeout(10):
            for event_id in event_ids:
                while (await self.view(event_id)).state is not DeliveryState.DELIVERED:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)


@asynccontextmanager
async def scene_over(database_url: str, limits: RelayLimits | None = None) -> AsyncIterator[Scene]:
    clock, utility, elapsed = SetClock(), Utility(), [0.0]
    with opened(database_url, clock) as transactions:
        channels, limits = {ChannelKind.WEBHOOK: utility}, limits or RelayLimits(idle=SELDOM)
        relay = Relay("beside", transactions, channels, clock, Backoff(), limits, elapsed=lambda: elapsed[0])
        transactions.hand_over_to(relay.hand_over)
        stop = asyncio.Event()
        running = asyncio.create_task(relay.run(stop))
        await asyncio.sleep(0.1)  # its first look finds nothing
        try:
            yield Scene(transactions, relay, utility, elapsed)
        finally:
            utility.open.set()
            stop.set()
            await running


@pytest.fixture
async def scene(database_url: str) -> AsyncIterator[Scene]:
    async with scene_over(database_url) as made:
        yield made


def draft(name: str, subject: str = "app-1", destination: str = "utility") -> EventDraft:
    return EventDraft(name, destination, ChannelKind.WEBHOOK, "test", subject, NOON, {"said": name})


async def under_way(utility: Utility, *event_ids: str) -> None:
    async with asyncio.timeout(10):
        while not utility.going.issuperset(event_ids):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_it_is_leased_and_its_attempt_open_before_anything_is_sent(scene: Scene) -> None:
    await scene.commit(draft("one"))
    view = await scene.view("one")
    assert (view.state, view.attempts) == (DeliveryState.PENDING, 1)
    assert [(each.attempt, each.outcome) for each in view.history] == [(1, AttemptOutcome.OPEN)]
    await under_way(scene.utility, "one")
    assert await scene.claimed() == []
    scene.utility.open.set()
    await scene.delivered("one")
    view = await scene.view("one")
    assert [(each.attempt, each.outcome) for each in view.history] == [(1, AttemptOutcome.RECEIPTED)]


async def test_what_is_handed_over_is_stored_as_a_claim_would_leave_it(database_url: str) -> None:
    async with scene_over(database_url) as scene:
        await scene.commit(draft("handed", "app-1"))
        await under_way(scene.utility, "handed")
        scene.transactions.hand_over_to(None)
        await scene.commit(draft("claimed", "app-2"))
        claims = await scene.transactions.write(
            lambda tx: tx.deliveries.claim("beside", NOON, NOON + RelayLimits().lease, PLENTY)
        )
        assert [claim.event.event_id for claim in claims] == ["claimed"]
        rows = await scene.transactions.read(_rows)
        handed, claimed = (
            {name: value for name, value in rows[name].items() if name not in _ITS_OWN}
            for name in ("handed", "claimed")
        )
        assert handed == claimed


_ITS_OWN = {"event_id", "subject", "position", "sequence", "data", "body_sha256"}


def _rows(tx: object) -> dict[str, dict[str, object]]:
    from adapters.storage.deliveries import outbox

    statements = tx._statements  # type: ignore[attr-defined]
    return {row.event_id: dict(row._mapping) for row in statements.execute(outbox.select())}


async def test_of_an_application_the_oldest_goes_alone_and_the_next_right_after_it(scene: Scene) -> None:
    await scene.commit(draft("first"), draft("second"))
    await scene.commit(draft("third"))
    await under_way(scene.utility, "first")
    assert scene.utility.going == {"first"}
    scene.utility.open.set()
    await scene.delivered("first", "second", "third")
    assert scene.utility.sent == ["first", "second", "third"]


async def test_what_follows_is_in_hand_too_while_what_is_before_it_is_under_way(scene: Scene) -> None:
    await scene.commit(draft("first"), draft("second"))
    await under_way(scene.utility, "first")
    await scene.commit(draft("third"))
    assert [(await scene.view(name)).attempts for name in ("first", "second", "third")] == [1, 1, 1]
    assert await scene.claimed() == []
    assert scene.utility.going == {"first"}
    scene.utility.open.set()
    await scene.delivered("first", "second", "third")
    assert scene.utility.sent == ["first", "second", "third"]
    assert scene.relay.looks == 1, "nobody had to look for them"


async def untried_yet(scene: Scene, event_id: str, reason: str = NO_TURN) -> DeliveryView:
    """The event, once its lease was given back without anything having been sent."""
    async with asyncio.timeout(10):
        while (view := await scene.view(event_id)).last_reason != reason:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    return view


async def test_what_is_behind_one_that_fails_is_put_back_and_waits_as_long(scene: Scene) -> None:
    scene.utility.fails = True
    await scene.commit(draft("first"), draft("second"), draft("third"))
    scene.utility.open.set()
    first = await untried_yet(scene, "first", "webhook.status_503")
    for name in ("second", "third"):
        view = await untried_yet(scene, name)
        assert [(each.outcome, each.reason) for each in view.history] == [(AttemptOutcome.NOT_SENT, NO_TURN)]
        assert (view.state, view.next_attempt_at) == (DeliveryState.PENDING, first.next_attempt_at)
    assert scene.utility.sent == ["first"]
    assert await scene.claimed() == []
    later = NOON + timedelta(hours=1)
    (claim,) = await scene.transactions.write(
        lambda tx: tx.deliveries.claim("another", later, later + timedelta(seconds=30), PLENTY)
    )
    assert (claim.event.event_id, claim.attempt) == ("first", 2)
    settlement = Settlement("first", 2, later, later, DeliveryState.DELIVERED, "accepted", 200, Receipt("r", False))
    await scene.transactions.write(lambda tx: tx.deliveries.settle("another", settlement))
    (claim,) = await scene.transactions.write(
        lambda tx: tx.deliveries.claim("another", later, later + timedelta(seconds=30), PLENTY)
    )
    assert (claim.event.event_id, claim.tried_for, claim.unknown) == ("second", timedelta(), False)


async def test_what_was_put_back_waits_for_what_is_before_it_as_often_as_that_fails(scene: Scene) -> None:
    scene.utility.fails = True
    await scene.commit(draft("first"), draft("second"))
    scene.utility.open.set()
    await untried_yet(scene, "second")
    later, much_later = NOON + timedelta(hours=1), NOON + timedelta(hours=2)
    await scene.transactions.write(lambda tx: tx.deliveries.claim("another", later, much_later, PLENTY))
    failed = Settlement("first", 2, later, later, DeliveryState.PENDING, "failed", next_attempt_at=much_later)
    await scene.transactions.write(lambda tx: tx.deliveries.settle("another", failed))
    assert (await scene.view("second")).next_attempt_at == much_later


async def test_after_one_that_is_given_up_the_next_goes(scene: Scene) -> None:
    scene.utility.refuses = {"first"}
    await scene.commit(draft("first"), draft("second"))
    scene.utility.open.set()
    await scene.delivered("second")
    assert (await scene.view("first")).state is DeliveryState.DEAD
    assert scene.utility.sent == ["first", "second"]


async def test_what_has_waited_too_long_behind_one_that_does_not_end_is_put_back(scene: Scene) -> None:
    await scene.commit(draft("first"), draft("second"))
    await under_way(scene.utility, "first")
    scene.elapsed[0] += RelayLimits().wait.total_seconds()
    await scene.commit(draft("of-another", "app-2"))
    view = await untried_yet(scene, "second")
    assert [(each.outcome, each.reason) for each in view.history] == [(AttemptOutcome.NOT_SENT, NO_TURN)]
    await scene.commit(draft("third"))
    assert (await scene.view("third")).attempts == 0, "what is before it is nobody's"
    scene.utility.open.set()
    await scene.delivered("first", "second", "third")
    assert [name for name in scene.utility.sent if name != "of-another"] == ["first", "second", "third"]


async def test_nothing_is_sent_behind_one_that_somebody_else_took_over(scene: Scene) -> None:
    await scene.commit(draft("first"), draft("second"))
    await under_way(scene.utility, "first")
    later = NOON + timedelta(seconds=31)
    assert await scene.claimed(later) == ["first"]
    scene.utility.open.set()
    await untried_yet(scene, "second")
    assert scene.utility.sent == ["first"]


async def test_a_relay_that_dies_leaves_what_is_behind_in_its_place(scene: Scene) -> None:
    await scene.commit(draft("first"), draft("second"))
    await under_way(scene.utility, "first")
    later = NOON + timedelta(seconds=31)
    assert await scene.claimed(later) == ["first"]
    assert (await scene.view("second")).state is DeliveryState.PENDING
    settlement = Settlement("first", 2, later, later, DeliveryState.DELIVERED, "accepted", 200, Receipt("r", False))
    await scene.transactions.write(lambda tx: tx.deliveries.settle("another", settlement))
    assert await scene.claimed(later) == ["second"]


async def test_nothing_is_handed_over_before_an_event_that_is_sent_anew(scene: Scene) -> None:
    scene.utility.open.set()
    await scene.commit(draft("first"))
    await scene.delivered("first")
    scene.utility.open.clear()
    await scene.commit(draft("second"))
    await under_way(scene.utility, "second")
    await scene.transactions.write(lambda tx: tx.deliveries.replay("first", NOON))
    await scene.commit(draft("third"))
    assert (await scene.view("third")).attempts == 0
    scene.utility.open.set()
    await scene.delivered("first", "second", "third")
    assert scene.utility.sent == ["first", "second", "first", "third"]


async def test_no_more_than_so_many_are_in_hand_of_one_application(scene: Scene) -> None:
    names = [f"event-{number:02}" for number in range(3 * MOST_BEHIND)]
    await scene.commit(*map(draft, names))
    assert [name for name in names if (await scene.view(name)).attempts] == names[: MOST_BEHIND + 1]
    scene.utility.open.set()
    await scene.delivered(*names)
    assert scene.utility.sent == names


async def test_nothing_goes_before_an_event_that_was_there(database_url: str) -> None:
    with opened(database_url, SetClock()) as before:
        await before.write(lambda tx: tx.outbox.append(draft("old")))
        await before.write(lambda tx: tx.deliveries.claim("elsewhere", NOON, NOON + timedelta(hours=1), PLENTY))
    async with scene_over(database_url) as scene:
        scene.utility.open.set()
        await scene.commit(draft("new"), draft("of-another", "app-2"))
        await scene.delivered("of-another")
        assert (await scene.view("new")).attempts == 0
        assert scene.utility.sent == ["of-another"]


async def test_a_disabled_receiver_gets_nothing(scene: Scene) -> None:
    disabled = replace(untried("utility").failed(NOON, "webhook.timeout"), disabled_at=NOON)
    await scene.transactions.write(lambda tx: tx.destinations.put(disabled))
    scene.utility.open.set()
    await scene.commit(draft("one"), draft("two", destination="other"))
    await scene.delivered("two")
    assert ((await scene.view("one")).attempts, scene.utility.sent) == (0, ["two"])


async def test_after_a_failure_a_look_at_the_breaker_comes_first(scene: Scene) -> None:
    scene.utility.fails = True
    scene.utility.open.set()
    await scene.commit(draft("one"))
    async with asyncio.timeout(10):
        while (await scene.view("one")).last_reason is None:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert not scene.relay.has_room("utility", 0, 0)
    assert scene.relay.has_room("other", 0, 0)
    scene.utility.fails = False
    await scene.commit(draft("two", "app-2"))
    await scene.delivered("two")


async def test_where_there_is_no_room_it_waits_for_its_turn(database_url: str) -> None:
    limits = RelayLimits(in_flight=3, per_destination=2, idle=SELDOM)
    async with scene_over(database_url, limits) as scene:
        names = [f"event-{number}" for number in range(8)]
        await scene.commit(*(draft(name, f"app-{name}") for name in names))
        await under_way(scene.utility, "event-0", "event-1")
        assert len(scene.utility.going) == 2
        scene.utility.open.set()
        await scene.delivered(*names)
        assert sorted(scene.utility.sent) == names


FEW = RelayLimits(in_flight=4, per_destination=2, idle=SELDOM)
WAITING = [f"event-{number}" for number in range(7)]
"""To a receiver that has answered before: two are sent, and the others wait for their turn."""


@asynccontextmanager
async def waiting(database_url: str) -> AsyncIterator[Scene]:
    """A scene in which ``WAITING`` were committed, and the first two do not come to an end."""
    async with scene_over(database_url, FEW) as scene:
        scene.utility.open.set()
        await scene.commit(draft("before", "app-before"))
        await scene.delivered("before")
        scene.utility.open.clear()
        scene.utility.going.clear()
        await scene.commit(*(draft(name, f"app-{name}") for name in WAITING))
        await under_way(scene.utility, *WAITING[:2])
        yield scene


async def test_to_a_receiver_that_answered_more_is_handed_over_than_is_sent_at_once(database_url: str) -> None:
    async with waiting(database_url) as scene:
        assert scene.utility.going == set(WAITING[:2])
        assert [(await scene.view(name)).attempts for name in WAITING] == [1] * len(WAITING)
        assert await scene.claimed() == []
        scene.utility.open.set()
        await scene.delivered(*WAITING)
        assert scene.utility.sent == ["before", *WAITING]
        assert [len((await scene.view(name)).history) for name in WAITING] == [1] * len(WAITING)


async def test_what_waits_in_the_hand_of_a_relay_that_dies_is_taken_over(database_url: str) -> None:
    async with waiting(database_url) as scene:
        assert await scene.claimed(NOON + timedelta(seconds=31)) == WAITING


async def test_what_has_waited_as_long_as_its_lease_allows_is_put_back(database_url: str) -> None:
    async with waiting(database_url) as scene:
        scene.elapsed[0] += FEW.wait.total_seconds()
        scene.utility.open.set()
        await scene.delivered(*WAITING)
        assert sorted(scene.utility.sent[1:]) == WAITING
        for name in WAITING[2:]:
            history = (await scene.view(name)).history
            assert [(each.outcome, each.reason) for each in history] == [
                (AttemptOutcome.NOT_SENT, NO_TURN),
                (AttemptOutcome.RECEIPTED, "accepted"),
            ]


async def test_what_waits_is_put_back_when_its_receiver_fails_and_fails(database_url: str) -> None:
    async with waiting(database_url) as scene:
        scene.utility.fails = True
        scene.utility.open.set()
        async with asyncio.timeout(10):
            while (await scene.view(WAITING[-1])).last_reason is None:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert (await scene.view(WAITING[-1])).last_reason == NO_TURN
        assert scene.utility.sent == ["before", *WAITING[:6]]
        scene.utility.fails = False


async def test_what_is_due_in_the_database_goes_before_what_comes_after_it(database_url: str) -> None:
    async with waiting(database_url) as scene:
        more = [f"more-{number}" for number in range(30)]
        await scene.commit(*(draft(name, f"app-{name}") for name in more))
        left = [name for name in more if not (await scene.view(name)).attempts]
        assert left
        assert not scene.relay.has_room("utility", 0, 0)
        scene.utility.open.set()
        await scene.delivered(*WAITING, *more)
        assert scene.utility.sent == ["before", *WAITING, *more]


async def test_a_unit_that_fails_is_not_promised(scene: Scene) -> None:
    def fails(tx: object) -> None:
        tx.outbox.append(draft("never"))  # type: ignore[attr-defined]
        raise ValueError

    results = await asyncio.gather(
        scene.transactions.write(fails), scene.commit(draft("one", "app-2")), return_exceptions=True
    )
    assert isinstance(results[0], ValueError)
    scene.utility.open.set()
    await scene.delivered("one")
    assert (scene.utility.sent, list(scene.relay.hand_over.promised)) == (["one"], [])


async def test_a_commit_that_fails_gives_its_room_back(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    from adapters.storage import writer

    def failing(transaction: object) -> None:
        raise writer.CommitUnknown("lost")

    with monkeypatch.context() as patch:
        patch.setattr(writer, "_commit_phase", failing)
        with pytest.raises(Exception, match="not_written"):
            await scene.commit(draft("lost"))
    assert list(scene.relay.hand_over.promised) == []
    scene.utility.open.set()
    await scene.commit(draft("one"))
    await scene.delivered("one")
    assert scene.utility.sent == ["one"]


async def test_a_relay_that_dies_with_it_in_hand_leaves_it_to_another(database_url: str) -> None:
    async with scene_over(database_url) as scene:
        await scene.commit(draft("one"))
        await under_way(scene.utility, "one")
        later = NOON + timedelta(seconds=31)
        assert await scene.claimed(later) == ["one"]
        view = await scene.view("one")
        assert (view.state, view.attempts) == (DeliveryState.UNKNOWN, 2)
        ended = [(each.outcome, each.reason) for each in view.history]
        assert ended == [(AttemptOutcome.UNKNOWN, LEASE_LAPSED), (AttemptOutcome.OPEN, "open")]


async def test_what_was_promised_when_it_is_told_to_stop_is_still_sent(database_url: str) -> None:
    names: Sequence[str] = [f"event-{number}" for number in range(20)]
    async with scene_over(database_url) as scene:
        scene.utility.open.set()
        writes = [asyncio.create_task(scene.commit(draft(name, f"app-{name}"))) for name in names]
        await asyncio.sleep(0)
    await asyncio.gather(*writes)
    with opened(database_url, SetClock()) as after:
        views = await after.read(lambda tx: tx.deliveries.list(None, None, 100))
    tried = {view.event.event_id: view.state for view in views if view.attempts}
    assert set(tried.values()) <= {DeliveryState.DELIVERED}
