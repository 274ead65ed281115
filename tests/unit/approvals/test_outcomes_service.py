"""Outcomes, over both databases: authenticated, read, applied once, and on their way to the utility unchanged."""

import asyncio
from datetime import timedelta

import pytest

from gateway.approvals.errors import (
    DepartmentUnknown,
    OutcomeContradicts,
    OutcomeNotAuthentic,
    OutcomeUnreadable,
    OutcomeUnsound,
    PermitExempt,
    PermitNotFound,
)
from gateway.approvals.outcomes import content_digest
from gateway.crypto.jws import sign_jws
from gateway.partners.model import KeyUse
from gateway.records.entries import digest
from schemas.events import EventType, PermitOutcome
from tests.support.approvals import (
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
    planning_claims,
    road_claims,
    utility_caller,
)
from tests.support.partners import es256_key
from tests.support.storage import NOON

HOUR = timedelta(hours=1)


@pytest.fixture
def room(database_url: str):
    with approvals_room(database_url) as made:
        yield made


@pytest.fixture
async def permits(room: ApprovalsRoom) -> dict[str, str]:
    await room.receive_application()
    return await room.open()


async def outcomes_at_the_utility(room: ApprovalsRoom) -> list[PermitOutcome]:
    return [
        PermitOutcome.model_validate(event.data)
        for event in await room.events(UTILITY)
        if event.type == EventType.PERMIT_OUTCOME
    ]


async def test_two_dialects_one_review_and_the_signed_bytes_reach_the_utility(
    room: ApprovalsRoom, permits: dict[str, str]
) -> None:
    at = room.clock.advance(hours=1)
    signed = room.sign(ROAD, road_claims(permits[ROAD], 1, "approved", at, document_number="路许1号"))
    answer = await room.outcomes.receive(ROAD, signed, at)
    assert (answer.permit_id, answer.duplicate) == (permits[ROAD], False)
    at = room.clock.advance(hours=1)
    await room.push(PLANNING, planning_claims(permits[PLANNING], 1, 11, at, pfwh="建字第1号", pfwjyxqx="2027-03-01"))
    road, planning = await outcomes_at_the_utility(room)
    assert (road.outcome, road.permit_state, road.review_state) == ("approved", "approved", "under_way")
    assert (planning.outcome, planning.permit_state, planning.review_state) == ("approved", "approved", "approved")
    assert road.signed_outcome.encode() == signed
    assert [event.sequence for event in await room.events(UTILITY)] == [1, 2, 3]
    view = await room.window.view(utility_caller(), "app_1", at)
    assert (view.state, {permit.state for permit in view.permits}) == ("approved", {"approved"})
    (kept,) = await room.transactions.read(lambda tx: tx.approval_outcomes.of_permit(permits[ROAD]))
    assert (kept.signed, kept.signed_digest, kept.record_id) == (signed, digest(signed), answer.record_id)
    assert await room.actions() == ["review.opened", "outcome.received", "outcome.received"]


async def test_a_repeated_outcome_has_one_effect_however_often_and_at_once_it_comes(
    room: ApprovalsRoom, permits: dict[str, str]
) -> None:
    claims = road_claims(permits[ROAD], 1, "approved", NOON)
    again = claims | {"iat": claims["iat"] + 30}
    answers = await asyncio.gather(*(room.push(ROAD, claims if n % 2 else again) for n in range(12)))
    assert sorted(answer.duplicate for answer in answers) == [False] + [True] * 11
    assert len({answer.record_id for answer in answers}) == 1
    assert len(await outcomes_at_the_utility(room)) == 1
    assert (await room.actions()).count("outcome.received") == 1


@pytest.mark.parametrize("change", [{"outcome": "rejected"}, {"reason": "另有说明"}, {"unknown_member": 1}])
async def test_an_outcome_id_is_never_used_for_something_else(
    room: ApprovalsRoom, permits: dict[str, str], change
) -> None:
    claims = road_claims(permits[ROAD], 1, "approved", NOON)
    await room.push(ROAD, claims)
    with pytest.raises(OutcomeContradicts):
        await room.push(ROAD, claims | change)
    with pytest.raises(OutcomeContradicts):
        await room.push(ROAD, claims | {"jti": "another-id"} | change)
    assert len(await outcomes_at_the_utility(room)) == 1
    assert (await room.actions())[-2:] == ["outcome.refused", "outcome.refused"]


