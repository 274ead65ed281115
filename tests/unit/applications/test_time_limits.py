"""The limits of 第（二）条 and 附件2, and Guangdong's, line by line."""

from datetime import date

import pytest

from gateway.applications.customer_classes import CustomerClass
from gateway.applications.dated_rows import RuleTableError
from gateway.applications.errors import NoRuleInForce, StageNotInClass
from gateway.applications.stages import Stage, stages_of
from gateway.applications.time_limits import (
    JOINT_REVIEW_LIMITS,
    STAGE_LIMITS,
    JointReviewLimitRow,
    LimitBasis,
    StageLimitRow,
    VoltageBand,
    joint_review_limit,
    stage_limit,
    voltage_band,
    whole_process_limit,
)

TODAY = date(2026, 11, 23)
BEIJING, GUANGZHOU = "110105", "440103"
SIX = ["业务受理", "供电方案答复", "设计审查", "中间检查", "竣工检验", "装表接电"]
# 附件2 as printed: class → (stages, limits)
ANNEX_2 = {
    CustomerClass.RESIDENTIAL: (["受理签约", "施工接电"], [None, None]),
    CustomerClass.LV_ZERO: (["受理签约", "施工接电"], [None, None]),
    CustomerClass.LV_ORDINARY: (["业务受理", "供电方案答复", "装表接电"], [1, 3, 2]),
    CustomerClass.HV_SINGLE: (SIX, [1, 10, 3, 2, 3, 3]),
    CustomerClass.HV_DUAL: (SIX, [1, 20, 3, 2, 3, 3]),
}


@pytest.mark.parametrize("customer_class", CustomerClass)
def test_stages_and_their_limits(customer_class):
    stages = stages_of(customer_class)
    rows = [stage_limit(customer_class, stage, TODAY, GUANGZHOU) for stage in stages]
    assert ([stage.chinese_title for stage in stages], [row.working_days for row in rows]) == ANNEX_2[customer_class]
    assert all(row.clause in ("附件2", "附件2注2") for row in rows)
    assert all(row.note for row in rows if row.working_days is None)


@pytest.mark.parametrize("customer_class", CustomerClass)
def test_a_stage_the_class_lacks_has_no_limit_but_a_refusal(customer_class):
    for stage in set(Stage) - set(stages_of(customer_class)):
        with pytest.raises(StageNotInClass) as refused:
            stage_limit(customer_class, stage, TODAY, GUANGZHOU)
        assert refused.value.clause == "第（六）条"


@pytest.mark.parametrize(
    ("customer_class", "on", "days", "basis"),
    [
        (CustomerClass.RESIDENTIAL, TODAY, 5, LimitBasis.ELAPSED),
        (CustomerClass.LV_ZERO, date(2020, 12, 31), 25, LimitBasis.ELAPSED),
        (CustomerClass.LV_ZERO, date(2021, 12, 30), 25, LimitBasis.ELAPSED),
        (CustomerClass.LV_ZERO, date(2021, 12, 31), 20, LimitBasis.ELAPSED),
        (CustomerClass.LV_ZERO, date(2022, 12, 30), 20, LimitBasis.ELAPSED),
        (CustomerClass.LV_ZERO, date(2022, 12, 31), 15, LimitBasis.ELAPSED),
        (CustomerClass.LV_ZERO, TODAY, 15, LimitBasis.ELAPSED),
        (CustomerClass.LV_ORDINARY, TODAY, 6, LimitBasis.STAGES_SUM),
        (CustomerClass.HV_SINGLE, TODAY, 22, LimitBasis.STAGES_SUM),
        (CustomerClass.HV_DUAL, TODAY, 32, LimitBasis.STAGES_SUM),
    ],
)
def test_whole_process_limits_by_date(customer_class, on, days, basis):
    row = whole_process_limit(customer_class, on, GUANGZHOU)
    assert (row.working_days, row.basis, row.clause) == (days, basis, "第（二）条")


@pytest.mark.parametrize("customer_class", [c for c, (_, limits) in ANNEX_2.items() if limits[0] is not None])
def test_the_stages_add_up_to_the_total(customer_class):
    days = [stage_limit(customer_class, stage, TODAY, BEIJING).working_days for stage in stages_of(customer_class)]
    assert sum(days) == whole_process_limit(customer_class, TODAY, BEIJING).working_days


@pytest.mark.parametrize(
    ("voltage_v", "region", "days", "clause"),
    [
        (220, BEIJING, 5, "第（二）条"),
        (380, BEIJING, 5, "第（二）条"),
        (6_000, BEIJING, 10, "第（二）条"),
        (10_000, BEIJING, 10, "第（二）条"),
        (20_000, BEIJING, 10, "第（二）条"),
        (35_000, BEIJING, None, "第（四）条"),
        (220, GUANGZHOU, 5, "粤发改能源函〔2020〕1928号第三条"),
        (10_000, GUANGZHOU, 5, "粤发改能源函〔2020〕1928号第三条"),
        (110_000, GUANGZHOU, 5, "粤发改能源函〔2020〕1928号第三条"),
    ],
)
def test_joint_review_limits(voltage_v, region, days, clause):
    row = joint_review_limit(voltage_v, region, TODAY)
    assert (row.working_days, row.clause) == (days, clause)
    assert bool(row.note) == (days is None)


@pytest.mark.parametrize("voltage_v", [-1, 0, 381, 5_999])
def test_a_voltage_that_is_neither_low_nor_high_has_no_band(voltage_v):
    with pytest.raises(ValueError, match="neither"):
        voltage_band(voltage_v)


def test_before_the_goals_there_was_no_rule():
    with pytest.raises(NoRuleInForce):
        whole_process_limit(CustomerClass.RESIDENTIAL, date(2020, 12, 30), GUANGZHOU)


def tightened(days):
    return StageLimitRow(
        CustomerClass.HV_SINGLE,
        Stage.SUPPLY_PLAN,
        days,
        clause="粤能〔2026〕某号",
        region="44",
        effective_from=date(2026, 12, 1),
    )


def test_a_province_tightens_a_limit_by_a_row_for_what_it_receives_from_then_on():
    table = STAGE_LIMITS.extended([tightened(7)])
    before = stage_limit(CustomerClass.HV_SINGLE, Stage.SUPPLY_PLAN, date(2026, 11, 30), GUANGZHOU, table)
    after = stage_limit(CustomerClass.HV_SINGLE, Stage.SUPPLY_PLAN, date(2026, 12, 1), GUANGZHOU, table)
    elsewhere = stage_limit(CustomerClass.HV_SINGLE, Stage.SUPPLY_PLAN, date(2026, 12, 1), BEIJING, table)
    assert (before.working_days, after.working_days, elsewhere.working_days) == (10, 7, 10)


@pytest.mark.parametrize("days", [11, None])
def test_no_province_may_lengthen_or_lift_a_limit(days):
    with pytest.raises(RuleTableError):
        STAGE_LIMITS.extended([tightened(days)])


def test_a_city_may_not_undo_its_province():
    row = JointReviewLimitRow(VoltageBand.LOW, 6, clause="某市", region="4401", effective_from=date(2026, 1, 1))
    with pytest.raises(RuleTableError):
        JOINT_REVIEW_LIMITS.extended([row])
