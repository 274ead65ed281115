"""The single window, over both databases: who may open what, and what leaves with it."""

import asyncio
from datetime import timedelta

import pytest

from gateway.applications.errors import ApplicationClosed
from gateway.applications.lifecycle import StageAction, StageEvent, apply
from gateway.approvals.errors import (
    DepartmentNotConcerned,
    PermitNotFound,
    ReviewApplicationUnknown,
    ReviewContradicts,
    ReviewNotFound,
    ReviewUnsound,
)
from gateway.caller import Role
from gateway.delivery.ports import ChannelKind
from gateway.errors import GatewayError
from schemas.departments import ReviewRequest
from schemas.events import EventType, ReviewOpened
from tests.support.approvals import (
    COMMITMENT,
    GREENERY,
    PLANNING,
    ROAD,
    UTILITY,
    ApprovalsRoom,
    an_application,
    approvals_room,
    intake,
    utility_caller,
)
from tests.support.partners import ISSUER
from tests.support.storage import NOON

GREENERY_PERMIT = {"department": GREENERY, "permit": "greenery_occupation", "mode": "commitment"}


@pytest.fixture
def room(database_url: str):
    with approvals_room(database_url) as made:
        yield made


async def refusal(room: ApprovalsRoom, error: type[GatewayError], request=None, caller=None) -> GatewayError:
    with pytest.raises(error) as caught:
        await room.window.open(caller or utility_caller(), "app_1", request or intake(), NOON)
    return caught.value


async def test_one_intake_goes_out_to_every_department_and_to_the_utility(room: ApprovalsRoom) -> None:
    await room.receive_application()
    answered = await room.window.open(utility_caller(), "app_1", intake(), NOON)
    assert answered.created
    assert (answered.view.state, answered.view.limit_working_days) == ("under_way", 5)
    assert "1928" in (answered.view.limit_clause or "")
    for permit in answered.view.permits:
        (event,) = await room.events(permit.department)
        assert (event.channel, event.subject, event.sequence) == (ChannelKind.DEPARTMENT, "app_1", 1)
        request = ReviewRequest.model_validate(event.data)
        assert (request.iss, request.aud, request.jti) == (ISSUER, permit.department, event.event_id)
        assert (request.permit_id, request.permit, request.region) == (permit.permit_id, permit.permit, "440106")
        assert request.due_on == permit.due_on
        assert request.due_on.isoformat() == "2026-03-09"
        assert request.outcomes_uri == f"https://gateway.example/v1/departments/{permit.department}/outcomes"
    (told,) = await room.events(UTILITY)
    assert (told.type, told.channel) == (EventType.REVIEW_OPENED, ChannelKind.WEBHOOK)
    assert ReviewOpened.model_validate(told.data).permits == answered.view.permits
    (entry,) = await room.entries()
    assert (entry["action"], entry["actor"], entry["subject"]) == ("review.opened", UTILITY, "app_1")


async def test_the_same_intake_again_is_the_same_review_and_another_is_a_conflict(room: ApprovalsRoom) -> None:
    await room.receive_application()
    permits = [permit.model_dump(mode="json") for permit in intake().permits]
    first, again = await asyncio.gather(
        room.window.open(utility_caller(), "app_1", intake(), NOON),
        room.window.open(utility_caller(), "app_1", intake(*reversed(permits)), NOON + timedelta(hours=1)),
    )
    assert {first.created, again.created} == {True, False}
    assert first.view.review_id == again.view.review_id
    assert first.view.record_id == again.view.record_id
    refused = await refusal(room, ReviewContradicts, intake(length_m=421))
    assert len(await room.events(UTILITY)) == len(await room.events(ROAD)) == 1
    entries = await room.entries()
    assert [entry["action"] for entry in entries] == ["review.opened", "review.refused"]
    assert entries[1]["facts"]["check"] == refused.check
    assert refused.record_id is not None


async def test_another_utility_learns_nothing_of_an_application(room: ApprovalsRoom) -> None:
    other = utility_caller("csg-shenzhen")
    unknown = await refusal(room, ReviewApplicationUnknown)
    await room.receive_application()
    await room.open()
    foreign = await refusal(room, ReviewApplicationUnknown, caller=other)
    assert (foreign.check, foreign.remedy) == (unknown.check, unknown.remedy)
    with pytest.raises(ReviewApplicationUnknown):
        await room.window.view(other, "app_1", NOON)


async def test_a_closed_application_gets_no_review(room: ApprovalsRoom) -> None:
    application = an_application()
    ended = apply(application.lifecycle, StageEvent(StageAction.WITHDRAWN, NOON), NOON)
    await room.receive_application(an_application(lifecycle=ended))
    await refusal(room, ApplicationClosed)
    assert await room.events(ROAD) == []


