from datetime import timedelta

import pytest
from pydantic import ValidationError

from gateway.certificates.kinds.business_licence import KIND as BUSINESS_LICENCE
from gateway.certificates.kinds.property_certificate import KIND as PROPERTY
from gateway.certificates.status_lists import StatusEvidence
from gateway.certificates.verdicts import Verdict
from gateway.certificates.verification import CopyProvenance, HolderExpectation
from mock_services.authorities import AUTHORITIES
from mock_services.pki import spki_digest
from tests.support.ecertificates import AT, ENTERPRISE, LIST_URI, Province

HOLDER = HolderExpectation(ENTERPRISE, "示例有限公司")
STEPS = [
    "envelope",
    "header",
    "algorithm",
    "chain",
    "validity",
    "issuer",
    "status",
    "identifier",
    "holder",
    "claims",
    "freshness",
]


@pytest.fixture(scope="module")
def province():
    return Province()


def judge(province, envelope, *, kind=BUSINESS_LICENCE, at=AT, holder=HOLDER, evidence=None, copy_age=timedelta(0)):
    provenance = CopyProvenance("gd-province", at - copy_age, "440000")
    return province.verifier().verify(envelope, kind, at, holder, evidence or province.evidence(), provenance)


def test_a_good_licence_passes_every_step_and_says_what_it_rests_on(province):
    result = judge(province, province.envelope())
    assert result.verdict is Verdict.VALID, result.failed_check
    assert [check.name for check in result.checks] == STEPS
    assert result.failed_check is None
    assert result.findings == ()
    assert result.claims.legal_representative == "测试甲"
    names = [
        "certificate",
        "chain",
        "crl",
        "crl",
        "status_list",
        *(f"status_list.{it}" for it in ("chain", "crl", "crl")),
    ]
    assert [(basis.name, basis.state) for basis in result.basis] == [(name, "fresh") for name in names]


def test_an_eddsa_kind_passes_too(province):
    result = judge(province, province.envelope("property_certificate"), kind=PROPERTY)
    assert result.verdict is Verdict.VALID, result.failed_check


@pytest.mark.parametrize(
    ("check", "changes"),
    [
        ("validity.expired", {"ZZYXQJZRQ": "2026-11-22"}),
        ("validity.not_yet", {"ZZYXQQSRQ": "2026-11-24"}),
        ("issuer.other_kind", {"ZZLXDM": "11100000000013127D001"}),
        ("issuer.mismatch", {"ZZBFJGDM": AUTHORITIES[1].code}),
        ("holder.mismatch", {"CZZTDM": "914403001922038216"}),
        ("holder.type", {"CZZTDMLXDM": "111"}),
        ("holder.list", {"CZZT": "甲、乙"}),
        ("claims.metadata", {"ZZBFRQ": "20240102"}),
        ("claims.metadata", {"ZZBS": "not an identifier"}),
    ],
)
def test_wrong_content_is_invalid_and_named(province, check, changes):
    result = judge(province, province.envelope(**changes))
    assert (result.verdict, result.failed_check.check) == (Verdict.INVALID, check)
    assert result.claims is None
    assert result.failed_check.owner
    assert result.failed_check.remedy


def test_validity_includes_both_ends_by_the_date_in_china(province):
    # 2026-11-23T16:30Z is already the 24th in China.
    late = AT.replace(hour=16, minute=30)
    ends_23rd = province.envelope(ZZYXQJZRQ="2026-11-23")
    assert judge(province, ends_23rd).verdict is Verdict.VALID
    assert judge(province, ends_23rd, at=late).failed_check.check == "validity.expired"


@pytest.mark.parametrize(("status", "check"), [(1, "status.revoked"), (2, "status.suspended")])
def test_a_revoked_or_suspended_certificate_is_invalid(status, check):
    province = Province()
    province.statuses[3] = status
    result = judge(province, province.envelope(index=3))
    assert (result.verdict, result.failed_check.check) == (Verdict.INVALID, check)


def test_an_unknown_status_value_and_an_index_past_the_list_are_indeterminate():
    province = Province()
    province.statuses[3] = 3
    assert judge(province, province.envelope(index=3)).failed_check.check == "status.unrecognised"
    past = judge(province, province.envelope(index=999))
    assert (past.verdict, past.failed_check.check) == (Verdict.INDETERMINATE, "status.out_of_range")


def test_a_missing_status_list_is_indeterminate_never_revoked(province):
    evidence = StatusEvidence({}, province.crls())
    result = judge(province, province.envelope(), evidence=evidence)
    assert (result.verdict, result.failed_check.check) == (Verdict.INDETERMINATE, "status.unavailable")
    assert result.claims is None
    assert "missing" in [basis.state for basis in result.basis]


