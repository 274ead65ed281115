"""An application against its limits: stages, the whole, pauses, and the rows of the day of receipt."""

from datetime import UTC, date, datetime

import pytest

from gateway.applications.customer_classes import CustomerClass
from gateway.applications.deadlines import deadlines
from gateway.applications.errors import NoRuleInForce
from gateway.applications.lifecycle import Lifecycle, StageAction, StageEvent, apply
from gateway.applications.rule_book import published_rules
from gateway.applications.stages import Stage
from gateway.clock import CHINA_TIME

RULES = published_rules()
GUANGZHOU = "440103"


def china(text):
    return datetime.fromisoformat(f"2026-{text}").replace(tzinfo=CHINA_TIME).astimezone(UTC)


def lifecycle_of(customer_class, received, *moves):
    lifecycle = Lifecycle(customer_class, china(received))
    for at, action, stage, *reason in moves:
        event = StageEvent(StageAction(action), china(at), Stage(stage) if stage else None, *reason)
        lifecycle = apply(lifecycle, event, china(at))
    return lifecycle


ORDINARY = [
    ("11-24T09:00", "started", "acceptance"),
    ("11-24T17:00", "completed", "acceptance"),
    ("11-25T09:00", "started", "supply_plan"),
]


def test_the_first_clock_runs_from_receipt_the_plans_from_acceptance_and_the_others_from_their_start():
    lifecycle = lifecycle_of(CustomerClass.LV_ORDINARY, "11-23T10:00", *ORDINARY)
    first, second, third = deadlines(lifecycle, GUANGZHOU, RULES, china("11-26T10:00")).stages
    assert (first.clock.due_on, first.clock.used_working_days, first.clock.over) == (date(2026, 11, 24), 1, False)
    assert (second.clock.due_on, second.clock.used_working_days, second.clock.over) == (date(2026, 11, 27), 2, False)
    assert third.clock is None
    assert [stage.limit.working_days for stage in (first, second, third)] == [1, 3, 2]


def test_a_utility_that_never_starts_runs_over_all_the_same():
    lifecycle = lifecycle_of(CustomerClass.LV_ORDINARY, "11-23T10:00")
    at_the_end = deadlines(lifecycle, GUANGZHOU, RULES, china("11-24T23:59")).stages[0]
    a_minute_later = deadlines(lifecycle, GUANGZHOU, RULES, china("11-25T00:00")).stages[0]
    assert (at_the_end.clock.over, a_minute_later.clock.over) == (False, True)


@pytest.mark.parametrize("customer_class", [CustomerClass.LV_ORDINARY, CustomerClass.HV_SINGLE, CustomerClass.HV_DUAL])
def test_a_supply_plan_that_is_never_begun_runs_over_all_the_same(customer_class):
    lifecycle = lifecycle_of(customer_class, "11-23T10:00", *ORDINARY[:2])
    standing = deadlines(lifecycle, GUANGZHOU, RULES, china("12-31T10:00"))
    plan = standing.stages[1]
    assert (plan.progress.started_at, plan.clock.over) == (None, True)
    assert standing.whole.used_working_days == 1 + plan.clock.used_working_days


def test_before_acceptance_is_completed_the_plan_does_not_count():
    assert (
        deadlines(
            lifecycle_of(CustomerClass.LV_ORDINARY, "11-23T10:00", *ORDINARY[:1]),
            GUANGZHOU,
            RULES,
            china("12-31T10:00"),
        )
        .stages[1]
        .clock
        is None
    )
    moves = [*ORDINARY[:1], ("11-24T18:00", "withdrawn", None)]
    withdrawn = lifecycle_of(CustomerClass.LV_ORDINARY, "11-23T10:00", *moves)
    assert deadlines(withdrawn, GUANGZHOU, RULES, china("12-31T10:00")).stages[1].clock is None


def test_a_pause_moves_the_stage_and_stands_still_while_it_lasts():
    moves = [*ORDINARY, ("11-26T10:00", "paused", "supply_plan", "等待用户补充资料")]
    paused = lifecycle_of(CustomerClass.LV_ORDINARY, "11-23T10:00", *moves)
    clock = deadlines(paused, GUANGZHOU, RULES, china("12-31T10:00")).stages[1].clock
    assert (clock.stopped, clock.over, clock.used_working_days) == (True, False, 1)
    resumed = lifecycle_of(CustomerClass.LV_ORDINARY, "11-23T10:00", *moves, ("12-01T10:00", "resumed", "supply_plan"))
    clock = deadlines(resumed, GUANGZHOU, RULES, china("12-02T10:00")).stages[1].clock
    assert (clock.stopped, clock.due_on, clock.used_working_days) == (False, date(2026, 12, 3), 2)


