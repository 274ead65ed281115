"""What may be added to the rules and what may not: each refusal names its check and its clause."""

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from gateway.applications.customer_classes import Area, CustomerClass
from gateway.applications.stages import Stage
from gateway.applications.time_limits import LimitBasis, VoltageBand, stage_limit, whole_process_limit
from gateway.rule_rows.errors import RuleRowRefused
from gateway.rule_rows.model import ExtendableTable, OperatorRow, RowStatus, RowTerms
from gateway.rule_rows.rules import Published, Rules, earliest_start, require_fits, rules_with
from gateway.rule_rows.tables import region_prefix
from schemas.departments import ConnectionLine, ReviewMode
from tests.support.rule_rows import BASIS, FIRST, SECOND, terms
from tests.support.storage import NOON

T = ExtendableTable
TOMORROW = date(2026, 3, 3)


def approved(*rows: RowTerms) -> Rules:
    return rules_with(Published(), [row_of(each, RowStatus.APPROVED) for each in rows])


def row_of(said: RowTerms, status: RowStatus) -> OperatorRow:
    return OperatorRow(row_id="rul_1", terms=said, status=status, drafted_by=FIRST, drafted_at=NOON, approved_by=SECOND)


def without(**said: Any) -> RowTerms:
    return terms(**{"customer_class": None, "stage": None, "working_days": None} | said)


WHOLE = without(table=T.WHOLE_LIMIT, customer_class=CustomerClass.HV_SINGLE, working_days=20)
JOINT = without(table=T.JOINT_REVIEW_LIMIT, band=VoltageBand.LOW, working_days=3)
CEILING = without(table=T.ZERO_INVESTMENT, area=Area.URBAN, ceiling_kw=200)
MODE = without(table=T.REVIEW_MODE, mode=ReviewMode.EXEMPT, max_voltage_v=380, max_length_m=150.0)
HOLIDAY = without(
    table=T.CALENDAR, region="", effective_from=date(2026, 3, 5), effective_to=date(2026, 3, 6), is_working_day=False
)


@pytest.mark.parametrize("said", [terms(), WHOLE, JOINT, CEILING, MODE, HOLIDAY])
def test_a_row_that_tightens_is_taken_and_then_is_in_the_way_of_the_same_one(said: RowTerms) -> None:
    row = require_fits(said, approved(), NOON)
    assert row.clause == "穗发改〔2026〕18号第二条"
    with pytest.raises(RuleRowRefused) as refusal:
        require_fits(said, approved(said), NOON)
    assert refusal.value.check == "rule_row.overlaps"
    assert "穗发改〔2026〕18号第二条" in refusal.value.remedy


@pytest.mark.parametrize(
    ("said", "check", "clause"),
    [
        (terms(working_days=4), "loosens", "第（三）条、第（四）条"),
        (replace(WHOLE, working_days=23), "loosens", "第（三）条、第（四）条"),
        (replace(JOINT, working_days=6), "loosens", "第（三）条、第（四）条"),
        (replace(CEILING, ceiling_kw=159), "loosens", "第（九）条"),
        (terms(stage=Stage.DESIGN_REVIEW), "stage", "第（六）条"),
        (terms(region=""), "region", None),
        (replace(HOLIDAY, region="44"), "region", None),
        (terms(region="440"), "region", None),
        (terms(effective_from=date(2026, 3, 2)), "begins_too_early", "第（三）条"),
        (terms(effective_to=date(2026, 3, 1)), "dates", None),
        (terms(basis=replace(BASIS, clause=" ")), "basis", None),
        (terms(working_days=0), "working_days", None),
        (replace(MODE, mode=ReviewMode.FULL), "subject", "第（四）条"),
        (replace(MODE, max_length_m=None), "bounds", "第（四）条"),
        (replace(HOLIDAY, effective_to=None), "dates", None),
        (replace(JOINT, region="44"), "overlaps", None),
    ],
)
def test_what_the_rules_leave_no_room_for_is_refused(said: RowTerms, check: str, clause: str | None) -> None:
    with pytest.raises(RuleRowRefused) as refusal:
        require_fits(said, approved(), NOON)
    assert (refusal.value.check, refusal.value.clause) == (f"rule_row.{check}", clause)


def test_a_province_may_not_be_stricter_than_a_city_already_is() -> None:
    with pytest.raises(RuleRowRefused) as refusal:
        require_fits(terms(region="44", working_days=1), approved(terms()), NOON)
    assert refusal.value.check == "rule_row.local_row_worse"


def test_documents_take_no_row() -> None:
    assert {"documents", "requirements", "disclosure"}.isdisjoint(set(ExtendableTable))


def test_only_approved_rows_count_and_only_where_and_when_they_hold() -> None:
    def days(rules: Rules, on: date, region: str) -> int | None:
        return stage_limit(
            CustomerClass.LV_ORDINARY, Stage.SUPPLY_PLAN, on, region, rules.book.stage_limits
        ).working_days

    said = terms(effective_to=date(2026, 3, 9))
    assert days(rules_with(Published(), [row_of(said, RowStatus.DRAFT)]), TOMORROW, "440103") == 3
    rules = approved(said)
    assert [days(rules, on, "440103") for on in (date(2026, 3, 2), TOMORROW, date(2026, 3, 9), date(2026, 3, 10))] == [
        3,
        2,
        2,
        3,
    ]
    assert days(rules, TOMORROW, "440304") == 3


def test_the_whole_is_counted_as_the_nation_counts_it() -> None:
    row = whole_process_limit(CustomerClass.HV_SINGLE, TOMORROW, "440103", approved(WHOLE).book.whole_limits)
    assert (row.working_days, row.basis) == (20, LimitBasis.STAGES_SUM)


def test_days_and_modes_of_officers_count() -> None:
    rules = approved(HOLIDAY, MODE)
    assert rules.book.calendar.add_working_days(date(2026, 3, 4), 1).due_on == date(2026, 3, 9)
    line = ConnectionLine(description="接入", voltage_v=380, length_m=100, from_point="甲", to_point="乙")
    found = rules.modes.rule_for(ReviewMode.EXEMPT, "road_occupation", line, "440103", TOMORROW)
    assert found.clause == "穗发改〔2026〕18号第二条"


@pytest.mark.parametrize(
    ("at", "first"),
    [
        (datetime(2026, 3, 2, 15, 49, 59, tzinfo=UTC), date(2026, 3, 3)),
        (datetime(2026, 3, 2, 15, 50, tzinfo=UTC), date(2026, 3, 4)),
        (datetime(2026, 3, 2, 16, 0, tzinfo=UTC), date(2026, 3, 4)),
    ],
)
def test_shortly_before_midnight_in_china_tomorrow_is_too_early(at: datetime, first: date) -> None:
    assert earliest_start(at) == first


@pytest.mark.parametrize(("code", "prefix"), [("440000", "44"), ("440100", "4401"), ("440103", "440103"), ("", "")])
def test_a_region_is_said_by_its_code(code: str, prefix: str) -> None:
    assert region_prefix(code) == prefix