def test_an_old_status_list_that_says_revoked_is_still_only_indeterminate():
    province = Province()
    province.statuses[1] = 1
    old = province.status_list(issued_at=AT - timedelta(days=3))
    result = judge(province, province.envelope(), evidence=StatusEvidence({LIST_URI: old}, province.crls()))
    assert (result.verdict, result.failed_check.check) == (Verdict.INDETERMINATE, "status.stale")


def test_a_stale_but_permitted_list_passes_and_says_so(province):
    old = province.status_list(issued_at=AT - timedelta(hours=13))
    result = judge(province, province.envelope(), evidence=StatusEvidence({LIST_URI: old}, province.crls()))
    assert result.verdict is Verdict.VALID
    assert result.stale


def test_a_status_list_for_another_address_or_by_another_authority_is_not_believed(province):
    other = province.status_list(uri="https://platform.example/status/2")
    foreign = province.status_list(holder=province.pki.seals["public-security"])
    rogue = province.status_list(holder=province.pki.rogue)
    for token in (other, foreign, rogue, b"", b"eyJ", token_with_flipped_byte(province.status_list())):
        result = judge(province, province.envelope(), evidence=StatusEvidence({LIST_URI: token}, province.crls()))
        assert (result.verdict, result.failed_check.check) == (Verdict.INDETERMINATE, "status.untrusted")


def token_with_flipped_byte(token: bytes) -> bytes:
    head, payload, signature = token.split(b".")
    payload = payload[:40] + (b"B" if payload[40:41] == b"A" else b"A") + payload[41:]
    return b".".join((head, payload, signature))


def test_a_status_list_may_be_signed_by_the_authority_itself(province):
    own = province.status_list(holder=province.pki.seals["market-supervision"])
    result = judge(province, province.envelope(), evidence=StatusEvidence({LIST_URI: own}, province.crls()))
    assert result.verdict is Verdict.VALID


def test_a_certificate_without_status_reference_is_indeterminate(province):
    result = judge(province, province.envelope(payload={"status": None}))
    assert (result.verdict, result.failed_check.check) == (Verdict.INDETERMINATE, "status.no_reference")


def test_an_unknown_root_is_indeterminate_and_its_content_stays_unread(province):
    result = judge(province, province.envelope(holder=province.pki.rogue))
    assert (result.verdict, result.failed_check.check) == (Verdict.INDETERMINATE, "chain.no_anchor")
    assert result.identifier is None
    assert result.issuing_authority is None


def test_a_revoked_seal_is_invalid_and_missing_crls_are_indeterminate():
    province = Province()
    province.pki.departments["market-supervision"].revoke(
        province.pki.seals["market-supervision"].certificate, AT - timedelta(days=1)
    )
    assert judge(province, province.envelope()).failed_check.check == "chain.revoked"
    bare = StatusEvidence(province.evidence().status_lists, ())
    result = judge(province, province.envelope(), evidence=bare)
    assert (result.verdict, result.failed_check.check) == (Verdict.INDETERMINATE, "chain.revocation_unknown")


@pytest.mark.parametrize("part", [0, 1, 2])
def test_any_changed_part_is_invalid(province, part):
    pieces = province.envelope().split(b".")
    body = pieces[part]
    middle = len(body) // 2
    pieces[part] = body[:middle] + (b"B" if body[middle : middle + 1] != b"B" else b"C") + body[middle + 1 :]
    assert judge(province, b".".join(pieces)).verdict is Verdict.INVALID


def test_a_signature_by_another_key_is_invalid(province):
    other = province.pki.seals["natural-resources"].key
    result = judge(province, province.envelope(signer=other))
    assert (result.verdict, result.failed_check.check) == (Verdict.INVALID, "envelope.signature")


def test_another_authoritys_seal_cannot_speak_for_this_one(province):
    result = judge(province, province.envelope(holder=province.pki.seals["natural-resources"]))
    assert (result.verdict, result.failed_check.check) == (Verdict.INVALID, "issuer.mismatch")


def test_iss_must_be_the_authority_that_the_certificate_names(province):
    result = judge(province, province.envelope(payload={"iss": AUTHORITIES[1].code}))
    assert (result.verdict, result.failed_check.check) == (Verdict.INVALID, "issuer.mismatch")


def test_jti_must_be_the_identifier_that_the_certificate_states(province):
    other = province.metadata()["ZZBS"].replace("20260000001", "20260000002")
    result = judge(province, province.envelope(payload={"jti": other}))
    assert (result.verdict, result.failed_check.check) == (Verdict.INVALID, "identifier.mismatch")


def under(province, ca, authority="market-supervision"):
    """A seal for an authority, issued by the CA of another department: every name in it is right."""
    named = next(each for each in AUTHORITIES if each.slug == authority)
    return province.pki.departments[ca].issue_seal(
        named.name, named.code, crl_uri=f"https://platform.example/pki/crl/{ca}.crl"
    )