@pytest.mark.parametrize(
    ("permits", "line", "error", "check"),
    [
        ([{"department": "mining-440100", "permit": "x"}], {}, DepartmentNotConcerned, "department.unknown"),
        (
            [{"department": "road-440300", "permit": "road_occupation"}],
            {},
            DepartmentNotConcerned,
            "department.unknown",
        ),
        ([{"department": UTILITY, "permit": "road_occupation"}], {}, DepartmentNotConcerned, "department.unknown"),
        ([{"department": ROAD, "permit": "river_works"}], {}, DepartmentNotConcerned, "department.permit"),
        (
            [{"department": "road-440200", "permit": "road_occupation"}],
            {},
            DepartmentNotConcerned,
            "department.region",
        ),
        ([{"department": ROAD, "permit": "road_occupation"}] * 2, {}, ReviewUnsound, "joint_review.permits"),
        (
            [{"department": ROAD, "permit": "road_occupation", "commitment": COMMITMENT}],
            {},
            ReviewUnsound,
            "joint_review.commitment",
        ),
        ([], {"voltage_v": 1000}, ReviewUnsound, "joint_review.voltage"),
    ],
)
async def test_an_unsound_intake_is_refused_and_nothing_leaves(
    room: ApprovalsRoom, permits, line, error, check
) -> None:
    room.directory.add("road-440200", Role.DEPARTMENT, "440200")
    await room.receive_application()
    assert (await refusal(room, error, intake(*permits, **line))).check == check
    assert await room.events(ROAD) == await room.events(UTILITY) == []
    assert await room.actions() == ["review.refused"]
    with pytest.raises(ReviewNotFound):
        await room.window.view(utility_caller(), "app_1", NOON)


async def test_a_suspended_department_is_not_asked(room: ApprovalsRoom) -> None:
    await room.receive_application()
    room.directory.suspend(ROAD)
    assert (await refusal(room, DepartmentNotConcerned)).check == "department.unknown"


async def test_modes_decide_who_is_asked_and_what_has_a_clock(room: ApprovalsRoom) -> None:
    await room.receive_application()
    request = intake(
        {"department": PLANNING, "permit": "construction_planning", "mode": "exempt"},
        {"department": ROAD, "permit": "road_occupation", "mode": "filing"},
        GREENERY_PERMIT,
    )
    answered = await room.window.open(utility_caller(), "app_1", request, NOON)
    assert [permit.state for permit in answered.view.permits] == ["exempt", "filed", "waiting_on_applicant"]
    assert [permit.due_on for permit in answered.view.permits] == [None, None, None]
    assert answered.view.state == "waiting_on_applicant"
    assert [len(await room.events(code)) for code in (PLANNING, ROAD, GREENERY)] == [0, 1, 0]


async def test_a_commitment_approves_at_once_and_then_the_department_is_asked(room: ApprovalsRoom) -> None:
    await room.receive_application()
    permits = await room.open(intake(GREENERY_PERMIT))
    caller, permit_id = utility_caller(), permits[GREENERY]
    signed = await room.window.commit(caller, "app_1", permit_id, COMMITMENT, NOON)
    assert (signed.created, signed.view.state) == (True, "approved")
    (event,) = await room.events(GREENERY)
    assert (event.data["commitment"], event.data["mode"]) == (COMMITMENT, "commitment")
    again = await room.window.commit(caller, "app_1", permit_id, COMMITMENT, NOON)
    assert (again.created, again.view.state) == (False, "approved")
    with pytest.raises(ReviewContradicts):
        await room.window.commit(caller, "app_1", permit_id, "0" * 64, NOON)
    with pytest.raises(PermitNotFound):
        await room.window.commit(caller, "app_1", "prm_none", COMMITMENT, NOON)
    assert len(await room.events(GREENERY)) == 1
    assert await room.actions() == ["review.opened", "review.committed", *["review.commitment_refused"] * 2]


async def test_nothing_is_committed_once_the_application_is_closed(room: ApprovalsRoom) -> None:
    await room.receive_application()
    permits = await room.open(intake(GREENERY_PERMIT))
    ended = apply(an_application().lifecycle, StageEvent(StageAction.WITHDRAWN, NOON), NOON)
    await room.transactions.write(lambda tx: tx.applications.put_lifecycle("app_1", ended))
    with pytest.raises(ApplicationClosed):
        await room.window.commit(utility_caller(), "app_1", permits[GREENERY], COMMITMENT, NOON)
    assert await room.events(GREENERY) == []


async def test_two_gateways_open_one_review_between_them(room: ApprovalsRoom, database_url: str) -> None:
    await room.receive_application()
    with approvals_room(database_url, prefix="second") as other:
        windows = [room.window, other.window] * 4
        answers = await asyncio.gather(*(window.open(utility_caller(), "app_1", intake(), NOON) for window in windows))
    assert sorted(answer.created for answer in answers) == [False] * 7 + [True]
    assert len({answer.view.review_id for answer in answers}) == 1
    assert len(await room.events(ROAD)) == len(await room.events(UTILITY)) == 1
