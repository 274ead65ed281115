"""The single window, over both databases: who may open what, and what leaves with it."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.applications.errors import ApplicationClosed
from gateway.applications.lifecycle import Lifecycle, StageAction, StageEvent, apply
from gateway.approvals.errors import (
    DepartmentNotConcerned,
    ReviewApplicationUnknown,
    ReviewContradicts,
    ReviewModeNotAllowed,
    ReviewNotFound,
    ReviewUnsound,
)
from gateway.caller import Role
from gateway.delivery.ports import ChannelKind
from gateway.errors import GatewayError
from schemas.departments import ReviewRequest
from schemas.events import EventType, ReviewChanged, ReviewOpened
from tests.support.approvals import (
    BASIS,
    GREENERY,
    LOW_LINE,
    PLANNING,
    ROAD,
    UTILITY,
    ApprovalsRoom,
    a_small_application,
    an_application,
    approvals_room,
    intake,
    road_claims,
    utility_caller,
)
from tests.support.partners import ISSUER
from tests.support.storage import NOON

ROAD_PERMIT = {"department": ROAD, "permit": "road_occupation"}
GREENERY_PERMIT = {"department": GREENERY, "permit": "greenery_occupation", "mode": "commitment"}


@pytest.fixture
def room(database_url: str):
    with approvals_room(database_url) as made:
        yield made


def withdrawn() -> Lifecycle:
    """The small application's lifecycle, once the applicant ended it."""
    return apply(a_small_application().lifecycle, StageEvent(StageAction.WITHDRAWN, NOON), NOON)


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
        ([], {"voltage_v": 381}, ReviewUnsound, "joint_review.voltage"),
        ([], {"voltage_v": 5999}, ReviewUnsound, "joint_review.voltage"),
        ([], {"voltage_v": 380}, ReviewUnsound, "joint_review.voltage_class"),
        ([], {"voltage_v": 35_000}, ReviewUnsound, "joint_review.voltage_class"),
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
    await room.receive_application(a_small_application())
    request = intake(
        {"department": PLANNING, "permit": "construction_planning", "mode": "exempt"},
        {"department": ROAD, "permit": "road_occupation", "mode": "filing"},
        GREENERY_PERMIT,
        **LOW_LINE,
    )
    answered = await room.window.open(utility_caller(), "app_1", request, NOON)
    assert [permit.state for permit in answered.view.permits] == ["exempt", "submitted", "waiting_on_applicant"]
    assert [permit.due_on for permit in answered.view.permits] == [None, None, None]
    assert {permit.mode_clause for permit in answered.view.permits} == {BASIS}
    assert answered.view.state == "waiting_on_applicant"
    assert [len(await room.events(code)) for code in (PLANNING, ROAD, GREENERY)] == [0, 1, 0]


@pytest.mark.parametrize(
    ("application", "line"),
    [
        (a_small_application(), LOW_LINE | {"length_m": 200.5}),
        (an_application(), {}),
        (a_small_application(received_at=NOON - timedelta(days=90)), LOW_LINE),
        (a_small_application(demand=replace(a_small_application().demand, region="110105")), LOW_LINE),
    ],
    ids=["too long", "high voltage", "before the rule", "elsewhere"],
)
@pytest.mark.parametrize("mode", ["commitment", "filing", "exempt"])
async def test_a_lighter_mode_that_no_rule_allows_is_refused_and_recorded(databases, application, line, mode) -> None:
    with approvals_room(databases.sqlite()) as room:
        room.directory.add(GREENERY, Role.DEPARTMENT, "440100", "110100")
        await room.receive_application(application)
        refused = await refusal(room, ReviewModeNotAllowed, intake({**GREENERY_PERMIT, "mode": mode}, **line))
        assert (refused.check, refused.clause) == ("joint_review.mode", "第（四）条")
        (entry,) = await room.entries()
        assert (entry["action"], entry["result"], entry["facts"]["modes"]) == ("review.refused", "refused", [mode])
        assert entry["facts"]["clause"] == "第（四）条"
        assert await room.events(GREENERY) == await room.events(UTILITY) == []


