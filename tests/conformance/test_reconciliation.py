"""A utility's day on both databases: which events are its, that it never changes, and what the root is over."""

import asyncio
import hashlib
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from adapters.storage.deliveries import outbox
from adapters.storage.engine import create_database_engine
from gateway.delivery.cloud_events import encode_cloud_event
from gateway.delivery.ports import DeliveryState
from gateway.reconciliation.errors import DaysRefused
from gateway.restorations.ports import Restoration
from gateway.retention.policies import policies
from gateway.retention.service import RetentionService
from schemas.events import EPOCH
from schemas.reconciliation import ResendOrder
from tests.support.approvals import UTILITY
from tests.support.days import (
    MIDNIGHT,
    MONDAY,
    SOURCE,
    TUESDAY,
    WEDNESDAY,
    Room,
    a_report,
    days_room,
    days_service,
)
from tests.support.retention import PERIODS
from tests.support.storage import NOON, SetClock, opened


@pytest.fixture
def room(database_url: str) -> Iterator[Room]:
    with days_room(database_url) as made:
        yield made


def sha(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def rfc9162_root(leaves: list[bytes]) -> bytes:
    """Written from RFC 9162 §2.1.1, apart from the gateway's."""
    if not leaves:
        return sha(b"")
    if len(leaves) == 1:
        return sha(b"\x00" + leaves[0])
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return sha(b"\x01" + rfc9162_root(leaves[:split]) + rfc9162_root(leaves[split:]))


async def test_the_root_is_what_a_receiver_computes_from_bodies_and_the_page_alone(room: Room) -> None:
    await room.append("a.1", "b.1", "a.2", "c.1", "a.3")
    events = await room.transactions.read(lambda tx: tx.deliveries.feed(UTILITY, 0, 100))
    leaves = [
        b'{"body_sha256":"%s","event_id":"%s","position":%d,"sequence":%d,"subject":"%s","v":1}'
        % (
            sha(encode_cloud_event(event, SOURCE)).hex().encode(),
            event.event_id.encode(),
            event.position,
            event.sequence,
            event.subject.encode(),
        )
        for event in events
    ]
    room.clock.advance(days=1)
    day = await room.day(MONDAY)
    assert (day.closed, day.count, day.first_position, day.last_position, day.applications) == (True, 5, 1, 5, 3)
    assert day.root == rfc9162_root(leaves).hex()
    page = await room.service.events(room.caller, MONDAY, 0, 2)
    assert ([event.event_id for event in page.events], page.cursor, page.more) == (["a.1", "b.1"], 2, True)
    rest = await room.service.events(room.caller, MONDAY, page.cursor, 10)
    assert ([event.position for event in rest.events], rest.more) == ([3, 4, 5], False)
    assert [each.body_sha256 for each in (*page.events, *rest.events)] == [
        sha(encode_cloud_event(event, SOURCE)).hex() for event in events
    ]
    (anchored,) = await room.entries("reconciliation.closed")
    assert (anchored["facts"]["root"], anchored["facts"]["day"]) == (day.root, "2026-03-02")
    assert day.record_id


async def test_a_day_goes_by_the_order_of_commits_and_a_closed_one_never_changes(room: Room) -> None:
    await room.append("a.1", at=MIDNIGHT - timedelta(seconds=2))
    await room.append("a.2", at=MIDNIGHT)
    await room.append("late-but-behind-tuesday", at=MIDNIGHT - timedelta(seconds=1))
    room.clock.at = MIDNIGHT + timedelta(seconds=1)
    before = await room.answer(MONDAY)
    assert await room.names(MONDAY) == ["a.1"]
    assert await room.names(TUESDAY) == ["a.2", "late-but-behind-tuesday"]
    await room.append("late-after-closing", at=MIDNIGHT - timedelta(seconds=1))
    again = await room.answer(MONDAY)
    assert again.days == before.days
    assert await room.names(TUESDAY) == ["a.2", "late-but-behind-tuesday", "late-after-closing"]
    room.clock.advance(days=1)
    tuesday = await room.day(TUESDAY)
    assert (tuesday.closed, tuesday.first_position, tuesday.last_position) == (True, 2, 4)
    assert len(await room.entries("reconciliation.closed")) == 2, "a day that is asked for again is not closed again"


async def test_what_is_committed_late_is_its_own_days_while_that_is_open(room: Room) -> None:
    await room.append("a.1")
    room.clock.at = MIDNIGHT + timedelta(hours=1)
    await room.append("a.2", at=MIDNIGHT - timedelta(milliseconds=1))
    assert await room.names(MONDAY) == ["a.1", "a.2"]


async def test_an_empty_day_stays_empty(room: Room) -> None:
    room.clock.at = MIDNIGHT + timedelta(hours=1)
    empty = await room.day(MONDAY)
    assert (empty.closed, empty.count, empty.first_position, empty.last_position) == (True, 0, 1, 0)
    assert empty.root == hashlib.sha256(b"").hexdigest()
    await room.append("a.1", at=MIDNIGHT - timedelta(hours=1))
    room.clock.at = MIDNIGHT + timedelta(days=3)
    days = (await room.answer(MONDAY - timedelta(days=1), WEDNESDAY)).days
    assert [(day.day, day.count, day.closed) for day in days] == [
        (MONDAY - timedelta(days=1), 0, True),
        (MONDAY, 0, True),
        (TUESDAY, 1, True),
        (WEDNESDAY, 0, True),
    ]


async def test_today_is_told_as_it_stands_and_days_to_come_are_refused(room: Room) -> None:
    room.clock.at = NOON - timedelta(days=1)
    await room.append("a.1")
    room.clock.at = NOON
    await room.append("a.2", "b.1")
    today = await room.day(MONDAY)
    assert (today.closed, today.count, today.first_position, today.record_id) == (False, 2, 2, None)
    await room.append("b.2")
    assert (await room.day(MONDAY)).count == 3
    (yesterday,) = (await room.answer()).days
    assert (yesterday.day, yesterday.count, yesterday.closed) == (MONDAY - timedelta(days=1), 1, True)
    for first, last in ((TUESDAY, None), (MONDAY, MONDAY - timedelta(days=1)), (MONDAY - timedelta(days=31), MONDAY)):
        with pytest.raises(DaysRefused):
            await room.answer(first, last)


async def test_a_utility_sees_its_own_days_alone(room: Room) -> None:
    await room.append("a.1")
    await room.append("x.1", "x.2", to="csg-shenzhen")
    assert (await room.day(MONDAY)).count == 1
    answered = await room.service.resend(room.caller, ResendOrder(reason="receiver_lost_data", event_ids=["x.1"]))
    assert answered.unknown == ["x.1"]


async def test_a_day_reconciles_when_its_events_are_erased_also_those_of_an_earlier_release(room: Room) -> None:
    """The root is made after the erasure: the digests have outlived what they are of."""
    await room.append("a.1", "b.1", "c.1")
    for name in ("a.1", "b.1"):
        await room.settle(name)
    digests = [event.body_sha256 for event in (await room.service.events(room.caller, MONDAY, 0, 9)).events]
    room.behind_the_back("UPDATE outbox SET body_sha256 = NULL")  # as an earlier release left them
    room.clock.advance(days=400)
    retention = RetentionService(room.transactions, policies(PERIODS, {}), room.clock)
    assert await retention.run() == {}, "nothing is erased whose digest is not kept"
    room.behind_the_back(
        "UPDATE outbox SET erased_at = settled_at WHERE event_id = 'a.1'"
    )  # as an earlier release's retention would, beside this one
    room.behind_the_back(
        f"UPDATE outbox SET body_sha256 = '{'f' * 64}', body_form = NULL WHERE event_id = 'b.1'"
    )  # numbered by this release, and first sent by an earlier one
    assert await room.service.keep_digests() == 3
    assert (await retention.run())["deliveries"] == 1
    page = await room.service.events(room.caller, MONDAY, 0, 9)
    assert [event.body_sha256 for event in page.events] == digests
    assert [event.erased for event in page.events] == [True, True, False]
    assert (await room.day(MONDAY)).count == 3
    assert await room.service.keep_digests() == 0


async def test_what_nobody_can_tell_any_more_holds_up_nothing(room: Room) -> None:
    await room.append("a.1")
    await room.settle("a.1", DeliveryState.DEAD)
    room.behind_the_back("UPDATE outbox SET body_sha256 = NULL, erased_at = settled_at")
    assert await room.service.keep_digests() == 0
    (event,) = (await room.service.events(room.caller, MONDAY, 0, 9)).events
    assert event.body_sha256 is None
    room.clock.advance(days=1)
    leaf = b'{"body_sha256":null,"event_id":"a.1","position":1,"sequence":1,"subject":"a","v":1}'
    assert (await room.day(MONDAY)).root == sha(b"\x00" + leaf).hex()


async def test_what_is_lost_is_sent_again_and_recorded(room: Room) -> None:
    await room.append("a.1", "b.1", "c.1", "d.1")
    await room.append("x.1", to="csg-shenzhen")
    await room.settle("a.1")
    await room.settle("b.1")
    await room.settle("c.1", DeliveryState.DEAD)
    room.behind_the_back("UPDATE outbox SET erased_at = settled_at WHERE event_id = 'b.1'")
    order = ResendOrder(reason="receiver_lost_data", event_ids=["c.1", "a.1", "b.1", "d.1", "x.1", "never.was", "a.1"])
    answered = await room.service.resend(room.caller, order)
    assert answered.resent == ["c.1", "a.1"]
    assert (answered.under_way, answered.erased, answered.unknown) == (["d.1"], ["b.1"], ["x.1", "never.was"])
    assert (await room.service.resend(room.caller, order)).under_way == ["c.1", "a.1", "d.1"]
    recorded = await room.entries("delivery.replayed")
    assert [(each["facts"]["event"], each["actor"], each["facts"]["reason"]) for each in recorded] == [
        ("c.1", UTILITY, "receiver_lost_data"),
        ("a.1", UTILITY, "receiver_lost_data"),
    ]
    stranger = await room.transactions.read(lambda tx: tx.deliveries.find("x.1"))
    assert stranger is not None
    assert stranger.last_reason != "replayed"


async def test_a_report_is_judged_kept_and_recorded_without_what_the_utility_named(room: Room) -> None:
    await room.append("a.1", "b.1")
    room.clock.advance(days=1)
    day = await room.day(MONDAY)
    missed = {"kind": "missed_by_utility", "event_id": "b.1", "position": 2, "healed": True}
    invented = {"kind": "unknown_to_gateway", "event_id": "440106199001011234"}
    mistaken = {"kind": "unknown_to_gateway", "event_id": "a.1"}
    told = await room.service.report(room.caller, a_report("0" * 64, 1, missed, invented, mistaken))
    assert (told.agrees, told.known_here) == (False, ["a.1"])
    (entry,) = await room.entries("reconciliation.reported")
    assert entry["facts"]["kinds"] == ["missed_by_utility:1", "unknown_to_gateway:2"]
    assert "440106199001011234" not in json.dumps(entry)
    kept = await room.service.find_report(UTILITY, MONDAY)
    assert (kept.agrees, kept.record_id, len(kept.body["differences"])) == (False, told.record_id, 3)
    assert [each.day for each in await room.service.reports(None, only_differing=True, limit=5)] == [MONDAY]
    healed = await room.service.report(room.caller, a_report(day.root, 2))
    assert healed.agrees
    assert await room.service.reports(None, only_differing=True, limit=5) == []
    (latest,) = await room.service.reports(UTILITY, only_differing=False, limit=5)
    assert latest.record_id == healed.record_id
    assert not (await room.service.report(room.caller, a_report(day.root, 1))).agrees


async def test_a_report_on_today_is_judged_by_what_the_utility_had_counted(room: Room) -> None:
    await room.append("a.1")
    counted = await room.day(MONDAY)
    await room.append("a.2")
    assert (await room.service.report(room.caller, a_report(counted.root, 1))).agrees
    assert not (await room.service.report(room.caller, a_report(counted.root, 2))).agrees


async def test_nothing_is_numbered_while_a_day_is_closed(databases: Any) -> None:
    """On PostgreSQL two gateways: one is about to commit an event while the other closes the day."""
    with databases.postgresql() as url:
        clock = SetClock(NOON)
        with opened(url, clock) as transactions:
            room = Room(transactions, clock, days_service(transactions, clock), url)
            await room.append("a.1")
            engine = create_database_engine(url, pool_size=1)
            with engine.connect() as other:
                other.begin()
                other.execute(
                    text("UPDATE outbox_counters SET last = last + 1 WHERE destination = :who AND subject = ''"),
                    {"who": UTILITY},
                )
                row = other.execute(outbox.select()).one()._mapping
                other.execute(outbox.insert().values({**row, "event_id": "a.2", "position": 2, "sequence": 2}))
                room.clock.at = MIDNIGHT + timedelta(hours=1)
                closing = asyncio.create_task(room.day(MONDAY))
                done, _ = await asyncio.wait([closing], timeout=0.5)
                assert not done, "it waits for the event that has its number already"
                other.commit()
            engine.dispose()
            assert (await closing).count == 2


async def test_after_a_restore_a_day_counts_what_is_here_and_covers_what_only_the_utility_has(room: Room) -> None:
    await room.append("a.1", "b.1")
    restored = Restoration(1, None, None, None)
    await room.transactions.write(lambda tx: tx.restorations.adopt(restored, NOON, "entry-1"))
    empty = await room.day(MONDAY)
    assert (empty.count, empty.first_position) == (2, 1)
    await room.append("a.2", "c.1")
    today = await room.day(MONDAY)
    assert (today.count, today.first_position, today.last_position) == (4, 1, EPOCH + 2)
    assert today.first_position <= 3 <= today.last_position, "where the utility holds position 3, it is this day's"
    room.clock.advance(days=1)
    await room.append("a.3")
    closed = await room.day(MONDAY)
    assert (closed.closed, closed.count, closed.root) == (True, 4, today.root)
    assert await room.names(MONDAY) == ["a.1", "b.1", "a.2", "c.1"]
    after = await room.day(MONDAY + timedelta(days=1))
    assert (after.count, after.first_position, after.last_position) == (1, EPOCH + 3, EPOCH + 3)
