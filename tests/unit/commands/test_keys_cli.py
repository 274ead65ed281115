"""``bandian keys …`` and ``bandian retention …`` as an operator at the machine uses them."""

import asyncio
import json
import os
import re
import sqlite3
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from adapters.storage.migrate import migrate
from gateway.applications.lifecycle import StageAction, StageEvent, apply
from gateway.bootstrap.foundation import lay_foundation
from gateway.clock import date_in_china, system_clock
from gateway.commands import keys, retention
from gateway.settings import load_settings
from tests.support.approvals import A_PARTY, an_application

Run = Callable[..., Result]
PRODUCTION = {
    "BANDIAN_MODE": "production",
    "BANDIAN_PUBLIC_URL": "https://bandian.example",
    "BANDIAN_AT_REST_KEYS": "env:THE_KEY",
    "THE_KEY": "ab" * 32,
}


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Variables of a gateway over a migrated database, set for the command too."""
    url = f"sqlite:///{tmp_path / 'cli.sqlite3'}"
    migrate(url)
    variables = {
        "BANDIAN_DATABASE_URL": url,
        "BANDIAN_KEY_DIR": str(tmp_path / "keys"),
        "BANDIAN_TRUST_DIR": str(tmp_path / "trust"),
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return variables


@pytest.fixture
def run(environment: dict[str, str]) -> Run:
    def invoke(*words: str, app: typer.Typer = keys.app) -> Result:
        done = CliRunner().invoke(app, words)
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done

    return invoke


def on_foundation(environment: dict[str, str], work: Callable[[Any], Any]) -> Any:
    """``work`` in one write, with the gateway's own keys."""
    foundation = lay_foundation(load_settings(environment))
    try:
        return asyncio.run(foundation.transactions.write(work))
    finally:
        foundation.close()


def add(number: int = 1) -> Callable[[Any], Any]:
    return lambda tx: tx.applications.add(an_application(f"app_{number}"), A_PARTY)


def data_keys(run: Run, *options: str) -> list[list[str]]:
    lines = [line.split("\t") for line in run("list", *options).output.splitlines()]
    return [line[1:] for line in lines if line[0] == "数据"]


def recorded(environment: dict[str, str], action: str) -> list[dict[str, Any]]:
    def read(tx: Any) -> list[dict[str, Any]]:
        leaves = [e.leaf for log in tx.record_reader.log_ids() for e in tx.record_reader.entries(log)]
        return [entry for leaf in leaves if (entry := orjson.loads(leaf))["action"] == action]

    return list(on_foundation(environment, read))


def settled(environment: dict[str, str]) -> None:
    """Let the files of data keys look as if they had been there for an hour."""
    for path in (Path(environment["BANDIAN_KEY_DIR"]) / "at-rest").glob("*.key"):
        os.utime(path, (time.time() - 3600,) * 2)