async def test_permits_are_added_to_an_open_review_and_only_their_departments_are_asked(room: ApprovalsRoom) -> None:
    await room.receive_application()
    opened = await room.window.open(utility_caller(), "app_1", intake(ROAD_PERMIT), NOON)
    await room.push(ROAD, road_claims(opened.view.permits[0].permit_id, 1, "accepted", NOON))
    later = room.clock.advance(days=2)
    greenery = {"department": GREENERY, "permit": "greenery_occupation"}
    added = await room.window.open(utility_caller(), "app_1", intake(greenery), later)
    assert (added.created, added.view.review_id) == (True, opened.view.review_id)
    assert [(permit.department, permit.state) for permit in added.view.permits] == [
        (ROAD, "accepted"),
        (GREENERY, "submitted"),
    ]
    assert [permit.due_on.isoformat() for permit in added.view.permits if permit.due_on] == ["2026-03-09", "2026-03-11"]
    assert [len(await room.events(code)) for code in (ROAD, GREENERY)] == [1, 1]
    *_, told = await room.events(UTILITY)
    changed = ReviewChanged.model_validate(told.data)
    assert (told.type, changed.change, changed.permits) == (
        EventType.REVIEW_CHANGED,
        "permits_added",
        added.view.permits,
    )
    for same in (intake(ROAD_PERMIT, greenery), intake(greenery), intake(ROAD_PERMIT)):
        again = await room.window.open(utility_caller(), "app_1", same, later)
        assert (again.created, again.view) == (False, added.view)
    assert await room.actions() == ["review.opened", "outcome.received", "review.extended"]
    await room.push(GREENERY, road_claims(added.view.permits[1].permit_id, 1, "approved", later, iss=GREENERY))
    assert (await room.window.view(utility_caller(), "app_1", later)).permits[1].state == "approved"


async def test_an_added_permit_is_judged_like_any_other_and_a_known_one_keeps_its_mode(room: ApprovalsRoom) -> None:
    await room.receive_application(a_small_application())
    await room.open(intake(ROAD_PERMIT, **LOW_LINE))
    await refusal(room, ReviewContradicts, intake({**ROAD_PERMIT, "mode": "exempt"}, GREENERY_PERMIT, **LOW_LINE))
    await refusal(room, ReviewUnsound, intake(GREENERY_PERMIT, GREENERY_PERMIT, **LOW_LINE))
    await refusal(room, DepartmentNotConcerned, intake({"department": PLANNING, "permit": "river_works"}, **LOW_LINE))
    await room.transactions.write(lambda tx: tx.applications.put_lifecycle("app_1", withdrawn()))
    await refusal(room, ApplicationClosed, intake(GREENERY_PERMIT, **LOW_LINE))
    assert len(await room.events(UTILITY)) == 1
    assert (await room.actions()) == ["review.opened", *["review.refused"] * 4]


async def test_a_permit_is_added_once_whoever_asks_and_however_many_at_a_time(
    room: ApprovalsRoom, database_url: str
) -> None:
    await room.receive_application()
    await room.open(intake(ROAD_PERMIT))
    greenery = {"department": GREENERY, "permit": "greenery_occupation"}
    with approvals_room(database_url, prefix="second") as other:
        windows = [room.window, other.window] * 3
        wanted = intake(ROAD_PERMIT, greenery)
        answers = await asyncio.gather(*(window.open(utility_caller(), "app_1", wanted, NOON) for window in windows))
    assert sorted(answer.created for answer in answers) == [False] * 5 + [True]
    assert len(await room.events(GREENERY)) == 1


async def test_two_gateways_open_one_review_between_them(room: ApprovalsRoom, database_url: str) -> None:
    await room.receive_application()
    with approvals_room(database_url, prefix="second") as other:
        windows = [room.window, other.window] * 4
        answers = await asyncio.gather(*(window.open(utility_caller(), "app_1", intake(), NOON) for window in windows))
    assert sorted(answer.created for answer in answers) == [False] * 7 + [True]
    assert len({answer.view.review_id for answer in answers}) == 1
    assert len(await room.events(ROAD)) == len(await room.events(UTILITY)) == 1
