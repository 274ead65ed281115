"""The road before the first click is that of the dated rule tables."""

from datetime import date

import pytest

from gateway.applications.customer_classes import CustomerClass
from gateway.applications.rule_book import published_rules
from gateway.portal.applicant.road import roads
from schemas.identity import ApplicantKind


def test_a_resident_has_one_road_and_brings_nothing() -> None:
    (road,) = roads(ApplicantKind.RESIDENT, "440000", date(2026, 11, 23), published_rules())
    assert [step.stage.value for step in road.steps] == ["sign_up", "construction"]
    assert (road.whole.working_days, road.whole.clause) == (5, "第（二）条")
    assert not any(step.brought for step in road.steps)
    assert [row.document.value for row in road.steps[0].fetched] == ["resident_id", "property_certificate"]


@pytest.mark.parametrize(("on", "days"), [(date(2021, 6, 1), 25), (date(2022, 6, 1), 20), (date(2026, 11, 23), 15)])
def test_limits_are_those_of_the_day(on: date, days: int) -> None:
    zero = roads(ApplicantKind.ENTERPRISE, "440000", on, published_rules())[0]
    assert (zero.customer_class, zero.whole.working_days) == (CustomerClass.LV_ZERO, days)


def test_a_region_of_its_own_may_be_shorter() -> None:
    elsewhere, guangdong = (
        roads(ApplicantKind.ENTERPRISE, region, date(2026, 11, 23), published_rules())[2]
        for region in ("110000", "440000")
    )
    assert (elsewhere.permits.working_days, guangdong.permits.working_days) == (10, 5)
    assert [row.document.value for row in elsewhere.steps[-2].brought] == ["completion_report"]
