"""``bandian deliveries …`` as whoever is on call uses it."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from adapters.storage.migrate import migrate
from gateway.commands import deliveries
from gateway.delivery.destinations import untried
from gateway.delivery.ports import AttemptOutcome, ChannelKind, ClaimRoom, DeliveryState, EventDraft, Settlement
from tests.support.storage import AT_REST, NOON, SetClock, opened

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Two dead letters at one utility, one of them of unknown outcome; another utility is disabled."""
    url = f"sqlite:///{tmp_path / 'cli.sqlite3'}"
    migrate(url)
    monkeypatch.setenv("BANDIAN_DATABASE_URL", url)
    monkeypatch.setenv("BANDIAN_KEY_DIR", str(tmp_path / "keys"))
    monkeypatch.setenv("BANDIAN_TRUST_DIR", str(tmp_path / "none"))
    monkeypatch.setattr("gateway.bootstrap.foundation.AtRest", lambda *_: AT_REST)

    def fill(tx: Any) -> None:
        claims = tx.deliveries.claim("relay", NOON, NOON + timedelta(seconds=30), ClaimRoom(9, 9))
        outcome = AttemptOutcome.UNKNOWN
        for claim in claims:
            ended = Settlement(
                claim.event.event_id, 1, NOON, NOON, DeliveryState.DEAD, "webhook.timeout", outcome=outcome
            )
            assert tx.deliveries.settle("relay", ended)
        down = untried("csg-zhuhai").failed(NOON, "webhook.no_answer")
        tx.destinations.put(replace(down, disabled_at=NOON))

    with opened(url, SetClock()) as transactions:
        for name in ("evt_1", "evt_2"):
            draft = EventDraft(name, "csg-foshan", ChannelKind.WEBHOOK, "t", name, NOON, {})
            asyncio.run(transactions.write(lambda tx, d=draft: tx.outbox.append(d)))
        asyncio.run(transactions.write(fill))

    def invoke(*words: str) -> Result:
        done = CliRunner().invoke(deliveries.app, words)
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done

    return invoke


def test_dead_letters_show_why_and_one_can_be_sent_again(run: Run) -> None:
    assert run("dead").output.count("webhook.timeout（对方或已收到）") == 2
    assert run("dead", "--destination", "csg-zhuhai").output == ""
    first = run("dead", "--limit", "1")
    assert first.stdout.startswith("evt_2\t")
    assert first.stderr == "更早的：--before evt_2\n"
    assert run("dead", "--before", "evt_2").stdout.startswith("evt_1\t")
    assert "第 1 次 2026-03-02T04:00:00+00:00 unknown webhook.timeout" in run("show", "evt_1").output
    assert "已重新排队" in run("replay", "evt_1", "--reason", "drill").output
    assert run("dead").output.count("webhook.timeout") == 1
    assert run("list", "--state", "pending").output.startswith("evt_1\t")


def test_everything_since_a_time_is_sent_again_in_pages(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliveries, "REPLAYED_AT_ONCE", 1)
    replay = ("replay-since", "csg-foshan", "2026-03-02T12:00:00+08:00", "--reason", "receiver_lost_data")
    assert [line.split("（")[0] for line in run(*replay).output.splitlines()] == ["已重新排队 1 件", "已重新排队 2 件"]
    assert run(*replay).output == "没有可重放的事件。\n"
    for text in ("2026-03-02", "soon", "2026-03-02T12:00:00", "0001-01-01T00:00:00+08:00"):
        refused = run("replay-since", "csg-foshan", text, "--reason", "drill")
        assert refused.exit_code == 2, text


def test_a_disabled_utility_shows_and_is_enabled(run: Run) -> None:
    listed = run("destinations").output.splitlines()
    assert listed[0].startswith("csg-foshan\t正常\t待送 0\t结果未知 0\t死信 2")
    assert listed[1].startswith("csg-zhuhai\t已停用（2026-03-02T04:00:00+00:00）\t待送 0")
    assert "已启用 csg-zhuhai" in run("enable", "csg-zhuhai", "--reason", "receiver_restored").output
    again = run("enable", "csg-zhuhai", "--reason", "receiver_restored")
    assert (again.exit_code, "delivery.destination_not_disabled" in again.stderr) == (1, True)
