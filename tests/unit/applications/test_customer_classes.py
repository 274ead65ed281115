"""The derivation of a customer class, line by line of the table of classes."""

from dataclasses import replace
from datetime import date

import pytest

from gateway.applications.customer_classes import (
    ZERO_INVESTMENT_CEILINGS,
    Area,
    CeilingRow,
    CustomerClass,
    DemandFacts,
    derive_class,
)
from gateway.applications.dated_rows import RuleTableError
from gateway.applications.errors import DemandNotClassifiable
from schemas.identity import ApplicantKind

TODAY = date(2026, 11, 23)
GUANGZHOU = "440103"
SHOP = DemandFacts(ApplicantKind.ENTERPRISE, voltage_v=380, capacity_kw=50)
HOME = DemandFacts(ApplicantKind.RESIDENT, voltage_v=220, capacity_kw=8)


@pytest.mark.parametrize(
    ("facts", "expected", "clause"),
    [
        (HOME, CustomerClass.RESIDENTIAL, "第（二）条"),
        (replace(HOME, voltage_v=380, capacity_kw=300), CustomerClass.RESIDENTIAL, "第（二）条"),
        (SHOP, CustomerClass.LV_ZERO, "第（二）条"),
        (replace(SHOP, capacity_kw=160), CustomerClass.LV_ZERO, "第（二）条"),
        (replace(SHOP, capacity_kw=160.5), CustomerClass.LV_ORDINARY, "第（二）条"),
        (replace(SHOP, capacity_kw=160, area=Area.RURAL), CustomerClass.LV_ZERO, "第（二）条"),
        (replace(SHOP, small_and_micro=True), CustomerClass.LV_ZERO, "第（二）条"),
        (replace(SHOP, small_and_micro=False), CustomerClass.LV_ORDINARY, "第（二）条"),
        (replace(SHOP, voltage_v=6_000), CustomerClass.HV_SINGLE, "附件2、附件2注1"),
        (replace(SHOP, voltage_v=10_000, capacity_kw=800), CustomerClass.HV_SINGLE, "附件2、附件2注1"),
        (replace(SHOP, voltage_v=10_000, sources=2), CustomerClass.HV_DUAL, "附件2、附件2注1"),
        (replace(SHOP, voltage_v=110_000, sources=2), CustomerClass.HV_DUAL, "附件2、附件2注1"),
        (replace(HOME, voltage_v=10_000), CustomerClass.HV_SINGLE, "附件2、附件2注1"),
    ],
)
def test_the_class_follows_from_the_facts(facts, expected, clause):
    derivation = derive_class(facts, TODAY, GUANGZHOU)
    assert (derivation.customer_class, derivation.clause) == (expected, clause)
    assert derivation.reason


@pytest.mark.parametrize(
    ("area", "on", "ceiling"),
    [
        (Area.URBAN, date(2021, 12, 31), 160),
        (Area.RURAL, date(2021, 12, 31), 100),
        (Area.RURAL, date(2022, 12, 30), 100),
        (Area.RURAL, date(2022, 12, 31), 160),
        (Area.URBAN, date(2022, 12, 31), 160),
    ],
)
def test_the_zero_investment_ceiling_of_each_date_and_area(area, on, ceiling):
    at_ceiling = derive_class(replace(SHOP, area=area, capacity_kw=ceiling), on, GUANGZHOU)
    above = derive_class(replace(SHOP, area=area, capacity_kw=ceiling + 1), on, GUANGZHOU)
    assert at_ceiling.customer_class is CustomerClass.LV_ZERO
    assert above.customer_class is CustomerClass.LV_ORDINARY
    assert f"{ceiling}kW" in at_ceiling.reason


def test_before_zero_investment_began_nobody_gets_it_and_is_told_so():
    derivation = derive_class(SHOP, date(2021, 12, 30), GUANGZHOU)
    assert derivation.customer_class is CustomerClass.LV_ORDINARY
    assert "尚未实行" in derivation.reason


@pytest.mark.parametrize("voltage_v", [381, 400, 1_000, 3_000, 5_999])
@pytest.mark.parametrize("facts", [SHOP, HOME])
def test_between_380_v_and_6_kv_there_is_no_class(facts, voltage_v):
    with pytest.raises(DemandNotClassifiable) as refused:
        derive_class(replace(facts, voltage_v=voltage_v), TODAY, GUANGZHOU)
    assert refused.value.clause == "附件2注1"


@pytest.mark.parametrize(
    "facts",
    [
        replace(SHOP, voltage_v=10_000, sources=3),
        replace(SHOP, sources=0),
        replace(SHOP, voltage_v=0),
        replace(SHOP, capacity_kw=0),
        replace(SHOP, capacity_kw=-5),
        replace(SHOP, capacity_kw=float("nan")),
        replace(SHOP, capacity_kw=float("inf")),
    ],
)
def test_facts_that_fit_no_class_are_refused(facts):
    with pytest.raises(DemandNotClassifiable):
        derive_class(facts, TODAY, GUANGZHOU)


def ceiling_of(region, kw):
    return CeilingRow(Area.URBAN, kw, clause="第（九）条", region=region, effective_from=date(2023, 1, 1))


def test_a_region_may_raise_the_ceiling_for_itself_alone():
    ceilings = ZERO_INVESTMENT_CEILINGS.extended([ceiling_of("4403", 200)])
    bigger = replace(SHOP, capacity_kw=200)
    in_shenzhen = derive_class(bigger, TODAY, "440304", ceilings)
    assert (in_shenzhen.customer_class, in_shenzhen.clause) == (CustomerClass.LV_ZERO, "第（九）条")
    assert derive_class(bigger, TODAY, GUANGZHOU, ceilings).customer_class is CustomerClass.LV_ORDINARY


@pytest.mark.parametrize("rows", [[ceiling_of("44", 159)], [ceiling_of("44", 200), ceiling_of("4401", 180)]])
def test_a_region_may_never_lower_the_ceiling(rows):
    with pytest.raises(RuleTableError):
        ZERO_INVESTMENT_CEILINGS.extended(rows)


def test_every_class_has_the_regulations_name():
    assert [customer_class.chinese_title for customer_class in CustomerClass] == [
        "居民用户",
        "实行“三零”服务的低压非居民用户",
        "未实行“三零”服务的低压非居民用户",
        "高压单电源用户",
        "高压双电源用户",
    ]
