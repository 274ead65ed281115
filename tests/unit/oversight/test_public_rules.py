"""What is published is what is enforced: every row of the tables, and no other."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.applications.customer_classes import Area, CustomerClass, DemandFacts, derive_class
from gateway.applications.errors import DocumentNotAllowed, RegionMalformed
from gateway.applications.requirements import Document, require_allowed
from gateway.applications.rule_book import published_rules
from gateway.applications.stages import Stage, stages_of
from gateway.applications.time_limits import joint_review_limit, stage_limit, whole_process_limit
from gateway.oversight.public_rules import region_name, rules_in_force, scope_name
from gateway.oversight.views import rules_view
from schemas.identity import ApplicantKind

DAYS = st.dates(date(2020, 12, 31), date(2030, 1, 1))
REGIONS = st.sampled_from(["440106", "440000", "110101", "441900001"])


@given(DAYS, REGIONS, st.sampled_from(CustomerClass))
def test_limits_are_those_that_judge(on: date, region: str, customer_class: CustomerClass) -> None:
    told = rules_in_force(region, on, published_rules()).of_class(customer_class)
    assert told.whole is whole_process_limit(customer_class, on, region)
    assert [each.stage for each in told.stages] == list(stages_of(customer_class))
    for each in told.stages:
        assert each.limit is stage_limit(customer_class, each.stage, on, region)


@given(DAYS, st.sampled_from(CustomerClass), st.sampled_from(Stage), st.sampled_from(Document))
def test_documents_are_those_that_may_be_asked_for(
    on: date, customer_class: CustomerClass, stage: Stage, document: Document
) -> None:
    told = {
        each.document
        for rules in rules_in_force("440106", on, published_rules()).of_class(customer_class).stages
        if rules.stage is stage
        for each in rules.documents
    }
    try:
        require_allowed(document, customer_class, stage, on)
    except DocumentNotAllowed:
        assert document not in told
    else:
        assert document in told


@given(DAYS, st.sampled_from(Area))
def test_the_ceiling_is_where_the_class_changes(on: date, area: Area) -> None:
    ceiling = dict(rules_in_force("440106", on, published_rules()).ceilings)[area]
    for over in (0, 1):
        capacity = (ceiling.ceiling_kw if ceiling else 0) + over or 1
        facts = DemandFacts(ApplicantKind.ENTERPRISE, 380, capacity, area=area)
        zero = derive_class(facts, on, "440106").customer_class is CustomerClass.LV_ZERO
        assert zero is (ceiling is not None and not over)


def test_a_regions_own_row_is_told_with_its_source() -> None:
    told = rules_view(rules_in_force("440106", date(2026, 11, 28), published_rules())).joint_review
    assert [each.limit.working_days for each in told] == [5, 5, 5]
    assert {each.limit.basis.scope_name for each in told} == {"广东省"}
    elsewhere = rules_view(rules_in_force("110101", date(2026, 11, 28), published_rules())).joint_review
    assert [each.limit.working_days for each in elsewhere] == [5, 10, None]
    assert joint_review_limit(10_000, "110101", date(2026, 11, 28)).working_days == 10


def test_before_the_rules_nothing_is_made_up() -> None:
    told = rules_view(rules_in_force("440106", date(2020, 12, 30), published_rules()))
    assert all(each.whole is None and each.fee is None for each in told.classes)
    assert all(stage.limit is None and not stage.documents for each in told.classes for stage in each.stages)
    assert (told.zero_investment, told.joint_review) == ([], [])
    after = rules_view(rules_in_force("440106", date(2020, 12, 30) + timedelta(days=1), published_rules()))
    assert all(each.whole is not None for each in after.classes)


def test_places_have_names() -> None:
    assert [region_name(code) for code in ("440000", "440100", "440106", "110101")] == [
        *("广东省", "广州市", "广州市天河区", "110101"),
    ]
    assert [scope_name(prefix) for prefix in ("", "44", "4401")] == ["全国", "广东省", "广州市"]


@pytest.mark.parametrize("region", ["4401", "abcdef", ""])
def test_what_is_no_region_is_refused(region: str) -> None:
    with pytest.raises(RegionMalformed):
        rules_in_force(region, date(2026, 1, 1), published_rules())
