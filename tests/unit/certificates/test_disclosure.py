from dataclasses import dataclass
from datetime import date
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.certificates.disclosure import Withholding, compile_disclosure, disclose
from gateway.certificates.kind import CertificateKind, DisclosableField, Predicate
from gateway.certificates.kinds.business_licence import KIND as LICENCE
from gateway.certificates.kinds.property_certificate import KIND as PROPERTY
from gateway.certificates.registry import KindRegistry
from gateway.clock import date_in_china
from tests.support.ecertificates import AT, ENTERPRISE, Province


@dataclass(frozen=True)
class Context:
    """The simplest application there is: a code is the holder's or not, and its place is not known."""

    on: date
    code: str | None = None

    def is_holder(self, code):
        return None if self.code is None else code == self.code

    def is_site(self, text, region):
        return None


CONTEXT = Context(date_in_china(AT), ENTERPRISE)
NAMES = st.sets(
    st.sampled_from(
        [item.name for item in (*LICENCE.fields, *LICENCE.predicates)]
        + ["extensions", "model_fields", "__dict__", "in_force", "KZ_FDDBR", "holder_code_type", ""]
    )
)


@cache
def verified(kind_code="business_licence", **changes):
    province = Province()
    kind = {"business_licence": LICENCE, "property_certificate": PROPERTY}[kind_code]
    envelope = province.envelope(kind_code, **changes)
    return province.verifier().verify(envelope, kind, AT, None, province.evidence())


def test_agreed_fields_leave_and_every_other_one_is_listed_with_its_reason():
    compiled = compile_disclosure(
        LICENCE,
        agreed={"holder", "number", "valid_on", "registered_address", "issued_on"},
        required={"holder", "number", "valid_on", "issued_on"},
        requested={"holder", "issued_on", "valid_on"},
    )
    result = disclose(compiled, verified(), CONTEXT)
    assert result.fields == {"holder": "示例有限公司", "issued_on": "2024-01-02"}
    assert result.predicates == {"valid_on": True}
    reasons = {item.field: item.reason for item in result.withheld}
    assert reasons["number"] is Withholding.NOT_REQUESTED
    assert reasons["registered_address"] is Withholding.NOT_REQUIRED
    assert reasons["legal_representative"] is Withholding.NOT_AGREED
    assert "registered_capital" not in reasons  # this licence does not hold it


def test_an_empty_agreement_discloses_nothing():
    result = disclose(compile_disclosure(LICENCE, frozenset()), verified(), CONTEXT)
    assert (result.fields, result.predicates) == ({}, {})


def test_nothing_leaves_unless_the_verdict_is_valid():
    everything = compile_disclosure(LICENCE, {item.name for item in (*LICENCE.fields, *LICENCE.predicates)})
    result = disclose(everything, verified(ZZYXQJZRQ="2026-01-01"), CONTEXT)
    assert (result.fields, result.predicates) == ({}, {})
    assert {item.reason for item in result.withheld} == {Withholding.NOT_VERIFIED}


def test_a_disclosure_is_never_applied_to_another_kind():
    compiled = compile_disclosure(LICENCE, {"holder"})
    with pytest.raises(ValueError, match="another"):
        disclose(compiled, verified("property_certificate"), CONTEXT)


def test_predicates_answer_without_the_value():
    compiled = compile_disclosure(PROPERTY, {"held_by", "valid_on"})
    asked = [Context(CONTEXT.on, code) for code in (ENTERPRISE, "914403001922038216", None)]
    answers = [disclose(compiled, verified("property_certificate"), context).predicates for context in asked]
    assert answers == [{"valid_on": True, "held_by": True}, {"valid_on": True, "held_by": False}, {"valid_on": True}]


OTHER, OTHER_NAME = "914403001922038216", "另一公司"
OWNED = {
    "CZZT": f"{OTHER_NAME}、示例有限公司",
    "CZZTDM": f"{OTHER}、{ENTERPRISE}",
    "KZ_QLR": f"{OTHER_NAME}、示例有限公司",
    "KZ_QLRZJH": f"{OTHER}、{ENTERPRISE}",
}
HOLDER_FIELDS = {"holder", "holder_code", "owners", "owner_codes"}


def test_of_several_owners_only_the_one_who_consents_is_told():
    compiled = compile_disclosure(PROPERTY, {*HOLDER_FIELDS, "location"})
    result = disclose(compiled, verified("property_certificate", **OWNED), CONTEXT)
    own = {"holder": "示例有限公司", "owners": "示例有限公司", "holder_code": ENTERPRISE, "owner_codes": ENTERPRISE}
    assert result.fields == {**own, "location": "广州市示例路2号"}
    others = {item.field for item in result.withheld if item.reason is Withholding.OTHER_HOLDERS}
    assert others == HOLDER_FIELDS
    assert OTHER not in repr(result)
    assert OTHER_NAME not in repr(result)


