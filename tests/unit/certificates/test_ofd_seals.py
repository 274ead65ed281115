"""Whose seal an OFD e-licence bears, and when: the people behind an intact signature, as of the right instant."""

from datetime import timedelta

import pytest

from gateway.certificates.envelopes.ofd.format import OfdFormat
from gateway.certificates.kinds.business_licence import KIND as LICENCE
from gateway.certificates.verdicts import Verdict
from gateway.certificates.x509.signing_certificates import load_signing_certificate
from gateway.crypto.der import Tag, encode
from gateway.crypto.errors import SignatureInvalid
from gateway.errors import Owner
from mock_services.authorities import AUTHORITIES
from tests.support import ofd_writer as writer
from tests.support.ecertificates import AT
from tests.support.ofd_cms import time_stamp
from tests.support.ofd_licence import SEALED_AT, OfdProvince, failed
from tests.support.ofd_pki import bit_string, issue
from tests.support.ofd_writer import PAGE, SEAL, SIGNED_AT

MADE_AT = SIGNED_AT - timedelta(days=100)


@pytest.fixture(scope="module")
def province() -> OfdProvince:
    return OfdProvince()


# Who


def test_the_seal_must_be_the_issuing_authoritys(province: OfdProvince) -> None:
    other = OfdProvince(signer_options={"code": AUTHORITIES[1].code})
    assert failed(other.judge(other.licence())) == (Verdict.INVALID, "issuer.mismatch")
    nameless = OfdProvince(signer_options={"code": ""})
    assert failed(nameless.judge(nameless.licence())) == (Verdict.INVALID, "issuer.mismatch")


def test_a_ca_that_is_not_the_authoritys_own(province: OfdProvince) -> None:
    trust = province.trust(issuing_ca=["0" * 64])
    assert failed(province.judge(province.licence(), trust=trust)) == (Verdict.INVALID, "issuer.other_ca")


def test_an_unknown_root_is_not_a_forgery() -> None:
    province, stranger = OfdProvince(), OfdProvince()
    result = province.judge(stranger.licence(), trust=province.jws.trust())
    assert failed(result) == (Verdict.INDETERMINATE, "chain.no_anchor")
    assert result.failed_check is not None
    assert result.failed_check.owner is Owner.GATEWAY
    assert result.identifier is None


def test_an_impostor_with_the_right_names(province: OfdProvince) -> None:
    """Every name in its chain is right, and its root is its own."""
    impostor = OfdProvince()
    assert failed(province.judge(impostor.licence())) == (Verdict.INVALID, "chain.signature")


@pytest.mark.parametrize(
    ("options", "check"),
    [
        ({"not_after": SEALED_AT - timedelta(days=1)}, "chain.expired"),
        ({"not_before": SEALED_AT + timedelta(days=1)}, "chain.not_yet_valid"),
        ({"usage": 0x20}, "chain.key_usage"),
        (
            {
                "extra_extension": writer.extension(
                    "551d25", encode(Tag.SEQUENCE, encode(6, b"\x2b\x06\x01\x05\x05\x07\x03\x01"))
                )
            },
            "chain.extended_key_usage",
        ),
        ({"extra_extension": writer.extension("2a0304", b"\x05\x00")}, "chain.critical_extension"),
    ],
)
def test_what_is_wrong_with_a_signers_certificate(options: dict[str, object], check: str) -> None:
    own = OfdProvince(signer_options=options)
    assert failed(own.judge(own.licence())) == (Verdict.INVALID, check)


@pytest.mark.parametrize(
    ("options", "verdict", "check"),
    [
        ({"not_after": MADE_AT - timedelta(days=1)}, Verdict.INVALID, "seal.maker.expired"),
        ({"not_before": MADE_AT + timedelta(days=1)}, Verdict.INVALID, "seal.maker.not_yet_valid"),
        ({"not_after": SEALED_AT - timedelta(days=1)}, Verdict.VALID, None),
        ({"usage": 0x20}, Verdict.INVALID, "seal.maker.key_usage"),
    ],
)
def test_what_is_wrong_with_the_makers_certificate(
    options: dict[str, object], verdict: Verdict, check: str | None
) -> None:
    """Its dates count when the seal was made."""
    own = OfdProvince(maker_options=options)
    result = own.judge(own.licence())
    assert (result.verdict, result.failed_check and result.failed_check.check) == (verdict, check)
    assert ("seal.certificate_expired_since" in result.findings) is (verdict is Verdict.VALID)


def test_the_maker_must_lead_to_an_anchor_as_well(province: OfdProvince) -> None:
    """The signer is genuine, the seal was made by nobody that is known."""
    own = OfdProvince()
    other = issue("别处根", ca=True)
    own.pki.maker = issue("别处制章者", other, issuer_name="别处根")
    assert failed(own.judge(own.licence())) == (Verdict.INDETERMINATE, "seal.maker.no_anchor")


def test_a_seal_that_its_maker_did_not_make(province: OfdProvince) -> None:
    own = OfdProvince()
    own.pki.maker = writer.Identity(issue("别人").key, own.pki.maker.certificate)
    assert failed(own.judge(own.licence())) == (Verdict.INVALID, "seal.maker.signature")


def test_a_signer_who_is_not_on_the_seals_list(province: OfdProvince) -> None:
    recipe = province.recipe(listed_certificate=province.pki.maker.certificate)
    assert failed(province.judge(province.licence(recipe))) == (Verdict.INVALID, "seal.signer_not_listed")


