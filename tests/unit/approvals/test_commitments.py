"""告知承诺, over both databases: the applicant alone gives it, once, in the words that were shown."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.applications.errors import ApplicationClosed, ApplicationUnknown
from gateway.applications.lifecycle import StageAction, StageEvent, apply
from gateway.approvals.errors import PermitNotFound, ReviewNotFound
from gateway.delivery.ports import ChannelKind
from gateway.records.entries import digest
from schemas.departments import ReviewRequest
from schemas.events import EventType, ReviewChanged
from tests.support.approvals import (
    BASIS,
    GREENERY,
    LOW_LINE,
    ROAD,
    UTILITY,
    ApprovalsRoom,
    a_small_application,
    approvals_room,
    intake,
    the_applicant,
    utility_caller,
)
from tests.support.storage import NOON

STRANGER = the_applicant("1" * 64)


@pytest.fixture
def room(database_url: str):
    with approvals_room(database_url) as made:
        yield made


@pytest.fixture
async def permits(room: ApprovalsRoom) -> dict[str, str]:
    await room.receive_application(a_small_application())
    return await room.open(
        intake(
            {"department": GREENERY, "permit": "greenery_occupation", "mode": "commitment"},
            {"department": ROAD, "permit": "road_occupation"},
            **LOW_LINE,
        )
    )


async def test_the_statement_names_what_is_committed_to_and_stays_the_same(
    room: ApprovalsRoom, permits: dict[str, str]
) -> None:
    shown = await room.commitments.statement(the_applicant(), "app_1", permits[GREENERY])
    for named in (permits[GREENERY], GREENERY, "园林绿化", "app_1", "2026-03-02", BASIS, "380 伏，长 80 米"):
        assert named in shown.text
    assert (shown.sha256, shown.given_at) == (digest(shown.text), None)
    room.clock.advance(days=3)
    assert await room.commitments.statement(the_applicant(), "app_1", permits[GREENERY]) == shown
    assert "测试" not in shown.text


async def test_given_it_approves_at_once_and_the_department_and_the_utility_are_told(
    room: ApprovalsRoom, permits: dict[str, str]
) -> None:
    shown = await room.commitments.statement(the_applicant(), "app_1", permits[GREENERY])
    at = NOON + timedelta(hours=1)
    given = await room.commitments.give(the_applicant(), "app_1", permits[GREENERY], at)
    assert (given.text, given.sha256, given.given_at) == (shown.text, shown.sha256, at)
    (event,) = await room.events(GREENERY)
    asked = ReviewRequest.model_validate(event.data)
    assert (event.channel, asked.commitment, asked.mode) == (ChannelKind.DEPARTMENT, shown.sha256, "commitment")
    *_, told = await room.events(UTILITY)
    changed = ReviewChanged.model_validate(told.data)
    assert (told.type, changed.change) == (EventType.REVIEW_CHANGED, "commitment_given")
    assert {permit.state for permit in changed.permits} == {"approved_on_commitment", "submitted"}
    *_, entry = await room.entries()
    assert (entry["action"], entry["actor"], entry["subject"]) == ("commitment.given", "applicant", "app_1")
    assert entry["facts"]["statement_sha256"] == shown.sha256
    assert (entry["facts"]["verified_by"], entry["facts"]["role"]) == ("e_licence", "agent")
    view = await room.window.view(utility_caller(), "app_1", at)
    assert view.permits[0].state == "approved_on_commitment"


async def test_given_again_nothing_happens_again(room: ApprovalsRoom, permits: dict[str, str]) -> None:
    give = room.commitments.give
    answers = await asyncio.gather(*(give(the_applicant(), "app_1", permits[GREENERY], NOON) for _ in range(6)))
    assert all(answer == answers[0] for answer in answers)
    assert len(await room.events(GREENERY)) == 1
    assert (await room.actions()).count("commitment.given") == 1


async def test_nobody_else_reads_or_gives_it(room: ApprovalsRoom, permits: dict[str, str]) -> None:
    for applicant, application_id, permit_id, error in (
        (STRANGER, "app_1", permits[GREENERY], ApplicationUnknown),
        (the_applicant(), "app_9", permits[GREENERY], ApplicationUnknown),
        (the_applicant(), "app_1", permits[ROAD], PermitNotFound),
        (the_applicant(), "app_1", "prm_none", PermitNotFound),
    ):
        with pytest.raises(error):
            await room.commitments.statement(applicant, application_id, permit_id)
        with pytest.raises(error):
            await room.commitments.give(applicant, application_id, permit_id, NOON)
    assert await room.events(GREENERY) == []
    assert await room.actions() == ["review.opened", *["commitment.refused"] * 4]


async def test_without_a_review_there_is_nothing_to_commit_to(room: ApprovalsRoom) -> None:
    await room.receive_application(a_small_application())
    with pytest.raises(ReviewNotFound):
        await room.commitments.statement(the_applicant(), "app_1", "prm_1")


async def test_nothing_is_committed_once_the_application_is_closed(
    room: ApprovalsRoom, permits: dict[str, str]
) -> None:
    application = a_small_application()
    ended = apply(application.lifecycle, StageEvent(StageAction.WITHDRAWN, NOON), NOON)
    await room.transactions.write(lambda tx: tx.applications.put_lifecycle("app_1", ended))
    with pytest.raises(ApplicationClosed):
        await room.commitments.give(the_applicant(), "app_1", permits[GREENERY], NOON)
    assert await room.events(GREENERY) == []


async def test_another_line_is_another_statement(room: ApprovalsRoom) -> None:
    texts = set()
    for n, length in enumerate((80.0, 81.0)):
        application = replace(a_small_application(), application_id=f"app_{n}")
        await room.receive_application(application)
        commitment = {"department": GREENERY, "permit": "greenery_occupation", "mode": "commitment"}
        permits = await room.open(intake(commitment, **LOW_LINE | {"length_m": length}), f"app_{n}")
        shown = await room.commitments.statement(the_applicant(), f"app_{n}", permits[GREENERY])
        texts.add(shown.text.split("电力外线工程：")[1].split("\n")[0])
    assert len(texts) == 2
