"""A sharing agreement covers exactly what it names; anything outside any dimension is refused."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.partners.agreements import permits
from gateway.partners.errors import AgreementRefused, Dimension
from gateway.partners.model import AgreementStatus, Grant, PartnerStatus
from tests.support.partners import a_partner, an_agreement

ON = date(2026, 3, 2)
PURPOSES = st.sampled_from(["grid_connection_intake", "design_review", "statistics"])
KINDS = st.sampled_from(["business_licence", "resident_identity", "property_right"])
FIELDS = st.sampled_from(["name", "code", "address", "owner_matches"])
REGIONS = st.sampled_from(["440000", "440100", "440106", "440106001", "440300", "110000"])
STAGES = st.sampled_from(["acceptance", "design_review", "completion"])
DAYS = st.dates(date(2025, 12, 1), date(2026, 6, 1))
GRANTS = st.builds(Grant, KINDS, st.frozensets(FIELDS, max_size=3))
AGREEMENTS = st.builds(
    an_agreement,
    agreement_id=st.uuids().map(str),
    partner_code=st.sampled_from(["csg-guangzhou", "csg-shenzhen"]),
    purpose=PURPOSES,
    grants=st.lists(GRANTS, max_size=3).map(tuple),
    regions=st.lists(REGIONS, max_size=2).map(tuple),
    stages=st.none() | st.frozensets(STAGES, max_size=2),
    valid_from=DAYS,
    valid_until=DAYS,
    status=st.sampled_from(AgreementStatus),
)


def ask(agreements, partner=None, **changes):
    request = {
        "purpose": "grid_connection_intake",
        "kind": "business_licence",
        "region": "440106",
        "fields": ["name"],
        "on": ON,
        "stage": "acceptance",
    } | changes
    return permits(agreements, partner or a_partner(), **request)


def refused_at(agreements, **changes) -> Dimension:
    with pytest.raises(AgreementRefused) as refusal:
        ask(agreements, **changes)
    assert refusal.value.check == f"agreement.{refusal.value.dimension}"
    return refusal.value.dimension


def test_what_is_agreed_is_permitted_and_says_on_what_it_rests() -> None:
    decision = ask([an_agreement()])
    assert decision.agreement_ids == ("agreement-1",)
    assert decision.clauses == ("第（六）条",)
    assert decision.fields == {"name"}
    assert decision.allowed == {"name", "code"}


def test_no_fields_named_means_all_that_is_allowed() -> None:
    assert ask([an_agreement()], fields=None).fields == {"name", "code"}


@pytest.mark.parametrize(
    ("dimension", "request_changes"),
    [
        (Dimension.DATES, {"on": date(2025, 12, 31)}),
        (Dimension.DATES, {"on": date(2027, 1, 1)}),
        (Dimension.PURPOSE, {"purpose": "statistics"}),
        (Dimension.KIND, {"kind": "property_right"}),
        (Dimension.REGION, {"region": "440300"}),
        (Dimension.REGION, {"region": "440000"}),
        (Dimension.REGION, {"region": "not-a-region"}),
        (Dimension.FIELDS, {"fields": ["name", "address"]}),
        (Dimension.FIELDS, {"fields": []}),
    ],
)
def test_each_dimension_refuses_by_its_name(dimension: Dimension, request_changes: dict) -> None:
    assert refused_at([an_agreement()], **request_changes) is dimension


@pytest.mark.parametrize("on", [date(2026, 1, 1), date(2026, 12, 31)])
def test_both_ends_of_the_dates_are_inside(on: date) -> None:
    assert ask([an_agreement()], on=on).fields == {"name"}


def test_a_stage_narrows_when_the_agreement_names_stages() -> None:
    narrowed = [an_agreement(stages=frozenset({"acceptance"}))]
    assert ask(narrowed, stage="acceptance").fields == {"name"}
    assert refused_at(narrowed, stage="completion") is Dimension.STAGE
    assert refused_at(narrowed, stage=None) is Dimension.STAGE


@pytest.mark.parametrize("status", [AgreementStatus.DRAFT, AgreementStatus.ENDED])
def test_only_an_active_agreement_counts(status: AgreementStatus) -> None:
    assert refused_at([an_agreement(status=status)]) is Dimension.PARTNER


def test_an_empty_policy_is_a_refusal() -> None:
    assert refused_at([]) is Dimension.PARTNER
    assert refused_at([an_agreement(grants=())]) is Dimension.KIND
    assert refused_at([an_agreement(regions=())]) is Dimension.REGION
    assert refused_at([an_agreement(stages=frozenset())]) is Dimension.STAGE


def test_a_suspended_partner_and_one_outside_its_region_are_refused() -> None:
    agreements = [an_agreement(regions=("440000",))]
    assert refused_at(agreements, partner=a_partner(status=PartnerStatus.SUSPENDED)) is Dimension.PARTNER
    assert refused_at(agreements, partner=a_partner(regions=("440300",))) is Dimension.REGION
    assert refused_at(agreements, partner=a_partner(code="csg-shenzhen")) is Dimension.PARTNER


def test_fields_of_one_kind_are_not_lent_to_another() -> None:
    grants = (Grant("business_licence", frozenset({"name"})), Grant("property_right", frozenset({"address"})))
    assert refused_at([an_agreement(grants=grants)], fields=["address"]) is Dimension.FIELDS


@given(
    agreements=st.lists(AGREEMENTS, max_size=4),
    purpose=PURPOSES,
    kind=KINDS,
    region=REGIONS,
    fields=st.none() | st.frozensets(FIELDS, max_size=3),
    on=DAYS,
    stage=st.none() | STAGES,
)
def test_every_field_given_is_covered_by_an_agreement_in_all_dimensions(
    agreements, purpose, kind, region, fields, on, stage
) -> None:
    partner = a_partner(regions=("440000",))

    def covers(agreement, field: str) -> bool:
        prefixes = [code.rstrip("0") if len(code) == 6 else code for code in agreement.regions]
        return (
            agreement.partner_code == partner.code
            and agreement.status is AgreementStatus.ACTIVE
            and agreement.valid_from <= on <= agreement.valid_until
            and agreement.purpose == purpose
            and any(grant.kind == kind and field in grant.fields for grant in agreement.grants)
            and any(region.startswith(prefix) for prefix in prefixes)
            and (agreement.stages is None or stage in agreement.stages)
        )

    coverable = {f for f in ("name", "code", "address", "owner_matches") if any(covers(a, f) for a in agreements)}
    wanted = coverable if fields is None else fields
    permitted = bool(wanted) and wanted <= coverable and region.startswith("44")
    try:
        decision = permits(agreements, partner, purpose, kind, region, fields, on, stage)
    except AgreementRefused:
        assert not permitted
    else:
        assert permitted
        assert decision.fields == wanted
        assert decision.allowed == coverable
        named = [a for a in agreements if a.agreement_id in decision.agreement_ids]
        assert all(any(covers(a, f) for a in named) for f in decision.fields)


@given(agreement=AGREEMENTS, days=st.integers(1, 400))
def test_an_agreement_never_outlives_its_last_day(agreement, days: int) -> None:
    agreement = replace(agreement, partner_code="csg-guangzhou", status=AgreementStatus.ACTIVE)
    after = agreement.valid_until + timedelta(days=days)
    with pytest.raises(AgreementRefused) as refusal:
        permits([agreement], a_partner(), agreement.purpose, "business_licence", "440106", None, after)
    assert refusal.value.dimension is Dimension.DATES
