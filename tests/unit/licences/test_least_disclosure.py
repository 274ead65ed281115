"""For any agreement, any rule, any request and any certificate: nothing leaves but what all of them allow."""

import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from gateway.applications.dated_rows import RuleTable
from gateway.applications.disclosure_rules import DisclosureRow
from gateway.applications.requirements import Document
from gateway.applications.stages import Stage
from gateway.certificates.claims import ECertificateClaims
from gateway.certificates.disclosure import UNNAMED, Disclosure, Withholding, disclose
from gateway.certificates.kind import CertificateKind
from gateway.certificates.registry import KindRegistry
from gateway.certificates.verdicts import Verdict
from gateway.certificates.verification import Verification
from gateway.clock import date_in_china
from gateway.errors import GatewayError
from gateway.licences.answers import AnswerForm, Leaving
from gateway.licences.application_context import ApplicationContext
from gateway.licences.compiled import Compiled, DisclosureCompiler, Question
from gateway.licences.gates import Gates
from gateway.licences.obtaining import Found
from gateway.partners.directory import DirectorySnapshot
from schemas.identifiers import (
    former_resident_identity_number,
    make_resident_identity_number,
    make_unified_social_credit_code,
)
from schemas.partner_api import VerifiedLicence, VerifiedLicenceRequest
from tests.support.ecertificates import AT
from tests.support.licences import UTILITY, a_utility, an_agreement, province

KINDS = KindRegistry.discover()
RESIDENT = make_resident_identity_number("440106", date(1985, 3, 4), 12)
FORMER = former_resident_identity_number(RESIDENT)
COMPANY = make_unified_social_credit_code("91440101", "TDMA0001")
OTHER_PEOPLE = [make_resident_identity_number("440305", date(1970 + number, 5, 6), number) for number in range(3)]
OTHERS_FORMER = str(former_resident_identity_number(OTHER_PEOPLE[0]))
ODD_CODES = ["44010619850304001", "护照E1234567", "440106850304999"]
LETTERS = "龘靐齉麤鱻飝驫灪"
"""Characters that stand in no title, remedy or place: whoever is called so is found wherever they stand."""
SITE = "广州市天河区示例路8号"

MODEL_FIELDS = sorted({name for kind in KINDS.by_code.values() for name in kind.claims_model.model_fields})

names = st.text(LETTERS, min_size=2, max_size=3)
spelt = st.sampled_from(["{}", "权利人：{}", "{}占50%", " {} ", "共有人{}、{}"])


def wide(text: str) -> str:
    """The same in full-width characters, with a space in between."""
    return " ".join(chr(ord(char) + 0xFEE0) if "!" <= char <= "~" else char for char in text)


@dataclass(frozen=True)
class Case:
    """A certificate, who holds it, and who else stands in it."""

    kind: CertificateKind
    claims: ECertificateClaims
    own_code: str
    others: tuple[str, ...]


def marked(name: str) -> str:
    """A text that stands for the value of the field ``name`` and of no other."""
    return f"值{MODEL_FIELDS.index(name):03d}号"