def test_a_name_that_begins_within_the_own_one_and_ends_behind_it_stays_behind():
    """Where two places of one name overlap, both are looked at: only the first lies within the holder's own name."""
    owned = OWNED | {"CZZT": "王五王、李王五王", "KZ_QLR": "王五王、李王五王"}
    compiled = compile_disclosure(PROPERTY, {"location"})
    for location, told in (("李王五王之屋", True), ("李王五王五王之屋", False)):
        result = disclose(compiled, verified("property_certificate", **owned, KZ_ZL=location), CONTEXT)
        assert ("location" in result.fields) is told


@pytest.mark.parametrize(
    ("owners", "asked_for"),
    [
        ({"KZ_QLR": OTHER_NAME, "KZ_QLRZJH": OTHER}, ENTERPRISE),
        ({"KZ_QLR": f"{OTHER_NAME}、第三人", "KZ_QLRZJH": OTHER}, ENTERPRISE),
        (OWNED, None),
    ],
    ids=["owned by another alone", "lists that do not match", "nobody consents"],
)
def test_owners_among_whom_the_consenting_one_is_not_are_withheld_whole(owners, asked_for):
    compiled = compile_disclosure(PROPERTY, {"owners", "owner_codes"})
    result = disclose(compiled, verified("property_certificate", **owners), Context(CONTEXT.on, asked_for))
    assert result.fields == {}
    reasons = {item.field: item.reason for item in result.withheld}
    assert {reasons["owners"], reasons["owner_codes"]} == {Withholding.OTHER_HOLDERS}


def test_a_single_owner_is_told_as_before():
    own = {"KZ_QLR": "示例有限公司", "KZ_QLRZJH": ENTERPRISE}
    result = disclose(compile_disclosure(PROPERTY, HOLDER_FIELDS), verified("property_certificate", **own), CONTEXT)
    assert set(result.fields) == HOLDER_FIELDS
    assert Withholding.OTHER_HOLDERS not in {item.reason for item in result.withheld}


@settings(max_examples=200, deadline=None)
@given(agreed=NAMES, required=st.none() | NAMES, requested=st.none() | NAMES)
def test_no_field_outside_the_allowed_ever_leaves(agreed, required, requested):
    compiled = compile_disclosure(LICENCE, agreed, required, requested)
    result = disclose(compiled, verified(), CONTEXT)
    allowed = set(agreed)
    for narrower in (required, requested):
        allowed &= narrower if narrower is not None else allowed
    left = set(result.fields) | set(result.predicates)
    assert left <= allowed
    assert set(result.fields) <= {item.name for item in LICENCE.fields}
    assert set(result.fields).isdisjoint(item.field for item in result.withheld)
    secret = verified().claims.legal_representative
    assert "legal_representative" in allowed or secret not in repr((result.fields, result.predicates, result.withheld))


def test_every_kind_is_found_once_with_its_titles_and_codes():
    found = KindRegistry.discover().by_code
    assert set(found) == {
        "business_licence",
        "resident_id",
        "property_certificate",
        "project_approval",
        "design_qualification",
        "construction_qualification",
    }
    for kind in found.values():
        assert kind.title
        assert {item.name for item in kind.predicates} >= {"valid_on", "held_by"}
    personal = {item.name for item in found["resident_id"].fields if item.personal}
    assert {"number", "holder", "holder_code", "residence", "born_on"} <= personal


def test_duplicate_kinds_codes_and_strange_configuration_refuse_the_start():
    with pytest.raises(ValueError, match="two files"):
        KindRegistry.build([LICENCE, LICENCE])
    with pytest.raises(ValueError, match="share"):
        KindRegistry.build([LICENCE, PROPERTY.with_type_codes(LICENCE.type_codes)])
    with pytest.raises(ValueError, match="unknown"):
        KindRegistry.build([LICENCE], {"driving_licence": ("x",)})
    configured = KindRegistry.discover({"project_approval": ("11100000MB0143028R777",)})
    assert configured.get("project_approval").type_codes == ("11100000MB0143028R777",)


@pytest.mark.parametrize(
    "wrong",
    [
        {"code": "Not A Slug"},
        {"type_codes": ()},
        {"holder_types": frozenset()},
        {"fields": (DisclosableField("secret", "?"),)},
        {"fields": (DisclosableField("holder", "?"), DisclosableField("holder", "?"))},
        {"predicates": (Predicate("holder", "?", lambda claims, context: True),)},
    ],
)
def test_a_kind_that_contradicts_itself_cannot_be_made(wrong):
    parts = {name: getattr(LICENCE, name) for name in CertificateKind.__dataclass_fields__}
    with pytest.raises(ValueError, match="kind"):
        CertificateKind(**{**parts, **wrong})
