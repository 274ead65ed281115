"""A whole bundle proves everything; a redacted one what it can, and tells of nobody."""

import base64
import io
import json
import zipfile
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from gateway.certificates.registry import KindRegistry
from gateway.evidence.verify_evidence import (
    MANIFEST,
    PROVED,
    UNKNOWN,
    WITHHELD,
    WRONG,
    Anchors,
    Report,
    main,
    read_archive,
    verify_evidence,
)
from gateway.retention.policies import policies
from gateway.retention.service import RetentionService
from tests.support.databases import Databases
from tests.support.evidence import PAUSED_FOR, anew, contents, evidence_room, without
from tests.support.licences import PLANT, SECRETS, an_applicant
from tests.support.raw_database import Needles
from tests.support.retention import PERIODS
from tests.unit.evidence.conftest import Made

REASON = "同意张三占道"
EVERYTHING = {
    "manifest",
    "record",
    "checkpoint",
    "witness",
    "application",
    "authorisation",
    "identity",
    "certificate",
    "disclosed",
    "outcome",
    "receipt.body",
    "reason",
    "record.grown",
    "stage",
}


def codes(report: Report, *marks: str) -> set[str]:
    return {each.code for each in report.findings if each.mark in marks}


def told(report: Report) -> str:
    return "\n".join(each.text("en") for each in report.findings)


def test_a_whole_bundle_proves_everything(made: Made) -> None:
    report = verify_evidence(made.whole, made.anchors)
    assert report.exit_code == 0, told(report)
    assert codes(report, PROVED) == EVERYTHING
    assert codes(report, UNKNOWN, WRONG, WITHHELD) == set()
    kinds = {each.facts["kind"] for each in report.findings if each.code == "certificate"}
    assert kinds == {"business_licence", "property_certificate"}


def test_a_redacted_one_still_verifies_and_says_what_is_left_out(made: Made) -> None:
    report = verify_evidence(made.redacted, made.anchors)
    assert report.exit_code == 0, told(report)
    assert codes(report, PROVED) == EVERYTHING - {"identity", "certificate", "outcome", "reason"} | {"receipt"}
    left = {each.facts["what"]: each.facts["count"] for each in report.findings if each.code == "withheld"}
    assert left == {"assertion": 1, "envelope": 2, "event": 1, "outcome": 1, "reason": 1, "receipt": 1}
    assert codes(report, UNKNOWN, WRONG) == set()


def test_a_utility_gets_its_own_deliveries_and_nobody_s_name(made: Made) -> None:
    report = verify_evidence(made.for_utility, made.anchors)
    assert report.exit_code == 0, told(report)
    events = json.loads(read_archive(made.for_utility)["deliveries.json"])["events"]
    assert {each["destination"] for each in events} == {"csg-guangzhou"}
    assert "identity.verified" not in {each.facts.get("action") for each in report.findings}


@pytest.mark.parametrize("form", ["redacted", "for_utility"])
def test_nobody_is_named_in_a_redacted_one(made: Made, form: str) -> None:
    applicant = an_applicant()
    words = {*SECRETS, applicant.person_name, applicant.person_code, PLANT.purpose, REASON, PAUSED_FOR, "张三"}
    needles = Needles(words)
    assert {found for content in contents(made.whole) for found in needles.found_in(content)}, "they can be found"
    assert {found for content in contents(getattr(made, form)) for found in needles.found_in(content)} == set()


def test_nobody_can_prove_a_guess_with_a_redacted_one(made: Made) -> None:
    """What the applicant wrote is in the first event: with its digest one could try words until they fit."""
    whole = read_archive(made.whole)
    typed = [body for name, body in whole.items() if name.endswith(".json") and PLANT.purpose.encode() in body]
    assert len(typed) == 1
    (said,) = typed
    data = json.dumps(json.loads(said)["data"]).encode()
    digests = [sha256(each).hexdigest().encode() for each in (said, data)]
    assert any(digests[0] in content for content in contents(made.whole)), "it can be found"
    assert not [each for each in digests for content in contents(made.redacted) if each in content]


def test_any_reader_of_zip_files_opens_it(made: Made) -> None:
    with zipfile.ZipFile(io.BytesIO(made.whole)) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == read_archive(made.whole)
    assert anew(made.whole, {}) == made.whole


@pytest.mark.parametrize(
    ("missing", "code"),
    [
        ("gateway", "manifest.wrong"),
        ("checkpoints", "checkpoint.unsigned"),
        ("roots", "certificate.unknown"),
        ("issuers", "certificate.unknown"),
        ("identity", "identity.wrong"),
        ("identity_issuer", "identity.wrong"),
        ("partners", "outcome.wrong"),
    ],
)
def test_what_nobody_vouches_for_is_not_proved(made: Made, missing: str, code: str) -> None:
    empty = {"partners": {}, "issuers": None, "identity_issuer": None}
    report = verify_evidence(made.whole, without(made.anchors, **{missing: empty.get(missing, ())}))
    assert report.exit_code == 2, told(report)
    assert code in codes(report, UNKNOWN)
    assert codes(report, WRONG) == set()


