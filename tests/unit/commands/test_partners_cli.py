"""``bandian partners …`` as an operator at the machine uses it."""

import asyncio
import copy
import json
import os
import pwd
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import Result
from typer.testing import CliRunner

from adapters.storage.migrate import migrate
from gateway.commands import partners
from tests.support.partners import es256_key, public_jwk
from tests.support.storage import SetClock, opened

KEY = {**public_jwk(es256_key("foshan-1")), "kid": "foshan-1"}
TERMS = {
    "purpose": "grid_connection",
    "grants": [{"kind": "business_licence", "fields": ["name", "valid_on"]}],
    "regions": ["440600"],
    "stages": ["acceptance"],
    "valid_from": "2026-01-01",
    "valid_until": "2030-12-31",
    "clause": "第（七）条",
}
ENTRY = {
    "code": "csg-foshan",
    "name": "佛山供电局",
    "role": "utility",
    "regions": ["440600"],
    "keys": [{"jwk": KEY}],
    "endpoints": [{"channel": "webhook", "url": "https://events.example/hook", "secret_ref": "csg-foshan"}],
    "agreements": [TERMS],
}
Run = Callable[..., Result]


@pytest.fixture
def database(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'cli.sqlite3'}"
    migrate(url)
    return url


@pytest.fixture
def run(tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("BANDIAN_DATABASE_URL", database)
    monkeypatch.setenv("BANDIAN_KEY_DIR", str(tmp_path / "keys"))

    def invoke(*words: str) -> Result:
        done = CliRunner().invoke(partners.app, words)
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done

    return invoke


@pytest.fixture
def roster(tmp_path: Path) -> Callable[..., str]:
    def write(*entries: Any, whole: Any = None) -> str:
        path = tmp_path / "roster.json"
        path.write_text(json.dumps({"partners": entries} if whole is None else whole))
        return str(path)

    return write


def changed(**changes: Any) -> dict[str, Any]:
    return copy.deepcopy(ENTRY) | changes


def recorded(database: str, subject: str, *actions: str) -> list[dict[str, Any]]:
    with opened(database, SetClock()) as transactions:
        rows = asyncio.run(transactions.read(lambda tx: list(tx.record_reader.of_subject(subject, list(actions)))))
        return [orjson.loads(row.leaf) for row in rows]


def test_a_roster_is_applied_once_and_says_what_it_changed(run: Run, roster: Callable[..., str], database: str) -> None:
    first, again = run("apply", roster(ENTRY)), run("apply", roster(ENTRY))
    assert first.exit_code == again.exit_code == 0, first.output
    assert all(words in first.output for words in ("登记单位", "登记密钥 foshan-1", "webhook", "订立协议", "启用协议"))
    assert again.output == "csg-foshan：无变化\n"
    (entry,) = recorded(database, "csg-foshan", "partner.registered")
    assert entry["actor"] == f"cli:{pwd.getpwuid(os.getuid()).pw_name}"


def test_a_roster_renames_and_moves_and_says_so(run: Run, roster: Callable[..., str], database: str) -> None:
    run("apply", roster(ENTRY))
    done = run("apply", roster(changed(name="佛山局", regions=["440600", "440700"])))
    assert done.output == "csg-foshan：更改名称；更改行政区划为 440600,440700\n"
    assert "佛山局" in run("list").output
    assert [entry["facts"]["renamed"] for entry in recorded(database, "csg-foshan", "partner.updated")] == [True, False]


def test_a_role_never_changes(run: Run, roster: Callable[..., str]) -> None:
    run("apply", roster(ENTRY))
    refused = run("apply", roster(changed(role="operator")))
    assert refused.exit_code == 1
    assert "角色不能更改" in refused.output
    assert "\tutility\t" in run("list").output


def test_a_partner_is_registered_wholly_or_not_at_all(run: Run, roster: Callable[..., str]) -> None:
    bad = changed(code="csg-unsound", agreements=[TERMS | {"grants": [{"kind": "licence", "fields": ["name"]}]}])
    done = run("apply", roster(ENTRY | {"keys": []}, bad))
    assert done.exit_code == 1
    assert "business_licence" in done.output
    listed = run("list").output
    assert "csg-foshan" in listed
    assert "csg-unsound" not in listed


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ([], "整个文件"),
        ("text", "整个文件"),
        ({"partners": []}, "partners"),
        ({"partners": [[]]}, "partners[0]"),
        ({"partners": [changed(colour="red")]}, "partners[0].colour 含有未定义的成员"),
        ({"partners": [{"code": "a"}]}, "partners[0].name"),
        ({"partners": [changed(role="king")]}, "partners[0].role"),
        ({"partners": [changed(regions="440600")]}, "partners[0].regions"),
        ({"partners": [changed(keys=[{"jwk": []}])]}, "partners[0].keys[0].jwk"),
        ({"partners": [changed(agreements=[TERMS | {"valid_from": "soon"}])]}, "agreements[0].valid_from"),
    ],
)
def test_a_malformed_roster_is_refused_in_one_sentence(
    run: Run, roster: Callable[..., str], document: Any, words: str
) -> None:
    refused = run("apply", roster(whole=document))
    assert refused.exit_code == 1
    assert refused.output.count("\n") == 1
    assert words in refused.output
    assert "Traceback" not in refused.output