def test_production_starts_with_init_and_never_without(
    run: Run, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in PRODUCTION.items():
        monkeypatch.setenv(name, value)
    refused = run("list")
    assert refused.exit_code == 1
    made = run("init")
    assert made.exit_code == 0, made.output
    assert "备份" in made.output
    (first,) = data_keys(run)
    assert first[2] == "正在使用"
    assert run("init").exit_code == 0
    assert data_keys(run) == [first], "what is there is left alone"
    files = [path for path in Path(environment["BANDIAN_KEY_DIR"]).rglob("*") if path.is_file()]
    assert not [path for path in files if PRODUCTION["THE_KEY"] in path.read_text()], "the wrapping key is on no disk"
    assert not [path for path in files if path.stat().st_mode & 0o077]


def test_a_wrapping_key_that_is_gone_is_told_in_one_sentence(run: Run, environment: dict[str, str]) -> None:
    run("init")
    (Path(environment["BANDIAN_KEY_DIR"]) / "at-rest" / "master.key").write_text("ab" * 32)
    done = run("list")
    assert (done.exit_code, done.output.count("\n")) == (1, 1)
    assert "BANDIAN_AT_REST_KEYS" in done.output


def test_a_key_goes_from_new_to_old_to_retired(run: Run, environment: dict[str, str]) -> None:
    run("init")
    on_foundation(environment, add(1))
    ((old, *_),) = data_keys(run)
    rotated = run("rotate")
    assert rotated.exit_code == 0, rotated.output
    ((new, _, state), (_, _, before)) = data_keys(run)
    assert (state, before) == ("正在使用", "仅用于解密")
    on_foundation(environment, add(2))
    assert on_foundation(environment, lambda tx: tx.applications.party("app_1")) == A_PARTY

    settled(environment)
    assert [line[3] for line in data_keys(run, "--rows")] == ["3 个值", "3 个值"]
    refused = run("retire", old)
    assert refused.exit_code == 1
    assert "仍有 3 个值" in refused.output

    assert "application_parties\t1 行" in run("reseal").output
    assert [line[3] for line in data_keys(run, "--rows")] == ["6 个值", "0 个值"]
    assert run("retire", new).exit_code == 1
    assert run("retire", "ffffffff").exit_code == 1
    assert run("retire", old).exit_code == 0
    assert [line[0] for line in data_keys(run)] == [new]
    for number in (1, 2):
        assert on_foundation(environment, lambda tx, n=number: tx.applications.party(f"app_{n}")) == A_PARTY

    assert [entry["facts"]["key"] for entry in recorded(environment, "data_key.added")] == [new]
    assert [entry["facts"]["key"] for entry in recorded(environment, "data_key.retired")] == [old]
    (resealed,) = recorded(environment, "storage.resealed")
    assert resealed["facts"]["rows"] == ["applications:1", "application_parties:1"]


def test_a_key_whose_successor_is_new_may_still_be_in_use(run: Run) -> None:
    run("init")
    ((old, *_),) = data_keys(run)
    run("rotate")
    refused = run("retire", old)
    assert refused.exit_code == 1
    assert "五分钟" in refused.output


def test_a_key_ahead_of_its_day_waits_for_it(run: Run, environment: dict[str, str]) -> None:
    run("init")
    tomorrow = date_in_china(system_clock()) + timedelta(days=1)
    assert run("rotate", "--from", tomorrow.isoformat()).exit_code == 0
    ((_, day, ahead), (_, _, current)) = data_keys(run)
    assert (day, ahead, current) == (tomorrow.isoformat(), "尚未起用", "正在使用")
    refused = run("rotate", "--from", (tomorrow - timedelta(days=2)).isoformat())
    assert refused.exit_code == 1
    assert "不能早于今天" in refused.output


def test_the_wrapping_key_is_changed_without_touching_what_it_wraps(run: Run, environment: dict[str, str]) -> None:
    run("init")
    on_foundation(environment, add(1))
    master = Path(environment["BANDIAN_KEY_DIR"]) / "at-rest" / "master.key"
    old = master.read_text().strip()
    master.write_text(f"{'cd' * 32}\n{old}\n")
    assert run("rewrap").exit_code == 0
    master.write_text("cd" * 32 + "\n")
    assert on_foundation(environment, lambda tx: tx.applications.party("app_1")) == A_PARTY
    master.write_text(old + "\n")
    assert run("list").exit_code == 1


def test_a_lost_data_key_is_named_with_what_it_sealed(run: Run, environment: dict[str, str]) -> None:
    run("init")
    on_foundation(environment, add(1))
    ((lost, *_),) = data_keys(run)
    run("rotate")
    (Path(environment["BANDIAN_KEY_DIR"]) / "at-rest").joinpath(
        f"data-{date_in_china(system_clock()):%Y%m%d}.key"
    ).unlink()
    listed = data_keys(run, "--rows")
    assert [lost, "—", "不在本机", "3 个值"] in listed
    failed = run("reseal")
    assert failed.exit_code == 1
    assert lost in failed.output
    assert "at_rest.key_unknown" in failed.output


def test_what_cannot_be_opened_is_named_and_keeps_no_other_value_under_the_old_key(
    run: Run, environment: dict[str, str]
) -> None:
    run("init")
    for number in (1, 2, 3):
        on_foundation(environment, add(number))
    with sqlite3.connect(environment["BANDIAN_DATABASE_URL"].split(":///")[1]) as database:
        swapped = "UPDATE applications SET demand = lifecycle WHERE application_id = 'app_1'"
        assert database.execute(swapped).rowcount == 1
    run("rotate")
    done = run("reseal")
    assert done.exit_code == 1
    assert "applications\tapp_1\tat_rest.tampered" in done.output
    assert [line[3] for line in data_keys(run, "--rows")] == ["8 个值", "1 个值"]
    (entry,) = recorded(environment, "storage.resealed")
    assert entry["facts"]["unreadable"] == ["applications:at_rest.tampered"]


def test_no_other_wrapping_key_is_made_where_data_keys_need_the_lost_one(run: Run, environment: dict[str, str]) -> None:
    run("init")
    master = Path(environment["BANDIAN_KEY_DIR"]) / "at-rest" / "master.key"
    master.unlink()
    for command in (("init",), ("list",)):
        refused = run(*command)
        assert refused.exit_code == 1
        assert "There is no wrapping key" in refused.output
        assert not master.exists()


def test_sm4_by_setting_reseals_what_aes_sealed(
    run: Run, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run("init")
    on_foundation(environment, add(1))
    monkeypatch.setenv("BANDIAN_AT_REST_ALGORITHM", "sm4-gcm")
    assert "application_parties\t1 行" in run("reseal", "--sweep").output
    (entry,) = recorded(environment, "storage.resealed")
    assert entry["facts"]["algorithm"] == "sm4-gcm"


def test_no_key_is_ever_printed(run: Run, environment: dict[str, str]) -> None:
    said = "".join(run(*words).output for words in (["init"], ["list"], ["rotate"], ["list", "--rows"], ["rewrap"]))
    assert not re.search(r"[0-9a-f]{32}", said)


def test_retention_is_shown_and_tried_before_it_is_run(run: Run, environment: dict[str, str]) -> None:
    run("init")
    on_foundation(environment, add(1))
    shown = run("show", app=retention.app).output
    policies = {line.split("\t")[0]: line for line in shown.splitlines()}
    assert "180 天" in policies["parties"]
    assert "第四十七条" in policies["withdrawn_parties"]
    assert "copies:business_licence" in policies
    assert all(line.endswith("到期 0") for line in policies.values())
    assert run("run", "--dry-run", app=retention.app).output == shown
    assert run("run", app=retention.app).output == "共删除 0 项。\n"


def test_what_is_over_goes_with_the_command_and_its_name_is_in_the_record(
    run: Run, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run("init")
    application = an_application()

    def close(tx: Any) -> None:
        tx.applications.add(application, A_PARTY)
        at = application.received_at + timedelta(days=1)
        tx.applications.put_lifecycle("app_1", apply(application.lifecycle, StageEvent(StageAction.WITHDRAWN, at), at))

    on_foundation(environment, close)
    monkeypatch.setenv("BANDIAN_RETENTION", json.dumps({"withdrawn_parties_days": 1}))
    assert "到期 1" in run("run", "--dry-run", app=retention.app).output
    assert on_foundation(environment, lambda tx: tx.applications.party("app_1")) == A_PARTY
    assert "withdrawn_parties\t1" in run("run", app=retention.app).output
    assert on_foundation(environment, lambda tx: tx.applications.party("app_1")) is None
    (entry,) = recorded(environment, "retention.purged")
    assert entry["actor"].startswith("cli:")
    assert entry["facts"]["policy"] == "withdrawn_parties"