def test_a_stage_completed_late_stays_over_and_its_count_stands_still():
    lifecycle = lifecycle_of(
        CustomerClass.LV_ORDINARY, "11-23T10:00", *ORDINARY, ("12-02T09:00", "completed", "supply_plan")
    )
    clocks = [
        deadlines(lifecycle, GUANGZHOU, RULES, china(at)).stages[1].clock for at in ("12-02T10:00", "12-30T10:00")
    ]
    assert [(clock.over, clock.used_working_days) for clock in clocks] == [(True, 6), (True, 6)]


def test_the_whole_of_a_handled_class_is_the_sum_of_its_stages():
    lifecycle = lifecycle_of(
        CustomerClass.LV_ORDINARY,
        "11-23T10:00",
        *ORDINARY,
        ("11-27T09:00", "completed", "supply_plan"),
        ("12-14T09:00", "started", "metering"),
        ("12-16T09:00", "completed", "metering"),
    )
    whole = deadlines(lifecycle, GUANGZHOU, RULES, china("12-31T10:00")).whole
    assert (whole.limit.working_days, whole.used_working_days, whole.over, whole.clock) == (6, 6, False, None)


def test_the_whole_of_a_home_runs_from_receipt_to_meter():
    moves = [
        ("11-23T11:00", "started", "sign_up"),
        ("11-24T11:00", "completed", "sign_up"),
        ("11-25T11:00", "started", "construction"),
    ]
    lifecycle = lifecycle_of(CustomerClass.RESIDENTIAL, "11-23T10:00", *moves)
    in_time = deadlines(lifecycle, GUANGZHOU, RULES, china("11-30T20:00"))
    late = deadlines(lifecycle, GUANGZHOU, RULES, china("12-01T00:01"))
    assert (in_time.whole.clock.due_on, in_time.whole.used_working_days) == (date(2026, 11, 30), 5)
    assert (in_time.whole.over, late.whole.over) == (False, True)
    assert all(stage.limit.working_days is None for stage in in_time.stages)
    assert not any(stage.clock.over for stage in late.stages)


def test_a_withdrawn_application_stops_counting():
    lifecycle = lifecycle_of(CustomerClass.RESIDENTIAL, "11-23T10:00", ("11-24T10:00", "withdrawn", None))
    whole = deadlines(lifecycle, GUANGZHOU, RULES, china("12-31T10:00")).whole
    assert (whole.used_working_days, whole.over) == (1, False)


def test_a_deadline_that_reaches_past_the_calendar_is_provisional():
    lifecycle = lifecycle_of(CustomerClass.RESIDENTIAL, "12-30T10:00")
    whole = deadlines(lifecycle, GUANGZHOU, RULES, china("12-30T11:00")).whole
    assert (whole.provisional, whole.clock.due_on.year) == (True, 2027)


@pytest.mark.parametrize(("received_on", "days"), [("2021-06-01", 25), ("2022-06-01", 20), ("2023-06-01", 15)])
def test_an_application_is_judged_by_the_rows_of_its_day_of_receipt(received_on, days):
    lifecycle = Lifecycle(CustomerClass.LV_ZERO, datetime.fromisoformat(received_on).replace(tzinfo=UTC))
    assert deadlines(lifecycle, GUANGZHOU, RULES, china("11-23T10:00")).whole.limit.working_days == days


def test_the_day_of_receipt_is_chinas():
    # 16:00 UTC on 30 December 2020 is the 31st in China, the first day of the rules.
    lifecycle = Lifecycle(CustomerClass.RESIDENTIAL, datetime(2020, 12, 30, 16, 0, tzinfo=UTC))
    assert deadlines(lifecycle, GUANGZHOU, RULES, china("11-23T10:00")).whole.limit.working_days == 5
    too_early = Lifecycle(CustomerClass.RESIDENTIAL, datetime(2020, 12, 30, 15, 59, tzinfo=UTC))
    with pytest.raises(NoRuleInForce):
        deadlines(too_early, GUANGZHOU, RULES, china("11-23T10:00"))
