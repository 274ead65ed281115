"""``bandian report`` on both databases: text, JSON, the 重点任务台账 as spreadsheet and PDF."""

import asyncio
import json
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest
from click.testing import Result
from typer.testing import CliRunner

from gateway.bootstrap.foundation import lay_foundation
from gateway.cli import app
from gateway.oversight.report import PeriodReport
from gateway.settings import load_settings
from tests.support.oversight import a_population, added

Run = Callable[..., Result]
MARCH = ("--from", "2026-03-01", "--to", "2026-04-30")


@pytest.fixture
def run(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command over a database with a month of applications."""
    variables = {
        "BANDIAN_DATABASE_URL": database_url,
        "BANDIAN_KEY_DIR": str(tmp_path / "keys"),
        "BANDIAN_TRUST_DIR": str(tmp_path / "trust"),
        "BANDIAN_HEADS_DIR": str(tmp_path / "heads"),
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    applications, reviews = a_population(datetime(2026, 3, 2, 4, 0, tzinfo=UTC), Random(3))
    foundation = lay_foundation(load_settings(variables))
    try:
        asyncio.run(foundation.transactions.write(added(*applications)))
        for each in reviews:
            asyncio.run(foundation.transactions.write(lambda tx, each=each: tx.joint_reviews.add(each)))
    finally:
        foundation.close()
    return lambda *words: CliRunner().invoke(app, ["report", *words])


def test_a_period_in_every_form(run: Run, tmp_path: Path) -> None:
    printed = run(*MARCH)
    assert printed.exit_code == 0, printed.output
    assert printed.output.splitlines()[0] == "全部地区 2026-03-01 至 2026-04-30（已确定）"
    assert "广州市" in printed.output
    assert "规划和自然资源局" in printed.output

    told = tmp_path / "report.json"
    assert run(*MARCH, "-o", str(told)).exit_code == 0
    report = PeriodReport.model_validate(json.loads(told.read_text("utf-8")))
    assert report.total.completed == sum(each.completed for each in report.cities) > 50
    assert report.total.completed == sum(each.completed for each in report.cells)
    assert f"全部用户\t{report.total.received}\t{report.total.completed}\t" in printed.output

    sheet = tmp_path / "ledger.xlsx"
    assert run(*MARCH, "--city", "广州", "-o", str(sheet)).exit_code == 0
    with zipfile.ZipFile(sheet) as parts:
        assert "广州市《关于全面提升" in parts.read("xl/sharedStrings.xml").decode()

    paper = tmp_path / "ledger.pdf"
    assert run(*MARCH, "--city", "440300", "-o", str(paper)).exit_code == 0
    assert paper.read_bytes().startswith(b"%PDF-")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--from", "2026-03-01"), 2),
        (("--from", "March", "--to", "2026-03-31"), 2),
        ((*MARCH, "--city", "北京"), 2),
        ((*MARCH, "-o", "ledger.doc"), 2),
        (("--from", "2026-03-31", "--to", "2026-03-01"), 1),
    ],
)
def test_what_cannot_be_reported_is_refused(
    databases: object, words: tuple[str, ...], code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BANDIAN_DATABASE_URL", databases.sqlite())  # type: ignore[attr-defined]
    monkeypatch.setenv("BANDIAN_KEY_DIR", str(tmp_path / "keys"))
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["report", *words])
    assert done.exit_code == code, done.output
    assert not list(tmp_path.glob("ledger*"))