@st.composite
def cases(draw: st.DrawFn) -> Case:
    kind = KINDS.get(draw(st.sampled_from([*sorted(KINDS.by_code), *["property_certificate"] * 5])))
    own_code = draw(st.sampled_from([RESIDENT, COMPANY]))
    shown_code = FORMER if own_code == RESIDENT and draw(st.booleans()) else own_code
    own = (draw(names), shown_code or own_code)
    codes = draw(st.lists(st.sampled_from(OTHER_PEOPLE + ODD_CODES), unique=True, max_size=3))
    longer = names.map(lambda text: own[0] + text[:1])
    others = [(draw(names | longer), code) for code in codes]
    holders = draw(st.permutations([own, *others]))
    model = kind.claims_model
    value: dict[str, Any] = province().metadata(kind.code)
    value |= {"CZZT": "、".join(name for name, _ in holders), "CZZTDM": "、".join(code for _, code in holders)}
    fixed = {"KZ_BDCDYH", "KZ_XMDM", "KZ_BDCQZH", "KZ_QLR", "KZ_QLRZJH"}
    register = owners(draw, own, [*others, (draw(names), "护照X7654321")]) if "owners" in model.model_fields else {}
    everybody = [part for person in others for part in person]
    everybody += [part for value in register.values() for part in re.split("[、,； ]", value) if part not in own]
    assume(not any(part in own[0] for part in everybody))
    for name, field in model.model_fields.items():
        alias = str(field.alias)
        if (not alias.startswith("KZ_") and alias not in ("ZZBH", "ZZMC", "ZZBFJG")) or alias in fixed:
            continue
        text = marked(name)
        if everybody and draw(st.booleans()):
            hidden = draw(st.sampled_from(everybody[:2] + everybody[-2:]))
            text += draw(spelt).replace("{}", draw(st.sampled_from([hidden, wide(hidden)])))
        if field.is_required() or draw(st.booleans()):
            value[alias] = text
        else:
            value.pop(alias, None)
    value |= {"KZ_XMDM": "2026-440106-44-03-012345"} if kind.code == "project_approval" else {}
    if kind.code == "property_certificate":
        value["KZ_ZL"] = draw(st.sampled_from([SITE, "天河区示例路8號", value["KZ_ZL"]]))
        value |= register
    for key in draw(st.lists(st.sampled_from(["KZ_NEW", "KZ_小名", "KZ_" + "A" * 40]), unique=True)):
        value[key] = draw(st.sampled_from([*everybody, own[0], "…"]))
    claims = model.model_validate(value)
    return Case(kind, claims, own_code, tuple(everybody))


def owners(draw: st.DrawFn, own: tuple[str, str], others: list[tuple[str, str]]) -> dict[str, str]:
    """权利人 as registers write them: none, without numbers, not in pairs, with another separator, with a stranger."""
    listed = draw(st.permutations([own, *others]))[: draw(st.integers(0, len(others) + 1))]
    if not listed:
        return {}
    between = draw(st.sampled_from(["、", ",", "；", " "]))
    found = {"KZ_QLR": between.join(name for name, _ in listed)}
    numbered = listed[draw(st.integers(0, 1)) :]
    if numbered:
        found["KZ_QLRZJH"] = between.join(code for _, code in numbered)
    return found


@dataclass(frozen=True)
class Terms:
    """What agreement, rule and request each allow."""

    agreed: frozenset[str]
    needed: frozenset[str]
    requested: frozenset[str] | None

    @property
    def allowed(self) -> frozenset[str]:
        both = self.agreed & self.needed
        return both if self.requested is None else both & self.requested


def compiled_by(kind: CertificateKind, terms: Terms) -> Compiled | None:
    """What the gateway compiles of them; None where it refuses the request."""
    row = DisclosureRow(
        "grid_connection",
        Stage.ACCEPTANCE,
        Document(kind.code),
        terms.needed,
        clause="第（六）条",
        effective_from=date(2020, 12, 31),
    )
    table = RuleTable("disclosure_rules", [row], key=lambda each: (each.item, each.stage, each.document.value))
    agreement = an_agreement(agreed={kind.code: set(terms.agreed)})
    snapshot = DirectorySnapshot(1, {UTILITY: a_utility()}, {}, {UTILITY: [agreement]})
    on = date_in_china(AT)
    question = Question(UTILITY, "grid_connection", kind.code, Stage.ACCEPTANCE, "440106", on, on, terms.requested)
    try:
        return DisclosureCompiler(KINDS, table).compile(snapshot, question, Gates())
    except GatewayError:
        return None


def answer_to(
    case: Case, compiled: Compiled, verdict: Verdict, findings: tuple[str, ...] = ()
) -> tuple[Disclosure, str]:
    """What leaves, and the claims of the signed answer as they are sent."""
    verification = Verification(
        kind=case.kind.code, verdict=verdict, checks=(), at=AT, claims=case.claims, findings=findings
    )
    context = ApplicationContext(date_in_china(AT), case.own_code, "440106", SITE)
    disclosure = disclose(compiled.disclosure, verification, context)
    leaving = Leaving(Found(verification, "440000", ()), compiled, disclosure)
    request = VerifiedLicenceRequest(application_id="app_1", kind=case.kind.code, purpose="grid_connection")
    form = AnswerForm.of(request, case.kind.title, leaving, iss="https://gw.example", aud=UTILITY)
    written = form.filled_in(AT, "lic_1", "log-1")
    claims = VerifiedLicence.model_validate_json(written)
    assert written == claims.model_dump_json().encode(), "the model says the same, member by member"
    return disclosure, claims.model_dump_json()