def test_somebody_else_s_keys_prove_that_it_is_wrong(made: Made) -> None:
    """A key under the right name that did not sign; a witness that never saw it."""
    for name in ("gateway", "identity"):
        (own,) = getattr(made.anchors, name)
        (other,) = getattr(made.anchors, "identity" if name == "gateway" else "gateway")
        stranger = type(own)(own.kid, other.key)
        report = verify_evidence(made.whole, without(made.anchors, **{name: (stranger,)}))
        assert report.exit_code == 1, told(report)
    (log,) = made.anchors.checkpoints
    other_witness = type(log)("other.example", b"\0\0\0\0", made.anchors.witnesses[0].algorithm, log.key)
    report = verify_evidence(made.whole, without(made.anchors, witnesses=(other_witness,)))
    assert (report.exit_code, codes(report, UNKNOWN)) == (2, {"witness.none"})


def test_another_authority_s_kind_is_not_proved(made: Made) -> None:
    assert made.anchors.issuers is not None
    other = tuple({**each, "kinds": ["resident_id", "status_list"]} for each in made.anchors.issuers)
    report = verify_evidence(made.whole, without(made.anchors, issuers=other))
    assert report.exit_code == 1
    assert "certificate.wrong" in codes(report, WRONG)


class TestTheCommand:
    def run(self, made: Made, tmp_path: object, bundle: bytes, *more: str) -> int:
        path = made.directory / "bundle.zip"
        path.write_bytes(bundle)
        return main([str(path), "--anchors", str(made.directory), *more])

    def test_it_speaks_two_languages(self, made: Made, tmp_path: object, capsys: pytest.CaptureFixture[str]) -> None:
        assert self.run(made, tmp_path, made.whole) == 0
        assert "授权 auth_0003 的原文与存证的摘要一致" in capsys.readouterr().out
        assert self.run(made, tmp_path, made.whole, "--lang", "en") == 0
        assert "the words of authorisation auth_0003 are those" in capsys.readouterr().out

    @pytest.mark.parametrize("bundle", [b"", b"PK", b"not a bundle"])
    def test_what_is_no_bundle_cannot_be_read(
        self, made: Made, tmp_path: object, bundle: bytes, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert self.run(made, tmp_path, bundle) == 3
        assert "无法读取" in capsys.readouterr().err

    @pytest.mark.parametrize(
        ("name", "content"),
        [
            ("gateway.jwks.json", "[]"),
            ("gateway.jwks.json", '{"keys": [{"kty": "EC"}]}'),
            ("checkpoints.vkeys", "origin+00000000+AQ=="),
            ("anchors/root.pem", "no certificate"),
            ("partners.json", '{"a": 1, "a": 2}'),
        ],
    )
    def test_anchors_that_cannot_be_read_are_named(
        self, made: Made, tmp_path: object, name: str, content: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path = made.directory / name
        before = path.read_bytes()
        path.write_text(content, "utf-8")
        try:
            assert self.run(made, tmp_path, made.whole) == 3
        finally:
            path.write_bytes(before)
        assert name in capsys.readouterr().err
        assert Anchors.read(made.directory) == made.anchors

    def test_a_wrong_call_is_no_verdict(self, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit) as ended:
            main(["bundle.zip"])
        assert ended.value.code == 3
        capsys.readouterr()


def test_the_manifest_is_the_first_thing_that_is_looked_at(made: Made) -> None:
    report = verify_evidence(anew(made.whole, {MANIFEST: None}), made.anchors)
    assert (report.exit_code, codes(report, WRONG)) == (1, {"file.missing"})


async def test_what_retention_removed_is_not_proved_and_said_to_be_gone(databases: Databases, tmp_path: Path) -> None:
    """The receipts stay; nobody can tell any more what they were for."""
    async with evidence_room(databases.sqlite()) as room:
        await room.live()
        room.write_anchors(tmp_path / "anchors")
        room.room.clock.advance(days=PERIODS.deliveries_days + 1)
        table = policies(PERIODS, KindRegistry.discover().copies_kept())
        await RetentionService(room.room.transactions, table, room.room.clock).run()
        await room.anchored()
        bundle = await room.given()
    left = manifest_of(bundle)["left_out"]
    assert [(each["what"], each["why"]) for each in left] == [("event", "retention")] * 3
    report = verify_evidence(bundle, Anchors.read(tmp_path / "anchors"))
    assert (report.exit_code, codes(report, UNKNOWN)) == (2, {"receipt.nobody"}), told(report)
    assert all("retention" in each.text("en") for each in report.findings if each.code == "receipt.nobody")


def manifest_of(bundle: bytes) -> dict[str, Any]:
    payload = read_archive(bundle)[MANIFEST].split(b".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + b"=="))
    return found