def test_everyone_who_signed_one_message_must_be_good(province: OfdProvince) -> None:
    """A signed message by the authority and by somebody whose root is unknown."""
    own = OfdProvince()
    own.pki.signer = province.pki.signer
    own.pki.maker = issue("别处签章者", issue("别处根", ca=True), issuer_name="别处根")
    data = own.licence(own.recipe(cms="cosigned"))
    assert failed(province.judge(data)) == (Verdict.INDETERMINATE, "seal.cosigner.no_anchor")
    assert province.judge(province.licence(province.recipe(cms="cosigned"))).verdict is Verdict.VALID


def test_the_leafs_own_key_must_have_signed(province: OfdProvince) -> None:
    opened = OfdFormat().open(province.licence(), LICENCE.policy)
    assert opened.content(load_signing_certificate(opened.leaf).public_key_info, AT).metadata["CZZT"] == "示例有限公司"
    for other in (province.pki.maker, province.pki.ca):
        with pytest.raises(SignatureInvalid):
            opened.content(other.key.public_key.spki, AT)


def test_a_swapped_seal_file(province: OfdProvince) -> None:
    recipe = province.recipe(covered=("OFD.xml", "Doc_0/Document.xml", PAGE))
    data = writer.rewrite(province.licence(recipe), SEAL, b"0" * 9)
    assert failed(province.judge(data)) == (Verdict.INVALID, "ofd.seal_file")


def test_another_signature_over_the_same_bytes(province: OfdProvince) -> None:
    """The signed part says another digest of Signature.xml than was signed."""
    recipe = province.recipe(change_tbs=lambda tbs: tbs.replace(b"/Doc_0/Signs", b"/Doc_1/Signs"))
    assert failed(province.judge(province.licence(recipe))) == (Verdict.INVALID, "envelope.signature")


# When


def test_the_dates_count_when_it_was_sealed_and_the_answer_says_so() -> None:
    """The signer's certificate has expired since."""
    own = OfdProvince(signer_options={"not_after": AT - timedelta(days=1)})
    result = own.judge(own.licence())
    assert result.verdict is Verdict.VALID, result.failed_check
    assert result.findings == ("seal.certificate_expired_since",)


def test_revocation_counts_now_even_for_a_seal_made_before(province: OfdProvince) -> None:
    revoked = province.evidence(province.pki.signer)
    assert failed(province.judge(province.licence(), evidence=revoked)) == (Verdict.INVALID, "chain.revoked")
    made = province.evidence(province.pki.maker)
    assert failed(province.judge(province.licence(), evidence=made)) == (Verdict.INVALID, "seal.maker.revoked")


def test_without_lists_nothing_is_known_and_nothing_is_revoked(province: OfdProvince) -> None:
    evidence = province.evidence(crls=())
    result = province.judge(province.licence(), evidence=evidence)
    assert failed(result) == (Verdict.INDETERMINATE, "chain.revocation_unknown")
    old = province.evidence(crls=province.crls(at=AT - timedelta(days=4)))
    assert failed(province.judge(province.licence(), evidence=old)) == (
        Verdict.INDETERMINATE,
        "chain.revocation_unknown",
    )


@pytest.mark.parametrize(
    ("changes", "verdict", "check"),
    [
        ({"signed_at": AT + timedelta(minutes=6)}, Verdict.INVALID, "seal.time"),
        ({"signed_at": AT + timedelta(minutes=4)}, Verdict.VALID, None),
        ({"write_time": lambda at: encode(Tag.GENERALIZED_TIME, b"soon")}, Verdict.INDETERMINATE, "seal.time"),
        (
            {"seal_valid": (SEALED_AT - timedelta(days=9), SEALED_AT - timedelta(days=1))},
            Verdict.INVALID,
            "seal.not_in_force",
        ),
        ({"seal_valid": (SEALED_AT + timedelta(days=1), AT + timedelta(days=9))}, Verdict.INVALID, "seal.not_in_force"),
    ],
)
def test_the_time_of_sealing(
    province: OfdProvince, changes: dict[str, object], verdict: Verdict, check: str | None
) -> None:
    valid = (SEALED_AT - timedelta(days=90), AT + timedelta(days=900))
    result = province.judge(province.licence(province.recipe(**{"seal_valid": valid, **changes})))
    assert (result.verdict, result.failed_check and result.failed_check.check) == (verdict, check)


def test_a_signed_message_without_a_time_is_judged_now(province: OfdProvince) -> None:
    data = province.licence(province.recipe(cms="content"))
    assert province.judge(data).verdict is Verdict.VALID
    expired = OfdProvince(signer_options={"not_after": AT - timedelta(days=1)})
    result = expired.judge(expired.licence(expired.recipe(cms="content")))
    assert failed(result) == (Verdict.INVALID, "chain.expired")


def test_a_time_stamp_for_another_signature(province: OfdProvince) -> None:
    recipe = province.recipe(token=lambda value: bit_string(time_stamp(province.pki.maker, b"another")))
    assert failed(province.judge(province.licence(recipe))) == (Verdict.INVALID, "ofd.timestamp")
    recipe = province.recipe(token=lambda value: bit_string(time_stamp(province.pki.maker, value)))
    assert province.judge(province.licence(recipe)).verdict is Verdict.VALID
