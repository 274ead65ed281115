"""The four publicly distributed OFD files: intact, unanchored, and spoilt by any changed byte."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.certificates.envelopes.ofd import verify_ofd
from gateway.certificates.verdicts import Verdict
from tests.support.ofd_writer import issue, pack, rewrite, unpack
from tests.support.require import skip_or_fail

SAMPLES = Path(__file__).resolve().parents[3].parent / "shared" / "samples" / "ofd"
NAMES = ("SESV4SignDoc", "SignScaleError", "V4RideRight", "allprotected")
NOW = datetime(2026, 11, 1, tzinfo=UTC)
POSITIONS = 12


@pytest.fixture(params=NAMES)
def sample(request: pytest.FixtureRequest) -> bytes:
    path = SAMPLES / f"{request.param}.ofd"
    if not path.exists():
        skip_or_fail("sample OFD files are not beside the checkout (../shared/samples/ofd)")
    return path.read_bytes()


def test_samples_are_intact_and_unanchored(sample: bytes) -> None:
    report = verify_ofd(sample, [], NOW)
    assert report.intact
    assert (report.verdict, report.reason) == (Verdict.INDETERMINATE, "no trust anchor")
    assert [signature.form for signature in report.signatures] == ["V4"]
    assert report.uncovered == ()
    assert report.failed_files == ()


def test_any_changed_byte_in_a_covered_file_is_invalid_and_named(sample: bytes) -> None:
    (signature,) = verify_ofd(sample, [], NOW).signatures
    files = unpack(sample)
    covered = {*signature.covered, signature.path, "Doc_0/Signs/Sign_0/SignedValue.dat"}
    assert {"OFD.xml", "Doc_0/Document.xml", "Doc_0/Pages/Page_0/Content.xml"} <= covered
    for path in sorted(covered):
        content = files[path]
        step = max(len(content) // POSITIONS, 1)
        for position in {*range(0, len(content), step), len(content) - 1}:
            changed = content[:position] + bytes([content[position] ^ 0x01]) + content[position + 1 :]
            report = verify_ofd(rewrite(sample, path, changed), [], NOW)
            assert report.verdict is Verdict.INVALID, (path, position)
            assert path in report.failed_files, (path, position)


def test_a_removed_covered_file_is_named(sample: bytes) -> None:
    (signature,) = verify_ofd(sample, [], NOW).signatures
    for path in signature.covered:
        files = unpack(sample)
        del files[path]
        report = verify_ofd(pack(files), [], NOW)
        assert report.verdict is Verdict.INVALID, path
        assert path in report.failed_files, path


def test_a_sample_with_an_unrelated_anchor_stays_unanchored(sample: bytes) -> None:
    report = verify_ofd(sample, [issue("测试根", ca=True).certificate], NOW)
    assert (report.verdict, report.reason) == (Verdict.INDETERMINATE, "no trust anchor")
