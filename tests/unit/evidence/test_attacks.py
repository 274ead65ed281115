"""A gateway that lies with all its own keys: parts swapped, taken out, put in or dated otherwise. None ends in 0."""

import base64
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from typing import Any

import pytest

from gateway.crypto.jws import sign_jws
from gateway.evidence.verify_evidence import PROVED, STATED, UNKNOWN, WRONG, Anchors, read_archive, verify_evidence
from gateway.evidence.verify_evidence.checks.applications import check_identity
from gateway.evidence.verify_evidence.checks.certificates import check_certificates
from gateway.evidence.verify_evidence.checks.deliveries import EPOCH, _holes, check_deliveries
from gateway.evidence.verify_evidence.checks.manifest import check_manifest
from gateway.evidence.verify_evidence.checks.record import check_record
from gateway.evidence.verify_evidence.examination import Examination
from tests.support.databases import Databases
from tests.support.evidence import anew, evidence_room, without
from tests.support.licences import UTILITY, an_applicant
from tests.unit.evidence.conftest import Made
from tests.unit.evidence.test_bundles import codes, told


def account(made: Made, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(read_archive(made.whole)[name])
    return found


def lied(made: Made, changes: Mapping[str, bytes | None], bundle: bytes | None = None) -> tuple[int, set[str], str]:
    """Exit code, doubts and faults, and everything that was told, once the gateway signed the changes."""
    report = verify_evidence(anew(bundle or made.whole, changes, made.keys.answer), made.anchors)
    return report.exit_code, codes(report, UNKNOWN, WRONG), told(report)


class TestPutIn:
    """What nobody verified is not carried along under a bundle that is proved."""

    @pytest.mark.parametrize(
        "name",
        [
            "deliveries/evt_9999.json",
            "deliveries/evt_9999.jws",
            "deliveries/evt_r0003.json",
            f"outcomes/{'ab' * 32}.jws",
            "outcomes/approved.jws",
            "outcomes/more/x.jws",
            "identity/other.jws",
            "certificates/notes.txt",
            "record.txt",
        ],
    )
    def test_a_file_that_no_account_speaks_of(self, made: Made, name: str) -> None:
        """``evt_r0003`` is the department's, whose answer has no signature: its content would be anybody's."""
        code, doubts, all_told = lied(made, {name: b"{}"})
        assert (code, doubts) in ((2, {"file.unused"}), (1, {"file.name"}), (1, {"file.name", "file.unused"})), all_told

    @pytest.mark.parametrize("folder", ["certificates", "status", "chain", "outcomes"])
    def test_a_file_under_another_s_digest(self, made: Made, folder: str) -> None:
        suffix = {"certificates": "jws", "status": "crl", "chain": "der", "outcomes": "jws"}[folder]
        code, doubts, all_told = lied(made, {f"{folder}/{'ab' * 32}.{suffix}": b"0"})
        assert code == 1, all_told
        assert "file.name" in doubts

    def test_the_document_of_a_judgement_that_nobody_makes_anew(self, made: Made) -> None:
        """As invalid the gateway judged it, by its own word; what lies there is not even that document."""
        said = account(made, "certificates.json")
        digest = said["judgements"][0]["envelope_sha256"]
        for each in said["judgements"]:
            if each["envelope_sha256"] == digest:
                each["verdict"] = "invalid"
        changes = {"certificates.json": json.dumps(said).encode(), f"certificates/{digest}.jws": b"another"}
        code, doubts, all_told = lied(made, changes)
        assert (code, "file.name" in doubts) == (1, True), all_told


class TestTakenOut:
    @pytest.mark.parametrize(
        ("gone", "doubt"),
        [
            (("application.json",), "file.absent"),
            (("authorisation.json", "authorisation.granted"), "authorisation.absent"),
            (("authorisation.granted",), "authorisation.wrong"),
            (("application.json", "application.submitted"), "application.nosubmission"),
        ],
    )
    def test_what_a_bundle_must_tell_of(self, made: Made, gone: tuple[str, ...], doubt: str) -> None:
        """Files, and the entries of an action."""
        record = {name: body for name, body in read_archive(made.whole).items() if name.startswith("record/")}
        named = {name for name, body in record.items() if leaf(body)["action"] in gone}
        code, doubts, all_told = lied(made, dict.fromkeys({*named, *(each for each in gone if "json" in each)}))
        assert code, all_told
        assert doubt in doubts, all_told

    def test_the_content_of_an_event_that_was_signed_for(self, made: Made) -> None:
        """Without it a receipt could be for anything, and its number is anybody's."""
        code, doubts, all_told = lied(made, {"deliveries/evt_r0005.json": None})
        assert (code, doubts) == (2, {"receipt.nobody"}), all_told


def leaf(proof: bytes) -> dict[str, Any]:
    """What the entry says that a proof is of."""
    said: dict[str, Any] = json.loads(base64.b64decode(json.loads(proof)["leaf"]))
    return said


@pytest.mark.parametrize("form", ["whole", "redacted", "for_utility"])
def test_no_file_can_be_taken_out_unsaid(made: Made, form: str) -> None:
    """Each alone, under a manifest that was signed anew."""
    bundle = getattr(made, form)
    for name in read_archive(bundle):
        if name != "manifest.jws" and not acts_alone(bundle, name):
            code, doubts, all_told = lied(made, {name: None}, bundle)
            assert code, f"{name}: {all_told}"
            assert doubts


def acts_alone(bundle: bytes, name: str) -> bool:
    """An entry that nothing else in the bundle points to: that there is no further one no bundle can prove."""
    if not name.startswith("record/"):
        return False
    said = leaf(read_archive(bundle)[name])
    pointed = ("application.submitted", "authorisation.granted", "delivery.receipted", "outcome.received")
    listed = {each["destination"] for each in json.loads(read_archive(bundle)["deliveries.json"])["events"]}
    return said["action"] not in pointed or said["facts"].get("destination") not in (None, *listed)


PARTS = {
    "application": ("application.json",),
    "authorisation": ("authorisation.json",),
    "certificates": ("certificates", "status/"),
    "deliveries": ("deliveries",),
    "record": ("record/", "consistency.json"),
    "identity": ("identity/",),
    "outcomes": ("outcomes",),
    "reasons": ("reasons.json",),
}


@pytest.mark.parametrize("part", PARTS)
def test_parts_of_two_sound_bundles_make_no_third(made: Made, part: str) -> None:
    """Two applications of one enterprise, by the same people: each part of one is put into the other."""
    for into, source in ((made.whole, made.other), (made.other, made.whole)):
        theirs = {name: body for name, body in read_archive(source).items() if name.startswith(PARTS[part])}
        ours = dict.fromkeys(name for name in read_archive(into) if name.startswith(PARTS[part]))
        if {name: read_archive(into)[name] for name in ours} != theirs:
            code, _, all_told = lied(made, {**ours, **theirs}, into)
            assert code, all_told


class TestArchives:
    """One file, one reading: whatever another reader of ZIP files could take otherwise is no bundle."""

    def entries(self, made: Made) -> list[tuple[str, bytes]]:
        return sorted(read_archive(made.whole).items())

    def written(self, entries: list[tuple[str, bytes]], **more: Any) -> bytes:
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
            for name, body in entries:
                entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
                entry.create_system, entry.external_attr = 3, 0o100600 << 16
                for attribute, value in more.items():
                    setattr(entry, attribute, value)
                archive.writestr(entry, body)
        return stream.getvalue()

    def test_as_it_is_written(self, made: Made) -> None:
        assert self.written(self.entries(made)) == made.whole

    @pytest.mark.filterwarnings("ignore:Duplicate name")
    def test_otherwise(self, made: Made) -> None:
        own = self.entries(made)
        other = b'{"v":1}'
        application = ("application.json", other)
        archives = {
            "a file twice": [*own[:1], application, *own[1:]],
            "a file twice, apart": [*own, application],
            "in another order": own[::-1],
            "two changed places": [own[1], own[0], *own[2:]],
            "another case": [("Application.json", other), *own],
            "a folder": [*own, ("z/", b"")],
            "a step up": [("../application.json", other), *own],
            "from the root": [("/application.json", other), *own],
            "a point": [("./application.json", other), *own],
            "another letter": [*own, ("аpplication.json", other)],
            "wide letters": [*own, ("\uff41pplication.json", other)],
            "no width": [*own, ("application\u200b.json", other)],
            "written backwards": [*own, ("\u202enosj.noitacilppa", other)],
            "a separator of Windows": [*own, ("record\\x.json", other)],
        }
        for case, entries in archives.items():
            report = verify_evidence(self.written(entries), made.anchors)
            assert report.exit_code == 1, case
            assert codes(report, WRONG) == ({"file.extra"} if case == "another case" else {"archive"}), case

    @pytest.mark.parametrize(
        "changes",
        [
            {"compress_type": zipfile.ZIP_DEFLATED},
            {"comment": b"x"},
            {"extra": b"\x01\x00\x00\x00"},
            {"date_time": (1980, 1, 1, 0, 0, 2)},
            {"external_attr": 0o120777 << 16},
            {"create_system": 0},
        ],
    )
    def test_with_other_headers(self, made: Made, changes: dict[str, Any]) -> None:
        report = verify_evidence(self.written(self.entries(made), **changes), made.anchors)
        assert (report.exit_code, codes(report, WRONG)) == (1, {"archive"})

    def test_two_bundles_in_one_file(self, made: Made) -> None:
        for whole in (made.whole + made.redacted, made.redacted + made.whole, made.whole * 2):
            report = verify_evidence(whole, made.anchors)
            assert (report.exit_code, codes(report, WRONG)) == (1, {"archive"})


class TestSaidOtherwise:
    """Accounts beside the record: whatever the record or a signature knows better."""

    @pytest.mark.parametrize(
        ("member", "value"), [("type", "org.bandian.other"), ("position", 77), ("sequence", 2), ("event_id", "evt_9")]
    )
    def test_of_an_event(self, made: Made, member: str, value: object) -> None:
        said = account(made, "deliveries.json")
        event = next(each for each in said["events"] if each["event_id"] == "evt_0004")
        assert event[member] != value
        event[member] = value
        code, _, all_told = lied(made, {"deliveries.json": json.dumps(said).encode()})
        assert code, all_told

    @pytest.mark.parametrize(
        ("member", "value"), [("permit_id", "prm_9"), ("sequence", 9), ("received_at", "2026-11-23T09:00:00Z")]
    )
    def test_of_an_outcome(self, made: Made, member: str, value: object) -> None:
        said = account(made, "outcomes.json")
        said["outcomes"][0][member] = value
        code, doubts, all_told = lied(made, {"outcomes.json": json.dumps(said).encode()})
        assert (code, "outcome.wrong" in doubts) == (1, True), all_told

    @pytest.mark.parametrize(
        ("member", "value"),
        [
            ("granted_at", "2020-01-01T00:00:00Z"),
            ("until", "2099-01-01T00:00:00Z"),
            ("withdrawn_at", "2026-11-24T00:00:00Z"),
        ],
    )
    def test_of_an_authorisation(self, made: Made, member: str, value: str) -> None:
        said = {**account(made, "authorisation.json"), member: value}
        code, doubts, all_told = lied(made, {"authorisation.json": json.dumps(said).encode()})
        assert (code, "authorisation.wrong" in doubts) == (1, True), all_told

    async def test_of_one_that_was_withdrawn(self, databases: Databases, tmp_path: Any) -> None:
        """The account of before the withdrawal, beside the record of after it."""
        async with evidence_room(databases.sqlite()) as made:
            await made.live()
            made.write_anchors(tmp_path / "anchors")
            anchors = Anchors.read(tmp_path / "anchors")
            before = read_archive(await made.given())["authorisation.json"]
            made.room.clock.advance(minutes=1)
            await made.room.authorisations.withdraw(made.application_id, an_applicant().holder_digest)
            await made.delivered()
            await made.anchored()
            after = await made.given()
            assert verify_evidence(after, anchors).exit_code == 0
            mixed = verify_evidence(anew(after, {"authorisation.json": before}, made.keys.answer), anchors)
            assert "authorisation.wrong" in codes(mixed, WRONG), told(mixed)

    def test_where_an_application_stands_is_told_as_the_gateway_s_word(self, made: Made) -> None:
        said = {**account(made, "application.json"), "status": "completed"}
        report = verify_evidence(
            anew(made.whole, {"application.json": json.dumps(said).encode()}, made.keys.answer), made.anchors
        )
        (stated,) = [each for each in report.findings if each.code == "application.status"]
        assert stated.mark == STATED
        assert "completed" in stated.text("en")


@pytest.mark.parametrize(
    ("sequences", "missing"),
    [
        ([1, 2, 3], []),
        ([3, 1], [2]),
        ([2, 3], [1]),
        ([1, 2, EPOCH + 1, EPOCH + 2], []),
        ([1, EPOCH + 2], [EPOCH + 1]),
        ([1, 3, EPOCH + 1, 2 * EPOCH + 3, 2 * EPOCH + 1], [2, 2 * EPOCH + 2]),
        ([EPOCH + 1], []),
        ([], []),
    ],
)
def test_holes_in_numbers_also_after_a_restore(sequences: list[int], missing: list[int]) -> None:
    """A restored gateway counts on from the next epoch: no hole, and it hides none (``schemas.events.follows``)."""
    assert _holes(sequences) == missing


class TestAnotherKind:
    """An authority that may issue several kinds does not thereby issue one as the other."""

    def test_a_certificate_of_another_type(self, made: Made) -> None:
        kinds = {"business_licence": frozenset({"11100000MB03271699001"}), "property_certificate": frozenset({"x"})}
        report = verify_evidence(made.whole, without(made.anchors, kinds=kinds))
        wrong = [each for each in report.findings if each.mark == WRONG]
        assert {each.code for each in wrong} == {"certificate.wrong"}, told(report)
        assert all("kind" in each.text("en") for each in wrong)

    @pytest.mark.parametrize("kinds", [None, {}])
    def test_where_nobody_says_which_type_a_kind_is(self, made: Made, kinds: Any) -> None:
        report = verify_evidence(made.whole, without(made.anchors, kinds=kinds))
        assert (report.exit_code, codes(report, UNKNOWN)) == (2, {"certificate.unknown"}), told(report)


class TestAnotherTime:
    """An assertion shows who applied only if it was made for this application."""

    @pytest.mark.parametrize(("days", "proved"), [(0, True), (30, True), (40, False), (4000, False), (-1, False)])
    def test_somebody_was_verified_at_another_time(self, made: Made, days: int, proved: bool) -> None:
        """An assertion of years ago, or one from after it was submitted, used once more."""
        examined = Examination(made.anchors)
        examined.files = read_archive(made.whole)
        assert check_manifest(examined)
        check_record(examined)
        (submitted,) = examined.entries_of("application.submitted")
        examined.take(replace(submitted, at=submitted.at + timedelta(days=days)))
        examined.findings.clear()
        check_identity(examined)
        assert ({each.code for each in examined.findings if each.mark == PROVED} == {"identity"}) is proved


def test_a_document_that_the_record_tells_of_in_no_known_way_is_doubted(made: Made) -> None:
    examined = Examination(made.anchors)
    examined.files = read_archive(made.whole)
    assert check_manifest(examined)
    check_record(examined)
    (submitted,) = examined.entries_of("application.submitted")
    for documents in (["business_licence:valid"], [7], ["a:valid:b:c"]):
        facts = {**submitted.facts, "documents": [*submitted.facts["documents"], *documents]}
        examined.take(replace(submitted, facts=facts))
        examined.findings.clear()
        check_certificates(examined)
        assert [each.code for each in examined.findings if each.mark == UNKNOWN] == ["certificate.unclear"], documents


def test_a_receipt_for_several_readers(made: Made) -> None:
    """RFC 7519 §4.1.3: a utility may write its audience as a list; the gateway takes that, and so does an auditor."""
    examined = Examination(made.anchors)
    examined.files = read_archive(made.whole)
    assert check_manifest(examined)
    check_record(examined)
    (entry,) = [each for each in examined.entries_of("delivery.receipted") if each.facts["event"] == "evt_0004"]
    body = examined.files["deliveries/evt_0004.json"]
    for audience, taken in (([examined.issuer], True), (["x", examined.issuer], True), (["x"], False), (None, False)):
        claims = {"iss": UTILITY, "aud": audience, "iat": int(entry.at.timestamp()), "event_id": "evt_0004"}
        claims |= {"status": "accepted", "body_sha256": sha256(body).hexdigest()}
        receipt = sign_jws(claims, made.keys.utility, "delivery-receipt+jwt").encode()
        examined.files["deliveries/evt_0004.jws"] = receipt
        examined.take(replace(entry, facts={**entry.facts, "receipt_sha256": sha256(receipt).hexdigest()}))
        examined.findings.clear()
        check_deliveries(examined)
        assert ("evt_0004" in {each.facts["event"] for each in examined.findings if each.mark == PROVED}) is taken
