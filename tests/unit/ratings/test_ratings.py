"""好差评, over both databases: once, by its applicant, when the service has ended; a bad one is answered in time."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.applications.errors import ApplicationUnknown
from gateway.applications.lifecycle import StageAction
from gateway.applications.rule_book import published_rules
from gateway.errors import GatewayError
from gateway.ratings.errors import FollowUpNotOpen, RatingGiven, RatingMalformed, RatingNotOpen, RatingUnknown
from gateway.ratings.model import BAD_LEVELS, GOOD, LEVELS, TAGS, RatingRules, require_tags
from gateway.ratings.service import RatingService
from gateway.retention.policies import Kept, RetentionPolicy
from schemas.events import EventType
from schemas.ratings import RatingLevel, RatingRequest, RatingTag, ServiceRated
from tests.support.approvals import UTILITY
from tests.support.contracts import HOLDER, ContractsRoom, a_zero_application, contracts_room
from tests.support.storage import DIGESTS, NOON

WORDS = "师傅态度不好"
BAD = RatingRequest(level=RatingLevel.DISSATISFIED, tags=[RatingTag.SLOW], text=WORDS)
GOOD_ONE = RatingRequest(level=RatingLevel.VERY_SATISFIED, tags=[RatingTag.QUICK])


@pytest.fixture
async def room(database_url: str) -> Iterator[ContractsRoom]:
    with contracts_room(database_url) as made:
        await made.approvals.receive_application(a_zero_application())
        yield made


def rating(room: ContractsRoom) -> RatingService:
    rules = RatingRules(open_days=30, answer_working_days=15)
    transactions, clock = room.approvals.transactions, room.approvals.clock
    return RatingService(transactions, published_rules, rules, clock, lambda kind: f"{kind}_{clock()}", DIGESTS)


async def refused(call, error: type[GatewayError], check: str) -> None:
    with pytest.raises(error) as caught:
        await call
    assert caught.value.check == check


async def test_rated_once_when_it_has_ended(room: ContractsRoom) -> None:
    service = rating(room)
    await refused(service.rate("app_1", HOLDER, GOOD_ONE), RatingNotOpen, "rating.not_ended")
    await refused(service.standing("app_1", HOLDER), RatingNotOpen, "rating.not_ended")
    await room.happens(StageAction.ENDED, None, "无法办理")
    await refused(service.rate("app_1", "1" * 64, GOOD_ONE), ApplicationUnknown, "application.unknown")
    assert await service.standing("app_1", HOLDER) is None
    room.approvals.clock.advance(days=30)
    given_one = await service.rate("app_1", HOLDER, GOOD_ONE)
    assert (given_one.level, given_one.answer_by) == (RatingLevel.VERY_SATISFIED, None)
    await refused(service.rate("app_1", HOLDER, BAD), RatingGiven, "rating.given")
    room.approvals.clock.advance(days=99)
    assert await service.standing("app_1", HOLDER) == given_one
    await refused(service.answer("app_1", "谢谢", UTILITY, UTILITY), FollowUpNotOpen, "rating.follow_up")
    assert await service.waiting(10) == []


async def test_too_late_is_too_late(room: ContractsRoom) -> None:
    await room.happens(StageAction.WITHDRAWN, None)
    room.approvals.clock.advance(days=30, seconds=1)
    await refused(rating(room).rate("app_1", HOLDER, GOOD_ONE), RatingNotOpen, "rating.over")


async def test_a_bad_one_is_answered_in_time_and_the_applicant_sees_it(room: ContractsRoom) -> None:
    service = rating(room)
    await room.happens(StageAction.WITHDRAWN, None)
    given_one = await service.rate("app_1", HOLDER, BAD)
    end_of_23_march_in_china = datetime(2026, 3, 23, 16, tzinfo=UTC) - timedelta(microseconds=1)
    assert given_one.answer_by == end_of_23_march_in_china
    (waits,) = await service.waiting(10)
    assert not waits.overdue_at(NOON + timedelta(days=21))
    assert waits.overdue_at(NOON + timedelta(days=22))
    await refused(service.answer("app_1", "已整改", "csg-foshan", "csg-foshan"), RatingUnknown, "rating.unknown")
    answered = await service.answer("app_1", "已整改", UTILITY, UTILITY)
    assert answered == await service.answer("app_1", "已整改", UTILITY, UTILITY)
    await refused(service.answer("app_1", "又整改", "officer:off_1"), FollowUpNotOpen, "rating.follow_up")
    assert (await service.standing("app_1", HOLDER)).answer == "已整改"
    assert await service.waiting(10) == []


@pytest.mark.parametrize("share", [True, False])
async def test_what_was_written_reaches_the_utility_only_where_the_applicant_says_so(
    room: ContractsRoom, share: bool
) -> None:
    service = rating(room)
    await room.happens(StageAction.WITHDRAWN, None)
    await service.rate("app_1", HOLDER, BAD.model_copy(update={"share_text": share}))
    (event,) = await room.approvals.events(UTILITY)
    told = ServiceRated.model_validate(event.data)
    assert (event.type, told.level, told.text) == (EventType.SERVICE_RATED, BAD.level, WORDS if share else None)
    assert WORDS not in str(await room.approvals.entries())
    policy = RetentionPolicy(Kept.WITHDRAWN_PARTIES, "", "", timedelta(), "")
    await room.approvals.transactions.write(lambda tx: tx.removal.remove(policy, NOON, NOON, 10))
    left = await service.standing("app_1", HOLDER)
    assert (left.level, left.tags, left.text) == (BAD.level, BAD.tags, None)


@given(st.sampled_from(RatingLevel), st.lists(st.sampled_from(RatingTag), max_size=6))
def test_reasons_go_with_the_level(level: RatingLevel, tags: list[RatingTag]) -> None:
    good, bad = set(tags) & GOOD, set(tags) - GOOD
    fits = not (good if level in BAD_LEVELS else bad if level in list(RatingLevel)[:2] else set())
    if fits and len(set(tags)) == len(tags):
        require_tags(level, tags)
        return
    with pytest.raises(RatingMalformed):
        require_tags(level, tags)


def test_every_level_and_reason_has_its_words() -> None:
    assert LEVELS.keys() == set(RatingLevel)
    assert TAGS.keys() == set(RatingTag)