def test_a_ca_seals_only_for_the_authorities_it_is_pinned_to(province):
    result = judge(province, province.envelope(holder=under(province, "natural-resources")))
    assert (result.verdict, result.failed_check.check) == (Verdict.INVALID, "issuer.other_ca")
    assert judge(province, province.envelope(holder=under(province, "market-supervision"))).verdict is Verdict.VALID


@pytest.mark.parametrize(
    ("signer", "ca"),
    [("status-lists", "public-security"), ("market-supervision", "natural-resources")],
    ids=["the duty", "the authority itself"],
)
def test_a_status_list_signed_under_another_ca_does_not_clear_a_revoked_certificate(signer, ca):
    province = Province()
    forged = province.status_list(holder=under(province, ca, signer))
    province.statuses[1] = 1
    for token, check in ((province.status_list(), "status.revoked"), (forged, "status.untrusted")):
        evidence = StatusEvidence({LIST_URI: token}, province.crls())
        assert judge(province, province.envelope(), evidence=evidence).failed_check.check == check


def test_a_ca_may_be_followed_by_another(province):
    both = [spki_digest(province.pki.departments[each].certificate) for each in ("market-supervision", "construction")]
    verifier = province.verifier(
        province.trust(issuing_ca=both, kinds=["business_licence"], authority_code=AUTHORITIES[0].code)
    )
    for ca, check in (("construction", "status.untrusted"), ("natural-resources", "issuer.other_ca")):
        envelope = province.envelope(holder=under(province, ca))
        result = verifier.verify(envelope, BUSINESS_LICENCE, AT, HOLDER, province.evidence())
        assert result.failed_check.check == check, "the seal is judged before the list"


def test_an_authority_without_a_pinned_ca_is_believed_and_reported(province):
    for holder in (None, under(province, "natural-resources")):
        result = province.verifier(province.trust(issuing_ca=None)).verify(
            province.envelope(holder=holder), BUSINESS_LICENCE, AT, HOLDER, province.evidence()
        )
        assert result.verdict is Verdict.VALID
        assert result.findings == ("issuer.ca_not_pinned",)


@pytest.mark.parametrize("wrong", ["", "ab", "AB" * 32, ["ab" * 31], []])
def test_a_pin_that_is_no_digest_refuses_the_start(province, wrong):
    with pytest.raises(ValidationError):
        province.trust(issuing_ca=wrong)


def test_an_older_status_list_is_not_believed_once_a_newer_was_seen():
    province = Province()
    verifier, before = province.verifier(), province.status_list(issued_at=AT - timedelta(hours=2))
    province.statuses[1] = 1
    newer = province.status_list(issued_at=AT - timedelta(hours=1))

    def check(token):
        evidence = StatusEvidence({LIST_URI: token}, province.crls())
        result = verifier.verify(province.envelope(), BUSINESS_LICENCE, AT, HOLDER, evidence)
        return result.failed_check and (result.verdict, result.failed_check.check)

    assert check(before) is None
    assert check(newer) == (Verdict.INVALID, "status.revoked")
    assert check(before) == (Verdict.INDETERMINATE, "status.rolled_back")
    assert check(newer) == (Verdict.INVALID, "status.revoked")


def test_a_list_that_is_not_believed_does_not_make_the_others_old():
    province = Province()
    verifier, good = province.verifier(), province.status_list(issued_at=AT - timedelta(hours=2))
    forged = province.status_list(holder=under(province, "construction", "status-lists"))
    ahead = province.status_list(issued_at=AT + timedelta(days=1))
    for token, check in ((forged, "status.untrusted"), (ahead, "status.untrusted"), (good, None)):
        evidence = StatusEvidence({LIST_URI: token}, province.crls())
        result = verifier.verify(province.envelope(), BUSINESS_LICENCE, AT, HOLDER, evidence)
        assert (result.failed_check and result.failed_check.check) == check


def test_an_authority_that_is_not_entitled_is_refused(province):
    trust = province.trust(kinds=["resident_id", "status_list"])
    result = province.verifier(trust).verify(province.envelope(), BUSINESS_LICENCE, AT, HOLDER, province.evidence())
    assert (result.verdict, result.failed_check.check) == (Verdict.INVALID, "issuer.not_entitled")


def test_an_entitlement_ends_on_its_last_day(province):
    for last, verdict in (("2026-11-23", Verdict.VALID), ("2026-11-22", Verdict.INVALID)):
        verifier = province.verifier(province.trust(to=last, kinds=["business_licence", "status_list"]))
        result = verifier.verify(province.envelope(), BUSINESS_LICENCE, AT, HOLDER, province.evidence())
        assert result.verdict is verdict


