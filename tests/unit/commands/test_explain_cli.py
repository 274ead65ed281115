"""How `bandian explain` is called, what it refuses, and how it tells what it found."""

from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gateway.certificates.kinds.business_licence import KIND
from gateway.certificates.verification import CopyProvenance
from gateway.cli import app
from gateway.commands.explain import render_explanation, render_verification
from schemas.partner_api import LicenceExplanation
from tests.support.ecertificates import AT, Province


@pytest.fixture(autouse=True)
def _settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BANDIAN_DATABASE_URL", f"sqlite:///{tmp_path / 'gateway.sqlite3'}")
    monkeypatch.setenv("BANDIAN_KEY_DIR", str(tmp_path / "keys"))
    monkeypatch.setenv("BANDIAN_TRUST_DIR", str(tmp_path / "trust"))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "licence.jws"
    path.write_bytes(Province().envelope())
    return path


def explain(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["explain", *map(str, arguments)])


ASKED = ("--application", "app_1", "--kind", "business_licence", "--utility", "csg-foshan")


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("FILE", *ASKED),
        ("FILE", "--utility", "csg-foshan"),
        ("FILE", "--field", "name"),
        ("FILE", "--at", "tomorrow"),
        ("FILE", "--at", "2026-11-23T09:00:00"),
        ("FILE", "--at", "9999-12-31T23:00:00+00:00"),
        ("FILE", "--kind", "driving_licence"),
        ("--application", "app_1"),
        ("--application", "app_1", "--kind", "business_licence"),
        (*ASKED, "--offline"),
        (*ASKED, "--at", "2026-11-23T09:00:00Z"),
        ("--application", "app 1!", "--kind", "business_licence", "--utility", "csg-foshan"),
        ("no-such-file",),
    ],
)
def test_a_wrong_call_ends_with_two(arguments: tuple[str, ...], file: Path) -> None:
    result = explain(*(file if each == "FILE" else each for each in arguments))
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.output


def test_a_request_needs_a_database_of_this_version(tmp_path: Path) -> None:
    result = explain(*ASKED)
    assert result.exit_code == 1
    assert "bandian migrate" in result.output


def test_without_a_trust_anchor_a_file_is_not_known_and_says_whose_turn_it_is(file: Path) -> None:
    result = explain(file, "--offline")
    assert result.exit_code == 3, result.output
    assert "[chain.no_anchor] 共享平台：" in result.output
    assert "证书链：未取得" in result.output
    assert "示例有限公司" not in result.output


def test_a_file_that_is_nothing_is_invalid(tmp_path: Path) -> None:
    path = tmp_path / "letter.txt"
    path.write_bytes(b"\x00\x1b[31m hello")
    result = explain(path, "--offline")
    assert result.exit_code == 1, result.output
    assert " 1 ✗ 文件外形与限额 [envelope.unrecognised]" in result.output


def test_a_broken_trust_directory_is_told_in_one_sentence(file: Path, tmp_path: Path) -> None:
    (tmp_path / "trust").mkdir()
    result = explain(file)
    assert result.exit_code == 1
    assert "anchors/*.pem" in result.output


def test_each_step_stands_on_a_line_with_its_number_and_mark() -> None:
    province = Province()
    provenance = CopyProvenance("gd-platform", AT - timedelta(days=2), "440000", (), True, True)
    judged = province.verifier().verify(province.envelope(), KIND, AT, None, province.evidence(), provenance)
    text = render_verification(judged, KIND, "licence.jws")
    lines = text.splitlines()
    assert lines[3] == "结论：有效（valid）"
    assert lines[4] == "  1 ✓ 文件外形与限额"
    assert lines[14] == " 11 ✓ 副本时效"
    assert (
        "  证照副本：过时，仍在允许的时限内；截至 2026-11-21 12:00:00 +08:00，已 2 天；最长 7 天；来源 gd-platform；"
        "来源最近一次未应答"
    ) in lines


def test_what_documents_say_cannot_drive_the_terminal() -> None:
    said = LicenceExplanation(
        application_id="app_1",
        kind="business_licence",
        title=None,
        purpose="grid_connection",
        at=AT,
        outcome="refused",
        verdict=None,
        checks=[{"number": 1, "name": "caller", "title": "调用方\x1b[2J", "verdict": "indeterminate"}],
        record_id="log-1",
    )
    text = render_explanation(said, "csg\x07")
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "暂时无法答复" in text
