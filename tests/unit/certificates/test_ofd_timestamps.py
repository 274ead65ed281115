"""Time stamps over seals: one for another signature is a forgery, one of an unknown authority decides nothing."""

from datetime import datetime, timedelta

import pytest

from gateway.certificates.envelopes.ofd import OfdVerification, Outcome, verify_ofd
from gateway.certificates.verdicts import Verdict
from gateway.crypto.der import Tag, encode
from tests.support import ofd_writer as writer
from tests.support.ofd_cms import time_stamp
from tests.support.ofd_pki import bit_string, issue
from tests.support.ofd_writer import NOW, SIGNED_AT, Pki, Recipe


@pytest.fixture(scope="module")
def pki() -> Pki:
    return Pki()


def verify(data: bytes, pki: Pki, at: datetime = NOW) -> OfdVerification:
    return verify_ofd(data, [pki.root.certificate], at, intermediates=[pki.ca.certificate])


def checks(report: OfdVerification, code: str) -> list[tuple[Outcome, str]]:
    return [(check.outcome, check.reason) for each in report.signatures for check in each.checks if check.code == code]


TSA_PURPOSE = writer.extension("551d25", encode(Tag.SEQUENCE, encode(6, bytes.fromhex("2b06010505070308"))))


@pytest.fixture(scope="module")
def authority(pki: Pki) -> writer.Identity:
    return issue("时间戳机构", pki.ca, issuer_name="测试签发机构", extra_extension=TSA_PURPOSE)


@pytest.mark.parametrize("wrap", [bit_string, lambda token: encode(Tag.OCTET_STRING, token), bytes])
@pytest.mark.parametrize("answered", [True, False])
def test_a_time_stamp_under_an_anchor_is_believed(
    pki: Pki, authority: writer.Identity, wrap: object, answered: bool
) -> None:
    recipe = Recipe(token=lambda signature: wrap(time_stamp(authority, signature, answered=answered)))  # type: ignore[operator]
    report = verify(writer.build(pki, recipe), pki)
    assert report.verdict is Verdict.VALID
    assert checks(report, "timestamp") == [(Outcome.PASSED, "")]


def test_a_time_stamp_of_an_unknown_authority_decides_nothing(pki: Pki) -> None:
    stranger = issue("别处时间戳机构", extra_extension=TSA_PURPOSE, issuer_name="测试签发机构")
    foreign = Pki()
    recipe = Recipe(token=lambda signature: bit_string(time_stamp(stranger, signature)))
    report = verify(writer.build(pki, recipe), pki)
    assert report.verdict is Verdict.VALID
    assert checks(report, "timestamp") == [(Outcome.NOT_APPLICABLE, "certificate signature does not verify")]
    unanchored = verify_ofd(writer.build(foreign, recipe), [], NOW)
    assert checks(unanchored, "timestamp") == [(Outcome.NOT_APPLICABLE, "no trust anchor")]


def test_a_seal_key_may_not_stamp_the_time(pki: Pki) -> None:
    """Its certificate says that it is for documents."""
    documents = writer.extension("551d25", encode(Tag.SEQUENCE, encode(6, bytes.fromhex("2b06010505070324"))))
    sealer = issue("签章者二", pki.ca, issuer_name="测试签发机构", extra_extension=documents)
    report = verify(writer.build(pki, Recipe(token=lambda value: bit_string(time_stamp(sealer, value)))), pki)
    assert checks(report, "timestamp") == [(Outcome.NOT_APPLICABLE, "certificate is for other purposes")]


@pytest.mark.parametrize(
    ("make", "outcome", "reason", "verdict"),
    [
        (
            lambda who, value: time_stamp(who, value + b"x"),
            Outcome.FAILED,
            "time stamp is for something else",
            "invalid",
        ),
        (
            lambda who, value: time_stamp(who, value, spoil=True),
            Outcome.FAILED,
            "time stamp signature does not verify",
            "invalid",
        ),
        (
            lambda who, value: time_stamp(who, value, SIGNED_AT - timedelta(days=1)),
            Outcome.FAILED,
            "signed after its own time stamp",
            "invalid",
        ),
        (
            lambda who, value: time_stamp(who, value, NOW + timedelta(days=1)),
            Outcome.FAILED,
            "time stamp lies in the future",
            "invalid",
        ),
        (
            lambda who, value: time_stamp(who, value, certificates=False),
            Outcome.NOT_APPLICABLE,
            "time stamp signer not enclosed",
            "valid",
        ),
        (
            lambda who, value: time_stamp(
                who, value, method=encode(Tag.SEQUENCE, encode(6, bytes.fromhex("2b0e03021a")))
            ),
            Outcome.NOT_APPLICABLE,
            "digest method broken",
            "valid",
        ),
        (lambda who, value: b"token", Outcome.NOT_APPLICABLE, "time stamp unreadable", "valid"),
    ],
)
def test_what_is_wrong_with_a_time_stamp(
    pki: Pki, authority: writer.Identity, make: object, outcome: Outcome, reason: str, verdict: str
) -> None:
    recipe = Recipe(token=lambda value: bit_string(make(authority, value)))  # type: ignore[operator]
    report = verify(writer.build(pki, recipe), pki)
    assert checks(report, "timestamp") == [(outcome, reason)]
    assert report.verdict.value == verdict


def test_the_makers_time_stamp_is_judged_too(pki: Pki, authority: writer.Identity) -> None:
    good = Recipe(seal_token=lambda value: bit_string(time_stamp(authority, value)))
    assert checks(verify(writer.build(pki, good), pki), "timestamp") == [(Outcome.PASSED, "")]
    bad = Recipe(seal_token=lambda value: bit_string(time_stamp(authority, b"another seal")))
    assert verify(writer.build(pki, bad), pki).reason == "time stamp is for something else"


def test_v1_may_have_a_time_stamp_for_its_time(pki: Pki, authority: writer.Identity) -> None:
    """What it is over is not standardised; it stands inside the signed part, so that no stranger's can be put there."""
    recipe = Recipe(version=1, write_time=lambda at: bit_string(time_stamp(authority, b"something", at)))
    report = verify(writer.build(pki, recipe), pki)
    assert (report.verdict, report.signatures[0].signed_at) == (Verdict.VALID, SIGNED_AT)
    assert checks(report, "timestamp") == [(Outcome.NOT_APPLICABLE, "time stamp is for something else")]
