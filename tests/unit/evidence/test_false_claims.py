"""A gateway that holds all its own keys, and signs a bundle anew that says more than others' signatures bear out."""

import json
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest

from gateway.crypto.jws import sign_jws
from gateway.evidence.verify_evidence import PROVED, UNKNOWN, WRONG, Finding, read_archive, verify_evidence
from gateway.evidence.verify_evidence.checks.applications import _assertion
from gateway.evidence.verify_evidence.checks.envelopes import prove_certificate
from gateway.evidence.verify_evidence.checks.manifest import check_manifest
from gateway.evidence.verify_evidence.checks.record import check_record, identity_digests, is_identity
from gateway.evidence.verify_evidence.der import Der
from gateway.evidence.verify_evidence.errors import Refused
from gateway.evidence.verify_evidence.examination import Examination
from tests.support.evidence import anew, without
from tests.unit.evidence.conftest import Made
from tests.unit.evidence.test_bundles import codes, told


def account(made: Made, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(read_archive(made.whole)[name])
    return found


def signed_anew(made: Made, name: str, said: object, **changes: bytes | None) -> bytes:
    return anew(made.whole, {name: json.dumps(said).encode(), **changes}, made.keys.answer)


class TestDeliveries:
    def test_a_utility_s_event_is_not_passed_off_as_a_department_s(self, made: Made) -> None:
        """Departments answer without a signature; a utility does not."""
        said = account(made, "deliveries.json")
        own = [each for each in said["events"] if each["channel"] == "webhook"]
        for each in own:
            each["channel"] = "department"
        gone = dict.fromkeys(name for name in read_archive(made.whole) if name.endswith(".jws") and "deliver" in name)
        report = verify_evidence(signed_anew(made, "deliveries.json", said, **gone), made.anchors)
        assert report.exit_code == 2, told(report)
        assert sum(each.code == "receipt.absent" for each in report.findings) == len(own)

    def test_a_delivery_on_record_cannot_be_kept_back(self, made: Made) -> None:
        said = account(made, "deliveries.json")
        said["events"] = []
        gone = dict.fromkeys(name for name in read_archive(made.whole) if name.startswith("deliveries/"))
        for bundle, more in (
            (signed_anew(made, "deliveries.json", said, **gone), set()),
            (anew(made.whole, {**gone, "deliveries.json": None}, made.keys.answer), {"file.absent"}),
        ):
            report = verify_evidence(bundle, made.anchors)
            assert (report.exit_code, codes(report, UNKNOWN)) == (2, {"delivery.unlisted"} | more), told(report)

    def test_a_number_is_told_only_where_the_receiver_signed_for_it(self, made: Made) -> None:
        report = verify_evidence(made.redacted, made.anchors)
        blind = [each for each in report.findings if each.code == "receipt"]
        assert blind
        assert not any("number" in each.text("en") for each in blind)


def test_a_department_s_document_that_nobody_verified_is_not_passed_over(made: Made) -> None:
    """It lies in the bundle, and the account of outcomes does not speak of it."""
    said = {**account(made, "outcomes.json"), "outcomes": []}
    report = verify_evidence(signed_anew(made, "outcomes.json", said), made.anchors)
    assert (report.exit_code, codes(report, UNKNOWN)) == (2, {"outcome.absent"}), told(report)


def test_an_event_that_is_listed_twice(made: Made) -> None:
    said = account(made, "deliveries.json")
    said["events"].append(said["events"][0])
    report = verify_evidence(signed_anew(made, "deliveries.json", said), made.anchors)
    assert (report.exit_code, codes(report, WRONG)) == (1, {"receipt.wrong"}), told(report)


class TestCertificates:
    @pytest.mark.parametrize("year", ["2020", "2031"])
    def test_another_moment_proves_nothing_for_what_was_done_then(self, made: Made, year: str) -> None:
        """Neither a judgement from before it was revoked, nor one from after it was issued."""
        said = account(made, "certificates.json")
        for each in said["judgements"]:
            each["judged_at"] = year + each["judged_at"][4:]
        report = verify_evidence(signed_anew(made, "certificates.json", said), made.anchors)
        spoken = [str(each.facts["kind"]) for each in report.findings if each.code == "certificate.otherwhen"]
        assert sorted(spoken) == ["business_licence", "business_licence", "property_certificate"], told(report)

    def test_judgements_without_end_are_not_all_looked_at(self, made: Made) -> None:
        said = account(made, "certificates.json")
        said["judgements"] = [{**said["judgements"][0], "kind": "k", "n": number} for number in range(10_000)]
        report = verify_evidence(signed_anew(made, "certificates.json", said), made.anchors)
        assert report.exit_code == 2
        assert "certificate.many" in codes(report, UNKNOWN)
        assert len(report.findings) < 1_000

    def test_what_was_answered_as_valid_needs_its_proof(self, made: Made) -> None:
        """Also when the account of judgements does not speak of it."""
        said = {**account(made, "certificates.json"), "judgements": []}
        gone = dict.fromkeys(name for name in read_archive(made.whole) if name.startswith(("certificates/", "status/")))
        report = verify_evidence(signed_anew(made, "certificates.json", said, **gone), made.anchors)
        assert (report.exit_code, codes(report, UNKNOWN)) == (2, {"certificate.absent"}), told(report)


class TestIdentity:
    """The identity provider names for whom it verified somebody; DIR has that name from the provider itself."""

    def test_an_assertion_that_was_made_for_somebody_else(self, made: Made) -> None:
        """Who logs in at another service of the same provider did not apply here."""
        report = verify_evidence(made.whole, without(made.anchors, identity_audience="tax-bureau"))
        (wrong,) = [each for each in report.findings if each.mark == WRONG]
        assert (wrong.code, report.exit_code) == ("identity.wrong", 1), told(report)
        assert "somebody else" in wrong.text("en")

    def test_where_the_provider_s_name_for_the_gateway_is_not_known(self, made: Made) -> None:
        report = verify_evidence(made.whole, without(made.anchors, identity_audience=None))
        assert (report.exit_code, codes(report, UNKNOWN)) == (2, {"identity.audience"}), told(report)

    def test_it_may_be_for_several(self, made: Made) -> None:
        (own,) = made.anchors.identity
        entry = next(each for each in _examined(made).entries.values() if each.action == "identity.verified")
        for audience, right in ((["bandian", "x"], True), (["x"], False), ([], False), ({"bandian": 1}, False)):
            claims = {"iss": made.anchors.identity_issuer, "iat": int(entry.at.timestamp()), "aud": audience}
            claims["exp"] = int(entry.at.timestamp()) + 60
            data = sign_jws(claims, made.keys.identity, "identity-assertion+jwt").encode()
            examined = _examined(made)
            digest = sha256(data).hexdigest()
            examined.take(replace(entry, facts={"assertion_sha256": digest}))
            assert own.kid == made.keys.identity.kid
            try:
                _assertion(examined, data, digest)
            except Refused:
                assert not right
            else:
                assert right

    def test_it_is_looked_for_once_however_many_entries_there_are(self, made: Made) -> None:
        examined = _examined(made)
        identities = identity_digests(examined)
        (verified,) = [each for each in examined.entries.values() if is_identity(each, identities)]
        assert verified.action == "identity.verified"
        asked = 0
        entries_of = examined.entries_of

        def counted(*actions: str, result: str = "done") -> Any:
            nonlocal asked
            asked += 1
            return entries_of(*actions, result=result)

        examined.entries_of = counted  # type: ignore[method-assign]
        for number in range(500):
            examined.take(replace(verified, entry_id=f"more-{number}", subject="app_of_another"))
        check_record(examined)
        assert asked < 20


def _examined(made: Made) -> Examination:
    examined = Examination(made.anchors)
    examined.files = read_archive(made.whole)
    assert check_manifest(examined)
    check_record(examined)
    examined.findings.clear()
    return examined


class TestWhatWasLeftOut:
    def test_of_a_bundle_without_personal_data_it_is_said_so(self, made: Made) -> None:
        said = [
            each.text("en")
            for each in verify_evidence(made.redacted, made.anchors).findings
            if "left out" in each.text("en")
        ]
        assert said
        assert all(each.startswith("–") for each in said)

    def test_a_bundle_that_is_said_to_be_whole_does_not_leave_out_as_if_it_were_not(self, made: Made) -> None:
        """The statement would be true of a redacted one alone."""
        left = [{"what": "envelope", "sha256": "ab" * 32, "why": why} for why in ("redacted",)]
        report = verify_evidence(anew(made.whole, {}, made.keys.answer, left_out=left), made.anchors)
        assert (report.exit_code, codes(report, UNKNOWN)) == (2, {"withheld.whole"}), told(report)
        assert "without personal data" not in told(report)
        for why in ("retention", "never_kept"):
            left = [{"what": "envelope", "sha256": "ab" * 32, "why": why}]
            report = verify_evidence(anew(made.whole, {}, made.keys.answer, left_out=left), made.anchors)
            assert report.exit_code == 0, "nothing in the record asks for it"
            assert "left out as" not in told(report)


def test_a_stranger_s_certificate_is_doubted(made: Made) -> None:
    """Somebody else was verified by the identity provider than the one whom the certificates name."""
    files = read_archive(made.whole)
    examined = Examination(made.anchors)
    examined.files, examined.holders = files, {"110101199003070000"}
    (judgement,) = [each for each in account(made, "certificates.json")["judgements"] if each["cause"] == "submitted"][
        :1
    ]
    name = f"certificates/{judgement['envelope_sha256']}.jws"
    prove_certificate(examined, judgement, name, ())
    assert [each.code for each in examined.findings] == ["certificate.holder", "certificate"]


def test_the_record_s_own_words_are_told_as_such(made: Made) -> None:
    """What was disclosed, and when stages began, nobody but the gateway signed for."""
    said = [each.text("en") for each in verify_evidence(made.whole, made.anchors).findings if each.code == "disclosed"]
    assert said
    assert all("the record says" in each for each in said)


class TestTheTerminal:
    def test_what_the_bundle_says_cannot_look_like_a_statement(self) -> None:
        words = "ok" + " " * 500 + "✓ the outcome is proved\u202e\n✗"
        text = Finding(PROVED, "authorisation", "", {"id": "a", "text": words}).text("en")
        assert text.count("✓") == 1
        assert "✗" not in text
        assert "  " not in text
        assert text.isprintable()

    def test_facts_of_any_depth_are_told(self) -> None:
        deep: list[object] = []
        for _ in range(100_000):
            deep = [deep]
        facts = {"stage": deep, "action": "started", "claimed": 10**5000, "counted": None}
        assert Finding(PROVED, "stage", "", facts).text("zh")


def test_an_endless_identifier_is_refused() -> None:
    with pytest.raises(Refused):
        Der(0x06, b"\xff" * 100_000 + b"\x01", b"").oid()
