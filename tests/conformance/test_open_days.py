"""The root of a day that goes on: what is fixed is read once, and it is right whatever changes; on both databases."""

import asyncio
import random
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from adapters.storage.reconciliation import SqlDayBook
from gateway.reconciliation import trees
from gateway.reconciliation.days import DayEvent
from tests.support.days import MIDNIGHT, MONDAY, TUESDAY, Room, a_report, days_room, days_service


@pytest.fixture
def room(database_url: str) -> Iterator[Room]:
    with days_room(database_url) as made:
        yield made


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The ids of events that leaves were made of, in order; in pages of three."""
    seen: list[str] = []
    real = DayEvent.leaf

    def leaf(event: DayEvent) -> bytes:
        seen.append(event.event_id)
        return real(event)

    monkeypatch.setattr(DayEvent, "leaf", leaf)
    monkeypatch.setattr(trees, "PAGE", 3)
    return seen


async def anew(room: Room) -> Any:
    """Monday as a process tells it that remembers nothing."""
    service = days_service(room.transactions, room.clock)
    return await Room(room.transactions, room.clock, service, room.url).day(MONDAY)


async def test_what_was_sent_once_is_not_read_again(room: Room, read: list[str]) -> None:
    names = [f"{letter}.1" for letter in "abcdefg"]
    await room.append(*names[:5])
    await room.settle("c.1")  # and the others are on their way
    await room.append(*names[5:])
    first = await room.day(MONDAY)
    assert read == names
    read.clear()
    await room.append("h.1", "a.2")
    second = await room.day(MONDAY)
    assert read == ["f.1", "g.1", "h.1", "a.2"], "those that an earlier release may still be the first to send"
    assert (first.count, second.count, second.applications) == (7, 9, 8)
    assert first.root != second.root
    assert second == await anew(room)
    read.clear()
    assert (await room.service.report(room.caller, a_report(first.root, 7))).agrees, "also of what was counted before"
    assert await room.day(MONDAY) == second


async def test_what_an_earlier_release_sends_first_is_told_as_it_was_sent(room: Room) -> None:
    """Its body has another form, and so another digest than the one that was kept when the event was committed."""
    await room.append("a.1")
    await room.settle("a.1")
    await room.append("b.1", "c.1")
    before = await room.day(MONDAY)
    room.behind_the_back("UPDATE outbox SET attempts = 1, state = 'delivered' WHERE event_id = 'b.1'")
    after = await room.day(MONDAY)
    assert after.root != before.root
    assert after == await anew(room)
    await room.append("d.1")
    assert await room.day(MONDAY) == await anew(room)


async def test_of_the_next_day_nothing_of_the_day_before_is_remembered(room: Room, read: list[str]) -> None:
    await room.append("a.1", "b.1")
    await room.settle("a.1")
    await room.settle("b.1")
    await room.day(MONDAY)
    room.clock.at = MIDNIGHT + timedelta(hours=1)
    await room.append("c.1")
    read.clear()
    tuesday = await room.day(TUESDAY)
    assert (tuesday.count, tuesday.first_position, read) == (1, 3, ["c.1"])
    read.clear()
    monday = await room.day(MONDAY)
    assert (monday.closed, read) == (True, ["a.1", "b.1"]), "what is kept for ever is computed from what is there"
    assert monday == await anew(room)


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_happens_it_is_what_a_fresh_process_tells(room: Room, seed: int, read: list[str]) -> None:
    chance, never_sent = random.Random(seed), list[str]()
    for number in range(50):
        match chance.choice(["append", "append", "send all", "sent by an earlier release", "ask", "ask"]):
            case "append":
                never_sent.append(f"s{number}.1")
                await room.append(never_sent[-1])
            case "send all" if never_sent and chance.random() < 0.4:
                await room.settle(chance.choice(never_sent))
                never_sent.clear()
            case "sent by an earlier release" if never_sent:
                name = never_sent.pop(chance.randrange(len(never_sent)))
                room.behind_the_back(f"UPDATE outbox SET attempts = 1, state = 'delivered' WHERE event_id = '{name}'")
            case _:
                assert await room.day(MONDAY) == await anew(room)
    assert await room.day(MONDAY) == await anew(room)


async def test_whoever_does_not_wait_for_the_answer_spoils_nothing(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page is read on: what comes of it must not be taken in twice."""
    await room.append("a.1", "b.1", "c.1")
    await room.settle("a.1")
    reading, go_on = threading.Event(), threading.Event()
    real = SqlDayBook.events

    def slowly(self: SqlDayBook, *arguments: Any) -> Any:
        found = real(self, *arguments)
        reading.set()
        go_on.wait(10)
        return found

    monkeypatch.setattr(SqlDayBook, "events", slowly)
    gone = asyncio.create_task(room.day(MONDAY))
    await asyncio.to_thread(reading.wait, 10)
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    asked = asyncio.create_task(room.day(MONDAY))
    await asyncio.sleep(0.05)
    go_on.set()
    told = await asked
    assert told == await room.day(MONDAY) == await anew(room)
    assert told.count == 3
