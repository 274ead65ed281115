"""Rule tables refuse rows that contradict each other, and answer with the most local row in force."""

from dataclasses import dataclass
from datetime import date

import pytest

from gateway.applications.dated_rows import DatedRow, RuleTable, RuleTableError, require_region_code
from gateway.applications.errors import NoRuleInForce, RegionMalformed

START = date(2020, 12, 31)


@dataclass(frozen=True)
class Row(DatedRow):
    days: int


def row(days, region="", start=START, end=None, clause="第（二）条"):
    return Row(days, clause=clause, region=region, effective_from=start, effective_to=end)


def table(*rows):
    return RuleTable("example", rows, key=lambda row: "limit", may_narrow=lambda broad, local: local.days <= broad.days)


def test_the_most_local_row_applies():
    limits = table(row(10), row(5, "44"), row(3, "4401"), row(2, "440103"))
    answers = {region: limits.get("limit", START, region).days for region in ("110101", "440306", "440104", "440103")}
    assert answers == {"110101": 10, "440306": 5, "440104": 3, "440103": 2}


def test_a_row_holds_from_its_first_to_its_last_day():
    limits = table(row(25, end=date(2021, 12, 30)), row(20, start=date(2021, 12, 31)))
    assert limits.find("limit", date(2020, 12, 30), "440103") is None
    assert limits.get("limit", date(2020, 12, 31), "440103").days == 25
    assert limits.get("limit", date(2021, 12, 30), "440103").days == 25
    assert limits.get("limit", date(2021, 12, 31), "440103").days == 20


def test_no_row_in_force_is_a_refusal():
    with pytest.raises(NoRuleInForce):
        table(row(5)).get("limit", date(2020, 12, 30), "440103")


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param([row(5), row(6)], id="two open rows"),
        pytest.param([row(5, end=date(2022, 1, 1)), row(6, start=date(2022, 1, 1))], id="one shared day"),
        pytest.param([row(5, "44"), row(4, "44", start=date(2023, 1, 1))], id="same region"),
        pytest.param([row(5), row(6, "44")], id="a region lengthens"),
        pytest.param([row(5, "44"), row(6, "4401")], id="a city lengthens its province"),
        pytest.param([row(5, clause="")], id="no clause"),
        pytest.param([row(5, end=date(2020, 1, 1))], id="ends before it begins"),
        pytest.param([row(5, "4")], id="not a prefix of whole levels"),
        pytest.param([row(5, "粤")], id="not digits"),
    ],
)
def test_rows_that_do_not_fit_are_refused_when_the_table_is_built(rows):
    with pytest.raises(RuleTableError):
        table(*rows)


def test_a_region_may_differ_where_the_broader_row_is_not_in_force():
    limits = table(row(5, end=date(2021, 1, 31)), row(9, "44", start=date(2021, 2, 1)))
    assert limits.get("limit", date(2021, 2, 1), "440103").days == 9


def test_an_extended_table_is_checked_as_a_whole_and_leaves_the_old_one_alone():
    limits = table(row(5))
    assert limits.extended([row(3, "44")]).get("limit", START, "440103").days == 3
    assert limits.get("limit", START, "440103").days == 5
    with pytest.raises(RuleTableError):
        limits.extended([row(7, "44")])


@pytest.mark.parametrize("region", ["", "4", "44", "4401", "44010", "44010a", "４４０１０３", "44010300"])
def test_a_region_that_is_no_code_is_never_taken_for_the_nation(region):
    with pytest.raises(RegionMalformed):
        table(row(5)).find("limit", START, region)


@pytest.mark.parametrize("region", ["440103", "440103001", "440103001001", "999999"])
def test_codes_of_6_9_and_12_digits_pass_known_or_not(region):
    assert require_region_code(region) == region