@pytest.mark.parametrize("content", [b"{", b"\xff", b"[1]"])
def test_a_file_that_is_no_key_is_refused_in_one_sentence(run: Run, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "key.jwk"
    path.write_bytes(content)
    refused = run("add-key", "csg-foshan", str(path))
    assert (refused.exit_code, refused.output.count("\n")) == (1, 1)


def test_an_agreement_is_made_from_a_file_and_put_into_force(
    run: Run, roster: Callable[..., str], tmp_path: Path
) -> None:
    run("apply", roster(changed(agreements=[])))
    path = tmp_path / "terms.json"
    path.write_text(json.dumps(TERMS))
    made = run("create-agreement", "csg-foshan", str(path))
    assert made.exit_code == 0, made.output
    (line,) = run("agreements", "csg-foshan").output.splitlines()
    agreement_id, status, *_ = line.split("\t")
    assert status == "draft"
    assert run("activate-agreement", agreement_id).exit_code == 0
    assert "\tactive\t" in run("agreements", "csg-foshan").output
    assert "\tactive\t" in run("agreements", "csg-foshan").output
    assert run("apply", roster(ENTRY)).output == "csg-foshan：无变化\n"


def test_endpoint_name_and_regions_are_set_by_hand(run: Run, roster: Callable[..., str], database: str) -> None:
    run("apply", roster(ENTRY))
    assert run("set-endpoint", "csg-foshan", "webhook", "https://new.example/", "--secret-ref", "new").exit_code == 0
    refused = run("set-endpoint", "csg-foshan", "webhook", "https://new.example/?token=s3cret")
    assert refused.exit_code == 1
    assert "s3cret" not in refused.output
    assert run("update", "csg-foshan", "--region", "440100", "--region", "440300").exit_code == 0
    assert "440100,440300" in run("list").output
    assert run("update", "csg-foshan").exit_code == 1
    assert run("update", "csg-nobody", "--name", "某局").exit_code == 1
    (entry,) = [each for each in recorded(database, "csg-foshan", "partner.updated") if each["result"] == "done"]
    assert entry["facts"] == {"renamed": False, "regions": ["440100", "440300"]}


@pytest.mark.parametrize("command", ["keys", "agreements"])
def test_what_belongs_to_nobody_is_not_an_empty_list(run: Run, command: str) -> None:
    refused = run(command, "csg-nobody")
    assert refused.exit_code == 1
    assert "请核对接入单位代码" in refused.output