async def test_a_rejection_is_superseded_and_both_reach_the_utility_in_order(
    room: ApprovalsRoom, permits: dict[str, str]
) -> None:
    rejected = road_claims(permits[ROAD], 1, "rejected", NOON, reason="方案需调整")
    await room.push(ROAD, rejected)
    room.clock.advance(hours=2)
    await room.push(ROAD, road_claims(permits[ROAD], 2, "approved", NOON + HOUR, supersedes=rejected["jti"]))
    first, second = await outcomes_at_the_utility(room)
    assert (first.permit_state, first.review_state) == ("rejected", "rejected")
    assert (second.permit_state, second.review_state) == ("approved", "under_way")
    assert (second.supersedes, second.outcome_sequence) == (rejected["jti"], 2)


async def test_a_correction_stops_the_clock_and_its_end_moves_the_due_day(
    room: ApprovalsRoom, permits: dict[str, str]
) -> None:
    async def road_permit():
        view = await room.window.view(utility_caller(), "app_1", room.clock())
        return next(permit for permit in view.permits if permit.department == ROAD)

    assert (await road_permit()).due_on.isoformat() == "2026-03-09"
    at = room.clock.advance(days=1)
    await room.push(ROAD, road_claims(permits[ROAD], 1, "correction_requested", at, reason="缺少图纸"))
    at = room.clock.advance(days=2)
    assert (await road_permit()).state == "waiting_on_applicant"
    await room.push(ROAD, road_claims(permits[ROAD], 2, "correction_received", at))
    permit = await road_permit()
    assert permit.state == "submitted"
    assert permit.due_on.isoformat() == "2026-03-12"


async def test_outcomes_that_arrive_out_of_order_end_in_the_same_state(
    room: ApprovalsRoom, permits: dict[str, str]
) -> None:
    rejected = road_claims(permits[ROAD], 1, "rejected", NOON, reason="方案需调整")
    approved = road_claims(permits[ROAD], 2, "approved", NOON + HOUR, supersedes=rejected["jti"])
    room.clock.advance(hours=2)
    await room.push(ROAD, approved)
    await room.push(ROAD, rejected)
    told = await outcomes_at_the_utility(room)
    assert [(each.outcome_sequence, each.permit_state) for each in told] == [(2, "approved"), (1, "approved")]


async def test_what_is_odd_about_an_outcome_is_told_to_the_utility(
    room: ApprovalsRoom, permits: dict[str, str]
) -> None:
    await room.push(ROAD, road_claims(permits[ROAD], 1, "approved", NOON, decided_at="2031-03-02T12:00:00Z"))
    await room.push(ROAD, road_claims(permits[ROAD], 3, "rejected", NOON, supersedes="nobody-knows"))
    first, second = await outcomes_at_the_utility(room)
    assert (first.permit_state, first.findings) == ("approved", ["backdated.later_than_now"])
    assert second.findings == ["supersedes_unknown", "decision_not_superseded"]
    *_, entry = await room.entries()
    assert entry["facts"]["findings"] == second.findings
    view = await room.window.view(utility_caller(), "app_1", NOON)
    assert [permit.missing_sequences for permit in view.permits] == [[], [2]]


async def test_handling_steps_use_up_numbers_and_are_no_gaps(room: ApprovalsRoom, permits: dict[str, str]) -> None:
    for number, status in ((1, 1), (2, 3), (3, 8), (5, 11)):
        await room.push(PLANNING, planning_claims(permits[PLANNING], number, status, NOON))
    view = await room.window.view(utility_caller(), "app_1", NOON)
    planning = next(permit for permit in view.permits if permit.department == PLANNING)
    assert (planning.state, planning.missing_sequences) == ("approved", [4])
    with pytest.raises(OutcomeContradicts):
        await room.push(PLANNING, planning_claims(permits[PLANNING], 3, 11, NOON, jti="another"))


async def test_a_filing_is_filed_when_the_department_says_so(room: ApprovalsRoom) -> None:
    await room.receive_application(a_small_application())
    filing = {"department": ROAD, "permit": "road_occupation", "mode": "filing"}
    permits = await room.open(intake(filing, **LOW_LINE))
    assert (await room.window.view(utility_caller(), "app_1", NOON)).state == "under_way"
    await room.push(ROAD, road_claims(permits[ROAD], 1, "approved", NOON))
    view = await room.window.view(utility_caller(), "app_1", NOON)
    assert (view.state, view.permits[0].state) == ("approved", "filed")


async def test_a_handling_step_is_kept_and_acknowledged_and_changes_nothing(
    room: ApprovalsRoom, permits: dict[str, str]
) -> None:
    received = planning_claims(permits[PLANNING], 1, 1, NOON)
    answer = await room.push(PLANNING, received)
    assert (await room.push(PLANNING, received)).duplicate
    assert (answer.permit_id, answer.duplicate) == (permits[PLANNING], False)
    assert await outcomes_at_the_utility(room) == []
    assert (await room.actions())[-1] == "outcome.noted"


