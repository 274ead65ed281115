"""Looks that end out of order, on clocks that differ, or at a document that nobody can read: what is told of them."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.rechecks.model import NO_LONGER_HELD, Reason
from gateway.rechecks.service import UNREADABLE
from tests.support.licences import province
from tests.support.rechecks import LICENCE, LIMITS, PROPERTY, REVOKED, RechecksRoom, identifier, rechecks_room


@pytest.fixture
def room(database_url: str) -> Iterator[RechecksRoom]:
    with rechecks_room(database_url) as made:
        yield made


async def test_a_look_that_ends_after_a_later_one_takes_nothing_back(room: RechecksRoom) -> None:
    """Else a slow worker would tell a reinstatement that never was, and the next look the revocation again."""
    application_id = await room.apply()
    slow = await room.service.look(application_id, LICENCE, room.later(days=1))
    province().statuses[1] = REVOKED
    room.later(minutes=10)
    assert (await room.service.recheck(application_id, LICENCE)).change is not None
    room.later(minutes=1)
    concluded = await room.transactions.write(
        lambda tx: room.service.conclude(tx, application_id, LICENCE, slow, Reason.STAGE, "evt_slow")
    )
    assert concluded.change is None
    assert concluded.document == await room.document(application_id)
    assert [each.change for each in await room.told()] == ["revoked"]


async def test_a_time_still_to_come_does_not_silence_what_is_found_until_then(room: RechecksRoom) -> None:
    application_id = await room.apply()
    ahead = replace(await room.document(application_id), as_of=room.later(days=1) + timedelta(days=30))
    await room.transactions.write(lambda tx: tx.applications.put_document(application_id, ahead))
    province().statuses[1] = REVOKED
    room.later(minutes=10)
    await room.service.recheck(application_id, LICENCE)
    assert [each.change for each in await room.told()] == ["revoked"]


async def test_a_document_that_cannot_be_read_is_not_taken_for_another_certificate(room: RechecksRoom) -> None:
    """It may be the very one, damaged on the way: nobody is told that it is no longer held."""
    application_id = await room.apply()
    broken = province().envelope(PROPERTY)[:-8] + b"AAAAAAAA"
    another = province().envelope(PROPERTY, ZZBS=identifier(PROPERTY, serial="20260000009"))
    for held in ([broken], [broken, another]):
        room.licences.source.hold(PROPERTY, *held)
        room.later(days=1)
        concluded = await room.service.recheck(application_id, PROPERTY)
        assert concluded.undecided is not None
        assert concluded.undecided.check == UNREADABLE
    assert await room.told() == []


async def test_a_property_that_lies_elsewhere_now_is_not_the_applications_any_more(room: RechecksRoom) -> None:
    application_id = await room.apply()
    room.replace(PROPERTY, KZ_BDCDYH="440305001021GB00233F00010013")
    room.later(days=1)
    await room.service.recheck(application_id, PROPERTY)
    assert [(each.change, each.check) for each in await room.told()] == [("transferred", NO_LONGER_HELD)]


async def test_of_several_hints_in_one_page_the_latest_counts_in_whatever_order(room: RechecksRoom) -> None:
    """Else a look between the two would do for both, and the later change would be told a week late."""
    await room.apply()
    await room.reader().read(room.feed)
    early, late = room.later(minutes=2), room.later(minutes=3)
    for at in (early, late, early):
        room.feed.say(identifier(LICENCE), at)
    now = room.later(minutes=1)
    await room.reader().read(room.feed)
    (claimed,) = await room.transactions.write(lambda tx: tx.recheck_queue.claim("one", now, LIMITS.lease, 9))
    assert claimed.hinted_at == late.replace(microsecond=0)


async def test_a_hint_dated_ahead_is_of_now(room: RechecksRoom) -> None:
    """Else no look before that day could have seen it."""
    await room.apply()
    await room.reader().read(room.feed)
    room.feed.say(identifier(LICENCE), room.later(minutes=2) + timedelta(days=30))
    await room.reader().read(room.feed)
    now = room.later(seconds=1)
    (claimed,) = await room.transactions.write(lambda tx: tx.recheck_queue.claim("one", now, LIMITS.lease, 9))
    assert claimed.hinted_at < now
