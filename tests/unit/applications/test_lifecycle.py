"""The lifecycle takes each stage once, in order, and keeps every time it is told (第（三）条)."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.applications.claimed_times import BackdatedReason
from gateway.applications.customer_classes import CustomerClass
from gateway.applications.errors import (
    ApplicationClosed,
    PauseReasonMissing,
    StageNotInClass,
    StageNotOpen,
    StageReentered,
    StageSkipped,
)
from gateway.applications.lifecycle import (
    Lifecycle,
    LifecycleStatus,
    StageAction,
    StageEvent,
    StageStatus,
    apply,
    from_json,
    to_json,
)
from gateway.applications.stages import Stage, stages_of
from gateway.errors import GatewayError

RECEIVED_AT = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
STARTED, COMPLETED, PAUSED, RESUMED = (
    StageAction.STARTED,
    StageAction.COMPLETED,
    StageAction.PAUSED,
    StageAction.RESUMED,
)


def opened(customer_class=CustomerClass.LV_ORDINARY):
    return Lifecycle(customer_class, RECEIVED_AT)


def walk(lifecycle, *moves):
    """Each move is (action, stage) or (action, stage, reason); they are an hour apart, and heard of at once."""
    for action, stage, *reason in moves:
        at = RECEIVED_AT + HOUR * (len(lifecycle.steps) + 1)
        lifecycle = apply(lifecycle, StageEvent(action, at, stage, *reason), at)
    return lifecycle


def full_walk(customer_class):
    return [(action, stage) for stage in stages_of(customer_class) for action in (STARTED, COMPLETED)]


@pytest.mark.parametrize("customer_class", CustomerClass)
def test_every_class_reaches_its_end_through_all_its_stages(customer_class):
    moves = full_walk(customer_class)
    assert walk(opened(customer_class), *moves[:-1]).status is LifecycleStatus.UNDER_WAY
    done = walk(opened(customer_class), *moves)
    assert done.status is LifecycleStatus.COMPLETED
    assert done.closed_at == RECEIVED_AT + HOUR * len(moves)
    assert done.current() is None
    assert {stage.status for stage in done.progress()} == {StageStatus.COMPLETED}


def test_status_between_and_within_stages():
    lifecycle = opened()
    assert lifecycle.status is LifecycleStatus.WAITING
    lifecycle = walk(lifecycle, (STARTED, Stage.ACCEPTANCE), (PAUSED, Stage.ACCEPTANCE, "等待用户"))
    assert lifecycle.status is LifecycleStatus.PAUSED
    lifecycle = walk(lifecycle, (RESUMED, Stage.ACCEPTANCE), (COMPLETED, Stage.ACCEPTANCE))
    assert (lifecycle.status, lifecycle.current().stage) == (LifecycleStatus.WAITING, Stage.SUPPLY_PLAN)
    [pause] = lifecycle.progress()[0].pauses
    assert (pause.from_at, pause.until_at, pause.reason) == (RECEIVED_AT + 2 * HOUR, RECEIVED_AT + 3 * HOUR, "等待用户")


ACCEPTED = [(STARTED, Stage.ACCEPTANCE), (COMPLETED, Stage.ACCEPTANCE)]


@pytest.mark.parametrize(
    ("before", "move", "refusal"),
    [
        ([], (STARTED, Stage.SUPPLY_PLAN), StageSkipped),
        ([], (COMPLETED, Stage.METERING), StageSkipped),
        ([], (COMPLETED, Stage.ACCEPTANCE), StageNotOpen),
        ([], (PAUSED, Stage.ACCEPTANCE, "等待用户"), StageNotOpen),
        (ACCEPTED[:1], (STARTED, Stage.SUPPLY_PLAN), StageSkipped),
        (ACCEPTED[:1], (STARTED, Stage.ACCEPTANCE), StageReentered),
        (ACCEPTED[:1], (RESUMED, Stage.ACCEPTANCE), StageNotOpen),
        (ACCEPTED, (STARTED, Stage.ACCEPTANCE), StageReentered),
        (ACCEPTED, (COMPLETED, Stage.ACCEPTANCE), StageReentered),
        (ACCEPTED, (STARTED, Stage.METERING), StageSkipped),
        (ACCEPTED[:1], (PAUSED, Stage.ACCEPTANCE), PauseReasonMissing),
        (ACCEPTED[:1], (PAUSED, Stage.ACCEPTANCE, "  "), PauseReasonMissing),
        ([*ACCEPTED[:1], (PAUSED, Stage.ACCEPTANCE, "等待用户")], (COMPLETED, Stage.ACCEPTANCE), StageNotOpen),
        ([*ACCEPTED[:1], (PAUSED, Stage.ACCEPTANCE, "等待用户")], (PAUSED, Stage.ACCEPTANCE, "再"), StageNotOpen),
        ([], (StageAction.ENDED, None), PauseReasonMissing),
        ([(StageAction.WITHDRAWN, None)], (STARTED, Stage.ACCEPTANCE), ApplicationClosed),
        ([(StageAction.ENDED, None, "用户不具备条件")], (StageAction.WITHDRAWN, None), ApplicationClosed),
        (full_walk(CustomerClass.LV_ORDINARY), (STARTED, Stage.ACCEPTANCE), ApplicationClosed),
    ],
)
def test_what_the_order_forbids_is_refused_with_its_clause(before, move, refusal):
    lifecycle = walk(opened(), *before)
    with pytest.raises(refusal) as refused:
        walk(lifecycle, move)
    assert refused.value.clause == "第（三）条"
    assert len(lifecycle.steps) == len(before)


def test_a_stage_the_class_lacks_is_refused():
    with pytest.raises(StageNotInClass):
        walk(opened(), (STARTED, Stage.DESIGN_REVIEW))


@pytest.mark.parametrize(
    ("claimed", "heard", "flags", "counted"),
    [
        (2 * HOUR, 2 * HOUR, (), 2 * HOUR),
        (2 * HOUR, 5 * HOUR, (), 2 * HOUR),
        (2 * HOUR, 26 * HOUR, (), 2 * HOUR),
        (5 * HOUR + timedelta(seconds=5), 5 * HOUR, (), 5 * HOUR),
        (6 * HOUR, 5 * HOUR, (BackdatedReason.LATER_THAN_NOW,), 5 * HOUR),
        (HOUR / 2, 5 * HOUR, (BackdatedReason.EARLIER_THAN_PREVIOUS_STEP,), 5 * HOUR),
        (2 * HOUR, 27 * HOUR, (BackdatedReason.BEYOND_TOLERANCE,), 27 * HOUR),
        (
            HOUR / 2,
            27 * HOUR,
            (BackdatedReason.EARLIER_THAN_PREVIOUS_STEP, BackdatedReason.BEYOND_TOLERANCE),
            27 * HOUR,
        ),
    ],
)
def test_a_claimed_time_is_kept_and_counts_unless_it_is_flagged(claimed, heard, flags, counted):
    lifecycle = walk(opened(), (STARTED, Stage.ACCEPTANCE))
    event = StageEvent(COMPLETED, RECEIVED_AT + claimed, Stage.ACCEPTANCE)
    step = apply(lifecycle, event, RECEIVED_AT + heard).steps[-1]
    assert (step.claimed_at, step.heard_at) == (RECEIVED_AT + claimed, RECEIVED_AT + heard)
    assert (step.flags, step.backdated) == (flags, bool(flags))
    assert step.counted_at == RECEIVED_AT + counted


def test_a_first_step_claimed_before_receipt_is_flagged():
    event = StageEvent(STARTED, RECEIVED_AT - HOUR, Stage.ACCEPTANCE)
    [step] = apply(opened(), event, RECEIVED_AT + HOUR).steps
    assert step.flags == (BackdatedReason.EARLIER_THAN_PREVIOUS_STEP,)


def test_withdrawing_ends_the_stage_under_way_and_its_pause():
    lifecycle = walk(
        opened(), (STARTED, Stage.ACCEPTANCE), (PAUSED, Stage.ACCEPTANCE, "等待用户"), (StageAction.WITHDRAWN, None)
    )
    first, second, _ = lifecycle.progress()
    assert lifecycle.status is LifecycleStatus.WITHDRAWN
    assert (first.status, first.ended_at) == (StageStatus.ABANDONED, RECEIVED_AT + 3 * HOUR)
    assert first.pauses[0].until_at == RECEIVED_AT + 3 * HOUR
    assert second.status is StageStatus.PENDING


@pytest.mark.parametrize(
    "event",
    [
        StageEvent(STARTED, RECEIVED_AT),
        StageEvent(StageAction.WITHDRAWN, RECEIVED_AT, Stage.ACCEPTANCE),
        StageEvent(STARTED, datetime(2026, 11, 23), Stage.ACCEPTANCE),  # noqa: DTZ001
    ],
)
def test_an_event_that_is_no_event_is_a_callers_mistake(event):
    with pytest.raises(ValueError, match=r"stage|aware"):
        apply(opened(), event, RECEIVED_AT)


events = st.builds(
    StageEvent,
    action=st.sampled_from([STARTED, COMPLETED, PAUSED, RESUMED]),
    claimed_at=st.integers(-100, 200).map(lambda hours: RECEIVED_AT + HOUR * hours),
    stage=st.sampled_from(Stage),
    reason=st.sampled_from([None, "等待用户"]),
) | st.builds(
    StageEvent,
    action=st.sampled_from([StageAction.WITHDRAWN, StageAction.ENDED]),
    claimed_at=st.just(RECEIVED_AT),
    reason=st.just("不再办理"),
)


@given(
    customer_class=st.sampled_from(CustomerClass),
    heard=st.lists(st.tuples(events, st.integers(0, 50), st.booleans()), max_size=30),
)
def test_no_history_breaks_the_order_runs_backwards_or_loses_a_step(customer_class, heard):
    lifecycle, at, accepted = opened(customer_class), RECEIVED_AT, 0
    order = stages_of(customer_class)
    for event, hours, helpful in heard:
        at += HOUR * hours
        current = lifecycle.current()
        if helpful and current is not None and event.stage is not None:
            action = STARTED if current.status is StageStatus.PENDING else event.action
            event = StageEvent(action, event.claimed_at, current.stage, event.reason)
        earlier = lifecycle.steps
        try:
            lifecycle = apply(lifecycle, event, at)
        except GatewayError:
            continue
        accepted += 1
        assert lifecycle.steps[:-1] == earlier
        assert lifecycle.steps[-1].claimed_at == event.claimed_at
    assert len(lifecycle.steps) == accepted
    counted = [RECEIVED_AT, *(step.counted_at for step in lifecycle.steps)]
    assert counted == sorted(counted)
    assert all(step.counted_at <= max(step.heard_at, RECEIVED_AT) for step in lifecycle.steps)
    started = [step.stage for step in lifecycle.steps if step.action is STARTED]
    assert started == list(order[: len(started)])
    assert from_json(json.loads(json.dumps(to_json(lifecycle)))) == lifecycle