def some_of(kind: CertificateKind) -> st.SearchStrategy[frozenset[str]]:
    known = sorted(kind.disclosable | {"extensions", "model_extra", "__class__", "KZ_NEW", "type_code", ""})
    return st.frozensets(st.sampled_from(known)) | st.just(frozenset(known))


def folded(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).split())


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(case=cases(), verdict=st.sampled_from([*Verdict, *[Verdict.VALID] * 4]), data=st.data())
def test_nothing_leaves_but_what_kind_agreement_rule_and_request_all_allow(
    case: Case, verdict: Verdict, data: st.DataObject
) -> None:
    kind = case.kind
    agreed, needed = data.draw(some_of(kind)), data.draw(some_of(kind))
    within = st.frozensets(st.sampled_from(sorted(agreed & needed))) if agreed & needed else st.none()
    terms = Terms(agreed, needed, data.draw(st.none() | within | some_of(kind)))
    compiled = compiled_by(kind, terms)
    if compiled is None:
        return
    disclosure, sent = answer_to(case, compiled, verdict)
    left = {*disclosure.fields, *disclosure.predicates}

    assert left <= kind.disclosable & terms.allowed
    if verdict is not Verdict.VALID:
        assert left == set()
        assert Withholding.UNDECIDED not in {each.reason for each in disclosure.withheld}
    for name in kind.claims_model.model_fields:
        text = getattr(case.claims, name)
        if name not in disclosure.fields and isinstance(text, str) and marked(name) in text:
            assert marked(name) not in sent, "a value left under another name"
    for somebody in case.others:
        assert folded(somebody) not in folded(sent), "somebody who did not consent is told of"
    if verdict is Verdict.VALID:
        assert_whole(case, terms, disclosure)


def assert_whole(case: Case, terms: Terms, disclosure: Disclosure) -> None:
    """Given and withheld together are all that the certificate holds, each withheld thing for its own reason."""
    kind, claims = case.kind, case.claims
    left = {*disclosure.fields, *disclosure.predicates}
    withheld = {each.field: each.reason for each in disclosure.withheld}
    questions = {each.name for each in kind.predicates}
    held = {name for name in kind.claims_model.model_fields if getattr(claims, name) is not None}
    extensions = {name if name == "KZ_NEW" else UNNAMED for name in claims.extensions}
    assert left | withheld.keys() == held | questions | extensions
    assert len(withheld) == len(disclosure.withheld), "a thing is withheld once"
    for name in left & withheld.keys():
        assert withheld[name] is Withholding.OTHER_HOLDERS
    for name, reason in withheld.items():
        if reason is Withholding.NOT_DISCLOSABLE:
            assert name not in kind.disclosable
        elif reason in (Withholding.OTHER_HOLDERS, Withholding.UNDECIDED):
            assert name in terms.allowed
        else:
            assert name not in terms.allowed
            first = "not_agreed" if name not in terms.agreed else "not_required"
            assert reason == (first if name not in terms.agreed & terms.needed else "not_requested")
    for name, value in disclosure.fields.items():
        whole = getattr(claims, name)
        of_holders = next(each.of_holders for each in kind.fields if each.name == name)
        assert value in whole.split("、") if of_holders else str(value) == str(whole)


@pytest.mark.parametrize("kind", KINDS.by_code.values(), ids=lambda kind: kind.code)
def test_all_that_is_allowed_of_a_sole_holders_certificate_does_leave(kind: CertificateKind) -> None:
    value = province().metadata(kind.code)
    own: dict[str, Any] = {
        "project_approval": {"KZ_XMDM": "2026-440106-44-03-012345", "KZ_XMMC": "厂房"},
        "design_qualification": {"KZ_ZZLB": "送变电", "KZ_ZZDJ": "乙级"},
        "construction_qualification": {"KZ_ZZLB": "送变电", "KZ_ZZDJ": "乙级"},
    }.get(kind.code, {})
    case = Case(kind, kind.claims_model.model_validate(value | own), COMPANY, ())
    compiled = compiled_by(kind, Terms(kind.disclosable, kind.disclosable, None))
    assert compiled is not None
    disclosure, _ = answer_to(case, compiled, Verdict.VALID)
    held = {each.name for each in kind.fields if getattr(case.claims, each.name) is not None}
    assert disclosure.fields.keys() == held
    assert {"valid_on", "held_by"} <= disclosure.predicates.keys()


