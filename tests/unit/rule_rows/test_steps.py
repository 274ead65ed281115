"""Two persons, a day ahead: and whatever they do, nothing that was received is ever judged anew."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.applications.customer_classes import CustomerClass
from gateway.applications.stages import Stage
from gateway.clock import date_in_china
from gateway.errors import GatewayError
from gateway.partners.errors import SecondPersonRequired
from gateway.rule_rows.errors import RuleRowConflict, RuleRowRefused
from gateway.rule_rows.model import OperatorRow, RowStatus
from gateway.rule_rows.rules import Published, require_fits, rules_with
from gateway.rule_rows.steps import (
    RowStep,
    approved,
    end_approved,
    end_dropped,
    end_proposed,
    open_steps,
    withdrawn,
)
from tests.support.rule_rows import FIRST, SECOND, THIRD, days, terms
from tests.support.storage import NOON

DRAFT = OperatorRow(row_id="rul_1", terms=terms(), status=RowStatus.DRAFT, drafted_by=FIRST, drafted_at=NOON)
APPROVED = approved(DRAFT, SECOND, NOON)
IN_FORCE = NOON + days(3)


def test_whoever_drafted_does_not_approve() -> None:
    with pytest.raises(SecondPersonRequired):
        approved(DRAFT, FIRST, NOON)
    assert APPROVED.approved_by == SECOND
    assert open_steps(DRAFT, FIRST, NOON) == (RowStep.WITHDRAW,)
    assert open_steps(DRAFT, SECOND, NOON) == (RowStep.APPROVE, RowStep.WITHDRAW)
    with pytest.raises(RuleRowConflict):
        approved(APPROVED, THIRD, NOON)


def test_it_is_withdrawn_before_its_day_and_not_after() -> None:
    gone = withdrawn(APPROVED, FIRST, "文件缓发", NOON)
    assert (gone.status, gone.reason, open_steps(gone, SECOND, NOON)) == (RowStatus.WITHDRAWN, "文件缓发", ())
    with pytest.raises(RuleRowRefused) as unexplained:
        withdrawn(APPROVED, FIRST, " ", NOON)
    assert unexplained.value.check == "rule_row.reason"
    for late in (IN_FORCE, NOON + timedelta(hours=11, minutes=55)):
        with pytest.raises(RuleRowConflict) as refusal:
            withdrawn(APPROVED, FIRST, "文件缓发", late)
        assert refusal.value.check == "rule_row.in_force"


def test_in_force_it_gets_a_last_day_by_two_persons() -> None:
    assert open_steps(APPROVED, FIRST, IN_FORCE) == (RowStep.PROPOSE_END,)
    today = date_in_china(IN_FORCE)
    with pytest.raises(RuleRowRefused):
        end_proposed(APPROVED, today - days(1), FIRST, IN_FORCE)
    proposed = end_proposed(APPROVED, today, FIRST, IN_FORCE)
    assert proposed.terms.effective_to is None
    assert open_steps(proposed, FIRST, IN_FORCE) == (RowStep.DROP_END,)
    with pytest.raises(SecondPersonRequired):
        end_approved(proposed, FIRST, IN_FORCE)
    with pytest.raises(RuleRowRefused):
        end_approved(proposed, SECOND, IN_FORCE + days(1))
    assert end_dropped(proposed) == APPROVED
    ended = end_approved(proposed, SECOND, IN_FORCE)
    assert (ended.terms.effective_to, ended.ended_by) == (today, (FIRST, SECOND))
    with pytest.raises(RuleRowRefused):
        end_proposed(ended, today + days(9), FIRST, IN_FORCE)


_STEPS = st.tuples(
    st.integers(0, 30),
    st.sampled_from(["draft", *RowStep]),
    st.integers(0, 3),
    st.sampled_from([FIRST, SECOND, THIRD]),
    st.integers(-2, 4),
    st.integers(1, 4),
)


@given(st.lists(_STEPS, max_size=25))
def test_what_a_day_was_judged_by_never_changes(steps: list[tuple[int, str, int, str, int, int]]) -> None:
    rows: list[OperatorRow] = []
    now, seen = NOON, dict[date, int | None]()

    def limit(on: date) -> int | None:
        table = rules_with(Published(), rows).book.stage_limits
        row = table.find((CustomerClass.LV_ORDINARY, Stage.SUPPLY_PLAN), on, "440103")
        assert row is not None
        return row.working_days

    for hours, step, which, actor, offset, number in steps:
        now += timedelta(hours=hours)
        today = date_in_china(now)
        seen.update({on: limit(on) for on in (today, today - days(1)) if on not in seen})
        day = today + days(offset)
        try:
            if step == "draft":
                said = terms(effective_from=day, working_days=number, region=("4401", "440103")[which % 2])
                require_fits(said, rules_with(Published(), rows), now)
                rows.append(
                    OperatorRow(
                        row_id=str(len(rows)), terms=said, status=RowStatus.DRAFT, drafted_by=actor, drafted_at=now
                    )
                )
            elif which < len(rows):
                rows[which] = _taken(rows, which, RowStep(step), actor, day, now)
        except GatewayError:
            pass
        assert {on: limit(on) for on in seen} == seen
        assert all(days_ is None or days_ <= 3 for days_ in seen.values())


def _taken(rows: list[OperatorRow], which: int, step: RowStep, actor: str, day: date, now) -> OperatorRow:
    row = rows[which]
    match step:
        case RowStep.APPROVE:
            changed = approved(row, actor, now)
            require_fits(row.terms, rules_with(Published(), rows), now)
            return changed
        case RowStep.WITHDRAW:
            return withdrawn(row, actor, "撤回", now)
        case RowStep.PROPOSE_END:
            return end_proposed(row, day, actor, now)
        case RowStep.APPROVE_END:
            return end_approved(row, actor, now)
        case RowStep.DROP_END:
            return end_dropped(row)
