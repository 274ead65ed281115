"""Each department's deadline, with its own pauses, and the deadline of the whole joint review."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from gateway.applications.rule_book import published_rules
from gateway.approvals.deadlines import review_deadlines
from gateway.approvals.joint_review import JointReview, Outcome, Permit, record_outcome
from gateway.clock import CHINA_TIME
from schemas.departments import OutcomeKind, ReviewMode

RULES = published_rules()
GUANGZHOU, BEIJING = "440103", "110105"


def china(text):
    return datetime.fromisoformat(f"2026-{text}").replace(tzinfo=CHINA_TIME).astimezone(UTC)


def review_of(*modes, region=GUANGZHOU, voltage_v=10_000):
    opened_at = china("11-23T10:00")
    permits = [Permit(f"p{n}", f"d{n}", "road_occupation", mode, opened_at) for n, mode in enumerate(modes, 1)]
    return JointReview("r1", opened_at, date(2026, 11, 23), region, voltage_v, tuple(permits))


def told(review, *rows):
    for n, (permit, kind, at) in enumerate(rows, 1):
        outcome = Outcome(f"o{n}", permit, n, OutcomeKind(kind), china(at), reason="需专家评审")
        review = record_outcome(review, outcome, china(at))
    return review


@pytest.mark.parametrize(
    ("region", "voltage_v", "due"),
    [
        (GUANGZHOU, 380, date(2026, 11, 30)),
        (GUANGZHOU, 10_000, date(2026, 11, 30)),
        (GUANGZHOU, 110_000, date(2026, 11, 30)),
        (BEIJING, 380, date(2026, 11, 30)),
        (BEIJING, 10_000, date(2026, 12, 7)),
        (BEIJING, 110_000, None),
    ],
)
def test_every_department_has_the_limit_of_the_region_and_voltage(region, voltage_v, due):
    review = review_of(ReviewMode.FULL, ReviewMode.FULL, region=region, voltage_v=voltage_v)
    result = review_deadlines(review, RULES, china("11-24T10:00"))
    assert [permit.clock.due_on for permit in result.permits] == [due, due]
    assert (result.whole.due_on if result.whole else None) == due
    assert bool(result.limit.note) == (due is None)


def test_no_limit_is_never_over():
    review = review_of(ReviewMode.FULL, region=BEIJING, voltage_v=110_000)
    assert not review_deadlines(review, RULES, china("12-31T10:00")).over


def test_only_the_department_that_paused_has_longer_and_the_whole_waits_for_it():
    review = told(
        review_of(ReviewMode.FULL, ReviewMode.FULL),
        ("p1", "special_procedure_started", "11-25T10:00"),
        ("p1", "special_procedure_ended", "11-26T10:00"),
        ("p2", "approved", "11-27T10:00"),
    )
    result = review_deadlines(review, RULES, china("12-01T10:00"))
    assert [permit.clock.due_on for permit in result.permits] == [date(2026, 12, 2), date(2026, 11, 30)]
    assert [permit.clock.used_working_days for permit in result.permits] == [4, 4]
    assert (result.whole.due_on, result.over) == (date(2026, 12, 2), False)
    assert review_deadlines(review, RULES, china("12-03T00:00")).over


def test_a_department_that_asks_on_its_last_day_is_not_over():
    review = told(review_of(ReviewMode.FULL), ("p1", "correction_requested", "11-30T16:00"))
    [permit] = review_deadlines(review, RULES, china("12-20T10:00")).permits
    assert (permit.clock.stopped, permit.clock.over) == (True, False)


def test_a_decision_after_the_due_day_stays_over():
    review = told(review_of(ReviewMode.FULL), ("p1", "approved", "12-01T09:00"))
    result = review_deadlines(review, RULES, china("12-20T10:00"))
    assert (result.over, result.permits[0].clock.used_working_days) == (True, 6)


def test_modes_that_need_no_decision_have_no_clock():
    review = review_of(ReviewMode.COMMITMENT, ReviewMode.FILING, ReviewMode.EXEMPT)
    result = review_deadlines(review, RULES, china("12-20T10:00"))
    assert [permit.clock for permit in result.permits] == [None, None, None]
    assert (result.whole, result.over) == (None, False)


def test_a_due_day_past_the_calendar_is_provisional():
    review = JointReview(
        "r1",
        china("12-29T10:00"),
        date(2026, 12, 29),
        GUANGZHOU,
        380,
        (Permit("p1", "d1", "traffic", ReviewMode.FULL, china("12-29T10:00")),),
    )
    result = review_deadlines(review, RULES, china("12-29T11:00"))
    assert (result.whole.provisional, result.whole.due_on.year) == (True, 2027)


def test_a_permit_that_was_added_later_has_its_days_from_then_and_the_whole_ends_with_it():
    review = review_of(ReviewMode.FULL)
    added = Permit("p2", "d2", "greenery_occupation", ReviewMode.FULL, china("11-26T10:00"))
    result = review_deadlines(replace(review, permits=(*review.permits, added)), RULES, china("11-26T11:00"))
    assert [permit.clock.due_on for permit in result.permits] == [date(2026, 11, 30), date(2026, 12, 3)]
    assert result.whole.due_on == date(2026, 12, 3)