@pytest.mark.parametrize(
    ("agreed", "verdict", "told"),
    [
        ({"location"}, Verdict.VALID, False),
        ({"held_by"}, Verdict.VALID, True),
        ({"owner_matches"}, Verdict.VALID, True),
        ({"held_by"}, Verdict.INDETERMINATE, False),
    ],
)
def test_what_a_finding_says_of_the_holder_is_told_where_the_holder_may_be_told_of(
    agreed: set[str], verdict: Verdict, told: bool
) -> None:
    """That there are 共有人 is something the certificate says, though no field says it."""
    kind = KINDS.get("property_certificate")
    compiled = compiled_by(kind, Terms(frozenset(agreed), kind.disclosable, None))
    assert compiled is not None
    findings = ("issuer.ca_not_pinned", "holder.several", "holder.historic_number")
    _, sent = answer_to(Case(kind, a_property(), COMPANY, ()), compiled, verdict, findings)
    assert ("holder.several" in sent, "holder.historic_number" in sent) == (told, told)
    assert "issuer.ca_not_pinned" in sent


def a_property(**changes: str) -> ECertificateClaims:
    kind = KINDS.get("property_certificate")
    return kind.claims_model.model_validate(province().metadata(kind.code) | changes)


def answers(claims: ECertificateClaims, code: str = COMPANY, address: str | None = SITE) -> dict[str, bool | None]:
    """What each predicate of a property certificate comes to."""
    context = ApplicationContext(date_in_china(AT), code, "440106", address)
    kind = KINDS.get("property_certificate")
    return {each.name: each.holds(claims, context) for each in kind.predicates}


@pytest.mark.parametrize(
    "changes",
    [
        {"CZZT": "张三,李四", "KZ_ZL": "示例路8号李四宅"},
        {"CZZT": "张三；李四", "KZ_QLR": "张三；李四", "KZ_QLRZJH": RESIDENT},
        {"CZZT": "张三、李四", "CZZTDM": f"{RESIDENT}、{OTHER_PEOPLE[0]}", "KZ_ZL": "示例路8号（李\u200b四）"},
        {"CZZT": "张三、李四", "CZZTDM": f"{RESIDENT}、{OTHER_PEOPLE[0]}", "KZ_ZL": f"户{OTHERS_FORMER}"},
    ],
)
def test_a_co_owner_is_found_however_the_register_writes_them(changes: dict[str, str]) -> None:
    """Two in one entry with one number, a name with an unseen character in it, the number of 15 digits."""
    claims = a_property(**{"CZZT": "张三", "CZZTDM": RESIDENT, "CZZTDMLXDM": "111"} | changes)
    kind = KINDS.get("property_certificate")
    compiled = compiled_by(kind, Terms(kind.disclosable, kind.disclosable, None))
    assert compiled is not None
    disclosure, sent = answer_to(Case(kind, claims, RESIDENT, ()), compiled, Verdict.VALID)
    assert "李" not in sent
    assert OTHERS_FORMER not in sent
    assert disclosure.fields["holder_code"] == RESIDENT


@pytest.mark.parametrize("name", ["示例（广东）有限公司", "Example Co., Ltd.", "买买提·艾力", "张 三", "和平公司"])
def test_one_holder_with_an_odd_name_is_one_holder(name: str) -> None:
    claims = a_property(CZZT=name)
    kind = KINDS.get("property_certificate")
    compiled = compiled_by(kind, Terms(kind.disclosable, kind.disclosable, None))
    assert compiled is not None
    disclosure, _ = answer_to(Case(kind, claims, COMPANY, ()), compiled, Verdict.VALID)
    assert disclosure.fields["holder"] == name


