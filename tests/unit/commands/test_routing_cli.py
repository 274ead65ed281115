"""``bandian routing`` says where its answer comes from, where that may be no gateway's."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gateway.cli import app
from gateway.commands import partners


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("BANDIAN_DATABASE_URL", "BANDIAN_SOURCES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("BANDIAN_KEY_DIR", str(tmp_path / "keys"))


def run(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def migrated() -> None:
    (Path.cwd() / "var").mkdir(exist_ok=True)
    assert run("migrate").exit_code == 0


def test_outside_the_gateways_environment_it_says_what_it_did_not_find() -> None:
    migrated()
    answer = run("routing", "440103")
    assert answer.exit_code == 1
    for setting in ("未设置 BANDIAN_DATABASE_URL", "未设置 BANDIAN_SOURCES", "没有为该地登记的审批部门和供电企业"):
        assert setting in answer.stderr
    assert "BANDIAN" not in answer.stdout
    as_json = run("routing", "440103", "--json")
    assert json.loads(as_json.stdout)["region"] == "440103"
    assert "未设置 BANDIAN_DATABASE_URL" in as_json.stderr


def test_it_says_so_before_it_fails_for_a_database_that_is_not_the_gateways() -> None:
    (Path.cwd() / "var").mkdir()
    answer = run("routing", "440103")
    assert answer.exit_code == 1
    assert "未设置 BANDIAN_DATABASE_URL" in answer.stderr
    assert "bandian migrate" in answer.stderr


def test_with_the_gateways_database_it_answers_from_what_is_registered_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BANDIAN_DATABASE_URL", f"sqlite:///{tmp_path / 'gateway.sqlite3'}")
    migrated()
    roster = {"partners": [{"code": "planning-440100", "name": "规划局", "role": "department", "regions": ["440100"]}]}
    Path("roster.json").write_text(json.dumps(roster), "utf-8")
    applied = CliRunner().invoke(partners.app, ["apply", "roster.json"])
    assert applied.exit_code == 0, applied.output
    answer = run("routing", "440103")
    assert "BANDIAN_DATABASE_URL" not in answer.stderr
    assert "未设置 BANDIAN_SOURCES" in answer.stderr
    assert "planning-440100" in answer.stdout
