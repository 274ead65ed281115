"""Messages wait, are sent once, put off, given up; and how to reach somebody is sealed and goes with the withdrawal."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from adapters.storage.notice_sends import notice_preferences
from gateway.applications.own_application import OwnApplicationService
from gateway.delivery.backoff import Backoff
from gateway.delivery.errors import DeliveryRefused
from gateway.errors import GatewayError, Owner, PartnerUnavailable
from gateway.notices.errors import AddressUnfit
from gateway.notices.preferences import SendState, Way
from gateway.notices.sending import LEASE, NoticeSender
from gateway.notices.service import NoticeService
from gateway.notices.words import Message, Tongue
from gateway.retention.policies import Kept, RetentionPolicy
from schemas.partner_api import EndingRequest
from tests.support.licences import UTILITY, LicencesRoom, an_applicant, licences_room

HOLDER, ADDRESS = an_applicant().holder_digest, "somebody@example.com"
BUSY = PartnerUnavailable(check="email.busy", owner=Owner.GATEWAY, remedy="", partner="email")
REFUSED = DeliveryRefused(check="email.status_550", owner=Owner.APPLICANT, remedy="", partner="email", status=550)


@pytest.fixture
def room(database_url: str) -> Iterator[LicencesRoom]:
    with licences_room(database_url) as made:
        yield made


@dataclass
class Post:
    """A channel that keeps what it is given, or fails as it is told."""

    fails: GatewayError | None = None
    sent: list[tuple[str, str]] = field(default_factory=list)

    async def send(self, key: str, address: str, message: Message, at: datetime) -> None:
        if self.fails is not None:
            raise self.fails
        self.sent.append((address, message.body))


def sender(room: LicencesRoom, post: Post, owner: str = "one") -> NoticeSender:
    backoff = Backoff(timedelta(minutes=1), timedelta(minutes=1), timedelta(minutes=3))
    return NoticeSender(
        owner, room.transactions, {Way.EMAIL: post}, room.clock, backoff, "https://g.example", random.Random(1)
    )


async def applied(room: LicencesRoom, address: str = ADDRESS) -> tuple[str, NoticeService]:
    application_id = (await room.apply()).application.application_id
    service = NoticeService(room.transactions, room.clock, frozenset({Way.EMAIL}))
    await service.choose(application_id, HOLDER, Way.EMAIL, address, Tongue.CHINESE)
    room.clock.advance(minutes=1)
    return application_id, service


async def ended(room: LicencesRoom, application_id: str) -> None:
    request = EndingRequest(event_id="end-1", reason="用户变更用电地址", claimed_at=room.clock())
    await room.stages.end(UTILITY, application_id, request)


async def backlog(room: LicencesRoom) -> tuple[int, int]:
    found = await room.transactions.read(lambda tx: tx.notice_sends.backlog())
    return found.waiting, found.dead


async def recorded(room: LicencesRoom, application_id: str, *actions: str) -> list[bytes]:
    found = await room.transactions.read(lambda tx: list(tx.record_reader.of_subject(application_id, actions)))
    return [bytes(each.leaf) for each in found]


async def test_what_happens_after_the_choice_is_sent_once_and_recorded_without_the_address(room: LicencesRoom) -> None:
    application_id, _ = await applied(room)
    post = Post()
    assert await sender(room, post).pass_once() == 0
    await ended(room, application_id)
    assert await sender(room, post).pass_once() == 1
    assert await sender(room, post, "two").pass_once() == 0
    assert [to for to, _ in post.sent] == [ADDRESS]
    assert application_id in post.sent[0][1]
    leaves = await recorded(room, application_id, "notice.way_chosen", "notice.sent")
    assert len(leaves) == 2
    assert not any(ADDRESS.encode() in leaf for leaf in leaves)


async def test_who_is_busy_is_tried_again_and_given_up_after_a_time(room: LicencesRoom) -> None:
    application_id, _ = await applied(room)
    await ended(room, application_id)
    post, attempts = Post(fails=BUSY), 0
    while (await backlog(room))[0] and attempts < 50:
        attempts += await sender(room, post).pass_once()
        room.clock.advance(minutes=1)
    assert 3 < attempts < 50
    assert await backlog(room) == (0, 1)
    assert len(await recorded(room, application_id, "notice.dead")) == 1


async def test_who_refuses_is_not_tried_again(room: LicencesRoom) -> None:
    application_id, _ = await applied(room)
    await ended(room, application_id)
    assert await sender(room, Post(fails=REFUSED)).pass_once() == 1
    assert await backlog(room) == (0, 1)


async def test_what_a_dead_sender_claimed_is_taken_over_and_settled_once(room: LicencesRoom) -> None:
    application_id, _ = await applied(room)
    await ended(room, application_id)
    now = room.clock()
    (claimed,) = await room.transactions.write(lambda tx: tx.notice_sends.claim("dead", now, LEASE, 8))
    post = Post()
    assert await sender(room, post).pass_once() == 0
    room.clock.advance(minutes=3)
    assert await sender(room, post).pass_once() == 1

    def late(tx: Any) -> bool:
        return bool(tx.notice_sends.settle("dead", claimed.notice.key, SendState.DEAD, room.clock()))

    assert await room.transactions.write(late) is False
    assert (len(post.sent), await backlog(room)) == (1, (0, 0))


async def test_a_withdrawal_removes_how_to_reach_somebody_and_what_waits(room: LicencesRoom) -> None:
    application_id, service = await applied(room)
    own = OwnApplicationService(room.transactions, room.clock, lambda kind: f"{kind}_own", "共享平台")
    await own.withdraw(application_id, HOLDER)
    assert await service.chosen(application_id, HOLDER) is None
    assert await sender(room, post := Post()).pass_once() == 0
    assert (post.sent, await backlog(room)) == ([], (0, 0))


async def test_taken_back_or_past_its_period_it_is_gone(room: LicencesRoom) -> None:
    application_id, service = await applied(room)
    await service.choose(application_id, HOLDER, Way.NONE, "", Tongue.CHINESE)
    assert await service.chosen(application_id, HOLDER) is None
    await service.choose(application_id, HOLDER, Way.EMAIL, ADDRESS, Tongue.ENGLISH)
    await ended(room, application_id)
    policy = RetentionPolicy(Kept.PARTIES, "", "", timedelta(), "")
    after = room.clock.advance(days=1)
    await room.transactions.write(lambda tx: tx.removal.remove(policy, after, after, 10))
    assert await service.chosen(application_id, HOLDER) is None


async def test_an_address_rests_sealed_and_only_what_is_one_is_taken(room: LicencesRoom) -> None:
    application_id, service = await applied(room)
    stored = await room.transactions.read(
        lambda tx: tx.notice_sends._statements.execute(select(notice_preferences.c.address)).scalar_one()
    )
    assert ADDRESS.encode() not in bytes(stored)
    unfit = ((Way.EMAIL, "a@b"), (Way.EMAIL, "a@b.example\nBcc: c@d.example"), (Way.PLATFORM, "13800000000"))
    for way, address in unfit:
        with pytest.raises(AddressUnfit):
            await service.choose(application_id, HOLDER, way, address, Tongue.CHINESE)