def broken_signature(token: bytes) -> bytes:
    head, _, signature = token.rpartition(b".")
    return head + b"." + (b"A" if signature[:1] != b"A" else b"B") + signature[1:]


async def test_what_is_not_authentic_is_refused_and_leaves_no_trace_in_the_record(
    room: ApprovalsRoom, permits: dict[str, str]
) -> None:
    claims = road_claims(permits[ROAD], 1, "approved", NOON)
    room.directory.add_key(ROAD, receipt_key := es256_key("road-receipts"), KeyUse.RECEIPT)
    attempts = {
        "outcome.jose.signature": broken_signature(room.sign(ROAD, claims)),
        "outcome.jose.key_unknown": sign_jws(claims, receipt_key, "approval-outcome+jwt").encode(),
        "outcome.jose.typ": room.sign(ROAD, claims, "at+jwt"),
        "outcome.jose.audience": room.sign(ROAD, claims | {"aud": "https://other.example"}),
        "outcome.jose.issuer": room.sign(ROAD, claims | {"iss": PLANNING}),
        "outcome.jose.too_old": room.sign(ROAD, claims | {"iat": int((NOON - timedelta(days=60)).timestamp())}),
        "outcome.jose.issued_in_future": room.sign(ROAD, claims | {"iat": int((NOON + HOUR).timestamp())}),
        "outcome.jose.claim_missing": room.sign(ROAD, {k: v for k, v in claims.items() if k != "jti"}),
        "outcome.jose.compact": b'{"outcome": "approved"}',
        "outcome.jose.oversize": room.sign(ROAD, claims | {"reason": "长" * 20_000}),
    }
    for check, signed in attempts.items():
        with pytest.raises(OutcomeNotAuthentic) as caught:
            await room.outcomes.receive(ROAD, signed, NOON)
        assert caught.value.check == check
    with pytest.raises(OutcomeNotAuthentic):
        await room.outcomes.receive(PLANNING, room.sign(ROAD, claims), NOON)
    assert await outcomes_at_the_utility(room) == []
    assert await room.actions() == ["review.opened"]


async def test_another_key_and_a_suspension_hold_from_the_next_push(
    room: ApprovalsRoom, permits: dict[str, str]
) -> None:
    await room.push(ROAD, road_claims(permits[ROAD], 1, "accepted", NOON))
    former, room.keys[ROAD] = room.keys[ROAD], es256_key("road-new")
    room.directory.keys[ROAD] = []
    room.directory.add_key(ROAD, room.keys[ROAD], KeyUse.OUTCOME)
    claims = road_claims(permits[ROAD], 2, "approved", NOON)
    with pytest.raises(OutcomeNotAuthentic):
        await room.outcomes.receive(ROAD, sign_jws(claims, former, "approval-outcome+jwt").encode(), NOON)
    await room.push(ROAD, claims)
    room.directory.suspend(ROAD)
    with pytest.raises(DepartmentUnknown):
        await room.push(ROAD, claims)


async def test_an_unknown_or_suspended_department_is_not_heard_and_fills_no_record(room: ApprovalsRoom) -> None:
    room.directory.suspend(ROAD)
    for code in ("mining-440100", "road-440200", UTILITY, ROAD):
        with pytest.raises(DepartmentUnknown):
            await room.outcomes.receive(code, b"anything", NOON)
    assert await room.actions() == []


@pytest.mark.parametrize(
    ("change", "check"),
    [
        ({"outcome": "maybe"}, "outcome.outcome"),
        ({"decided_at": "2026-03-02T12:00:00"}, "outcome.decided_at"),
        ({"decided_at": "昨天"}, "outcome.decided_at"),
        ({"sequence": 0}, "outcome.sequence"),
        ({"permit_id": None}, "outcome.permit_id"),
        ({"reason": "长" * 1001}, "outcome.reason"),
    ],
)
async def test_claims_that_do_not_fit_are_refused_by_name_without_echo(
    room: ApprovalsRoom, permits: dict[str, str], change, check
) -> None:
    with pytest.raises(OutcomeUnreadable) as caught:
        await room.push(ROAD, road_claims(permits[ROAD], 1, "approved", NOON, reason="某人某事") | change)
    assert caught.value.check == check
    assert "某人" not in str(caught.value)
    assert "昨天" not in str(caught.value)


