"""A certificate under the number that its holder had before: theirs where the standard computes it, and only there."""

from datetime import date

import pytest

from gateway.certificates.registry import KindRegistry
from gateway.certificates.verdicts import Verdict
from gateway.certificates.verification import HolderExpectation, Verification
from schemas.identifiers import make_resident_identity_number
from tests.support.ecertificates import AT, ENTERPRISE
from tests.support.licences import province

KIND = KindRegistry.discover().get("property_certificate")
NUMBER = make_resident_identity_number("440106", date(1951, 2, 3), 12)
FORMER = NUMBER[:6] + NUMBER[8:17]
CENTENARIAN = make_resident_identity_number("440106", date(1951, 2, 3), 997)


def judge(code: str, stated: str, **changes: str) -> Verification:
    own = {"CZZTDMLX": "公民身份号码", "CZZTDMLXDM": "111", "CZZTDM": stated, "CZZT": "陈安"} | changes
    envelope = province().envelope("property_certificate", **own)
    return province().verifier().verify(envelope, KIND, AT, HolderExpectation(code, "陈安"), province().evidence())


def test_the_number_of_fifteen_digits_is_the_same_person_and_it_is_told() -> None:
    found = judge(NUMBER, FORMER)
    assert found.verdict is Verdict.VALID
    assert "holder.historic_number" in found.findings
    assert "holder.name_differs" not in found.findings
    assert "holder.historic_number" not in judge(NUMBER, NUMBER).findings


def test_among_co_owners_too() -> None:
    found = judge(NUMBER, f"{NUMBER[:-1]}0、{FORMER}", CZZT="别人、陈安")
    assert found.verdict is Verdict.VALID
    assert {"holder.historic_number", "holder.several"} <= set(found.findings)


@pytest.mark.parametrize(
    ("code", "stated"),
    [
        (NUMBER, FORMER[:-1] + "9"),
        (NUMBER, FORMER + "0"),
        (CENTENARIAN, CENTENARIAN[:6] + CENTENARIAN[8:17]),
        (ENTERPRISE, "440101000012345"),
    ],
    ids=["another", "longer", "centenarian", "registration"],
)
def test_what_the_standard_does_not_compute_is_somebody_elses(code: str, stated: str) -> None:
    changes = {"CZZTDMLXDM": "001"} if code == ENTERPRISE else {}
    found = judge(code, stated, **changes)
    assert found.verdict is Verdict.INVALID
    assert found.failed_check is not None
    assert found.failed_check.check == "holder.mismatch"