OTHER = make_unified_social_credit_code("91440300", "TDMA0777")
LETTERED = "1234567890123"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, True),
        ({"KZ_QLR": "示例有限公司", "KZ_QLRZJH": COMPANY}, True),
        ({"KZ_QLR": "甲、示例有限公司", "KZ_QLRZJH": f"{OTHER}、{COMPANY}"}, True),
        ({"KZ_QLR": "示例有限公司", "KZ_QLRZJH": COMPANY[8:17]}, True),
        ({"KZ_QLR": "示例有限公司", "KZ_QLRZJH": OTHER}, False),
        ({"KZ_QLR": "示例有限公司"}, True),
        ({"KZ_QLR": "示例公司"}, None),
        ({"KZ_QLR": "示例有限公司", "KZ_QLRZJH": LETTERED}, None),
        ({"KZ_QLR": "示例有限公司", "KZ_QLRZJH": f"{OTHER}、{COMPANY}"}, None),
        ({"KZ_QLR": "示例有限公司", "KZ_QLRZJH": ""}, None),
    ],
)
def test_the_owner_matches_by_number_alone(changes: dict[str, str], expected: bool | None) -> None:
    assert answers(a_property(**changes))["owner_matches"] is expected


@pytest.mark.parametrize(("shown", "expected"), [(RESIDENT, True), (FORMER, True), (OTHER_PEOPLE[0], False)])
def test_a_residents_former_number_is_the_residents(shown: str, expected: bool) -> None:
    held = a_property(CZZT="甲", CZZTDM=shown, CZZTDMLXDM="111")
    assert answers(held, RESIDENT)["held_by"] is expected
    assert answers(held, RESIDENT)["owner_matches"] is expected


@pytest.mark.parametrize(
    ("location", "address", "expected"),
    [
        (SITE, "天河区示例路８號", True),
        (SITE, "示例路8号", True),
        (SITE, "示例路8号之一", None),
        (SITE, "示例大街8号", None),
        (SITE, "广州市天河区示例路9号", None),
        (SITE, "深圳市南山区海德路1号", False),
        (SITE, None, None),
        (SITE, " ", None),
    ],
)
def test_the_address_matches_in_the_same_words_and_never_by_likeness(
    location: str, address: str | None, expected: bool | None
) -> None:
    assert answers(a_property(KZ_ZL=location), address=address)["address_matches"] is expected


def test_what_cannot_be_decided_is_said_and_not_dropped() -> None:
    kind = KINDS.get("property_certificate")
    names = frozenset({"owner_matches", "address_matches", "valid_on"})
    compiled = compiled_by(kind, Terms(names, names, None))
    assert compiled is not None
    case = Case(kind, a_property(KZ_QLR="示例公司"), COMPANY, ())
    disclosure, _ = answer_to(case, compiled, Verdict.VALID)
    undecided = {each.field for each in disclosure.withheld if each.reason is Withholding.UNDECIDED}
    assert undecided == {"owner_matches", "address_matches"}
    assert disclosure.predicates == {"valid_on": True}


def test_a_certificate_that_expired_by_now_is_said_to_be_out_of_force_by_the_predicate() -> None:
    kind = KINDS.get("property_certificate")
    claims = a_property(ZZYXQJZRQ=(date_in_china(AT) - timedelta(days=1)).isoformat())
    context = ApplicationContext(date_in_china(AT), COMPANY, "440106", None)
    assert next(each for each in kind.predicates if each.name == "valid_on").holds(claims, context) is False


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@given(st.integers(10**15, 2**32 * 10**6 - 1), st.integers(1, 10**8))
@example(2_180_422_904_687_813, 1)
def test_an_age_is_told_to_the_very_microsecond_at_which_it_changes(microseconds: int, seconds: int) -> None:
    at = EPOCH + timedelta(microseconds=microseconds)
    just = microseconds - seconds * 1_000_000
    told = AnswerForm(b"%d %b %d %d %b", (just, just + 1)).filled_in(at, "lic_1", "log-1")
    assert told == f"{int(at.timestamp())} lic_1 {seconds} {seconds - 1} log-1".encode()