async def test_planning_claims_that_do_not_fit_are_refused(room: ApprovalsRoom, permits: dict[str, str]) -> None:
    for change in ({"blzt": 2}, {"blsj": "2026-02-30 10:00:00"}, {"blsj": "2026-03-02T10:00:00Z"}, {"xh": None}):
        with pytest.raises(OutcomeUnreadable):
            await room.push(PLANNING, planning_claims(permits[PLANNING], 1, 11, NOON) | change)


async def test_a_department_cannot_decide_another_ones_permit(room: ApprovalsRoom, permits: dict[str, str]) -> None:
    for permit_id in (permits[PLANNING], "prm_none"):
        with pytest.raises(PermitNotFound):
            await room.push(ROAD, road_claims(permit_id, 1, "approved", NOON))
    assert await outcomes_at_the_utility(room) == []


async def test_a_pause_needs_a_reason_and_an_exempt_permit_no_outcome(room: ApprovalsRoom) -> None:
    await room.receive_application(a_small_application())
    exempt = {"department": GREENERY, "permit": "greenery_occupation", "mode": "exempt"}
    permits = await room.open(intake({"department": ROAD, "permit": "road_occupation"}, exempt, **LOW_LINE))
    with pytest.raises(OutcomeUnsound):
        await room.push(ROAD, road_claims(permits[ROAD], 1, "correction_requested", NOON))
    claims = road_claims(permits[GREENERY], 1, "approved", NOON, iss=GREENERY, jti="g1")
    with pytest.raises(PermitExempt):
        await room.push(GREENERY, claims)


async def test_permits_of_many_applications_are_taken_in_at_once(room: ApprovalsRoom) -> None:
    names = [f"app_{n}" for n in range(10)]
    for name in names:
        await room.receive_application(an_application(name))
    opened = await asyncio.gather(*(room.open(application_id=name) for name in names))
    await asyncio.gather(
        *(room.push(ROAD, road_claims(permits[ROAD], 1, "accepted", NOON)) for permits in opened),
        *(room.push(PLANNING, planning_claims(permits[PLANNING], 1, 3, NOON)) for permits in opened),
    )
    events = await room.events(UTILITY)
    assert len(events) == 30
    for name in names:
        assert [event.sequence for event in events if event.subject == name] == [1, 2, 3]


async def test_two_gateways_apply_an_outcome_once_between_them(
    room: ApprovalsRoom, permits: dict[str, str], database_url: str
) -> None:
    signed = room.sign(ROAD, road_claims(permits[ROAD], 1, "approved", NOON))
    with approvals_room(database_url, prefix="second") as other:
        other.directory.keys = room.directory.keys
        intakes = [room.outcomes, other.outcomes] * 6
        answers = await asyncio.gather(*(outcomes.receive(ROAD, signed, NOON) for outcomes in intakes))
    assert sorted(answer.duplicate for answer in answers) == [False] + [True] * 11
    assert len({answer.record_id for answer in answers}) == 1
    assert len(await outcomes_at_the_utility(room)) == 1


def test_what_is_said_has_one_digest_whenever_and_however_it_was_signed() -> None:
    claims = {"jti": "1", "iat": 1, "exp": 2, "outcome": "approved", "nested": {"a": 1, "b": 2}}
    same = {"nested": {"b": 2, "a": 1}, "outcome": "approved", "iat": 9, "jti": "1"}
    assert content_digest(claims) == content_digest(same)
    assert content_digest(claims) != content_digest(same | {"outcome": "rejected"})


async def test_each_of_those_that_are_proved_side_by_side_is_judged_by_itself(
    room: ApprovalsRoom, permits: dict[str, str]
) -> None:
    good = [
        (ROAD, room.sign(ROAD, road_claims(permits[ROAD], number, "accepted" if number == 1 else "approved", NOON)))
        for number in (1, 2)
    ]
    forged = sign_jws(road_claims(permits[ROAD], 3, "approved", NOON), es256_key("planning-1"), "approval-outcome+jwt")
    elsewhere = (PLANNING, room.sign(ROAD, road_claims(permits[ROAD], 4, "approved", NOON)))
    pushed = [good[0], (ROAD, forged.encode()), elsewhere, good[1]]
    answers = await asyncio.gather(
        *(room.outcomes.receive(code, signed, room.clock()) for code, signed in pushed), return_exceptions=True
    )
    assert [type(answer).__name__ for answer in answers] == [
        "OutcomeAcknowledged",
        "OutcomeNotAuthentic",
        "OutcomeNotAuthentic",
        "OutcomeAcknowledged",
    ]
    room.directory.keys[ROAD].clear()  # withdrawn: the next round knows
    with pytest.raises(OutcomeNotAuthentic):
        await room.outcomes.receive(*good[0], room.clock())