def test_a_property_of_another_province_is_outside_the_entitlement(province):
    envelope = province.envelope("property_certificate", KZ_BDCDYH="320311001021GB00233F00010013")
    assert judge(province, envelope, kind=PROPERTY).failed_check.check == "issuer.other_region"


def test_a_bad_check_character_is_a_finding(province):
    good = province.metadata()["ZZBS"]
    bad = good[:-1] + ("A" if good[-1] != "A" else "B")
    result = judge(province, province.envelope(ZZBS=bad))
    assert result.verdict is Verdict.VALID
    assert result.findings == ("identifier.bad_check_character",)


def test_co_owners_and_a_renamed_holder_are_findings(province):
    codes = f"914403001922038216、{ENTERPRISE}"
    envelope = province.envelope("property_certificate", CZZT="另一公司、旧名称公司", CZZTDM=codes)
    result = judge(province, envelope, kind=PROPERTY)
    assert result.verdict is Verdict.VALID
    assert result.findings == ("holder.several", "holder.name_differs")


def test_a_missing_field_of_the_kind_is_named_without_its_value(province):
    result = judge(province, province.envelope("property_certificate", KZ_ZL=""), kind=PROPERTY)
    assert result.failed_check.check == "claims.model"


def test_an_old_copy_is_stale_then_refused(province):
    assert judge(province, province.envelope(), copy_age=timedelta(days=2)).stale
    refused = judge(province, province.envelope(), copy_age=timedelta(days=8))
    assert (refused.verdict, refused.failed_check.check) == (Verdict.INDETERMINATE, "source.stale")


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"not a jws", b"eyJ", b"eyJ.." + b"A" * 100_000, b"\xff" * 50])
def test_rubbish_is_invalid_at_the_envelope(province, data):
    result = judge(province, data)
    assert result.verdict is Verdict.INVALID
    assert result.failed_check.name in ("envelope", "header")


def test_nothing_personal_stands_in_a_refusal(province):
    result = judge(province, province.envelope(CZZTDM="914403001922038216", CZZT="别人公司"))
    text = repr(result)
    assert "914403001922038216" not in text
    assert ENTERPRISE not in text
    assert "别人公司" not in text


def test_references_come_only_from_what_an_anchored_key_signed(province):
    verifier = province.verifier()
    good = verifier.references(province.envelope(), BUSINESS_LICENCE, AT)
    assert good.status_list == LIST_URI
    assert set(good.crls) == {
        "https://platform.example/pki/crl/market-supervision.crl",
        "https://platform.example/pki/crl/root.crl",
    }
    for bad in (province.envelope(holder=province.pki.rogue), token_with_flipped_byte(province.envelope()), b"eyJ"):
        none = verifier.references(bad, BUSINESS_LICENCE, AT)
        assert none.status_list is None
        assert none.crls == ()


def test_a_cached_chain_is_judged_anew_when_the_crl_changes_or_ages():
    province = Province()
    verifier = province.verifier()

    def verdict(evidence, at=AT):
        return verifier.verify(province.envelope(), BUSINESS_LICENCE, at, HOLDER, evidence).failed_check

    before = province.evidence()
    assert verdict(before) is None
    assert verdict(before, AT + timedelta(days=10)).check == "chain.revocation_unknown"
    province.pki.departments["market-supervision"].revoke(
        province.pki.seals["market-supervision"].certificate, AT - timedelta(hours=1)
    )
    assert verdict(province.evidence()).check == "chain.revoked"


def test_while_the_seal_is_in_doubt_no_word_beneath_it_names_the_certificate(province):
    """Else a look that proves nothing about the seal could end the certificate that somebody's application rests on."""
    bare = StatusEvidence(province.evidence().status_lists, ())
    for changes in ({}, {"ZZYXQJZRQ": "2026-11-22"}):
        result = judge(province, province.envelope(**changes), evidence=bare)
        assert result.checks[3].check == "chain.revocation_unknown"
        assert result.verdict is not Verdict.VALID
        assert (result.identifier, result.issuing_authority, result.expires_on) == (None, None, None)


def test_what_follows_a_revocation_is_not_judged():
    province = Province()
    province.statuses[1] = 1
    result = judge(province, province.envelope(CZZTDM="914403001922038216"))
    assert [check.name for check in result.checks] == STEPS[: STEPS.index("status") + 1]


def test_addresses_that_were_not_to_be_had_once_are_looked_for_again(province):
    """Before the seal's own first day nothing is believed, and that is not remembered."""
    verifier, envelope = province.verifier(), province.envelope()
    assert verifier.references(envelope, BUSINESS_LICENCE, AT.replace(year=1990)).status_list is None
    assert verifier.references(envelope, BUSINESS_LICENCE, AT).status_list == LIST_URI
