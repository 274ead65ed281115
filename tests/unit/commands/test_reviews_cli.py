"""``bandian reviews …`` as an officer at the machine uses it; a whole settlement is played in the demo's journey."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from adapters.storage.migrate import migrate
from gateway.applications.review_tasks import REVIEW_LIVES, ReviewTask
from gateway.commands import reviews
from gateway.records.entries import RecordEntry
from tests.support.reconciliation import facts, finding, right
from tests.support.storage import SetClock, opened

AT = datetime(2026, 3, 2, 4, tzinfo=UTC)
Run = Callable[..., Result]
WHO = ("--officer", "gd-4407")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """With one task, whose intake is gone: somebody was first."""
    url = f"sqlite:///{tmp_path / 'cli.sqlite3'}"
    migrate(url)
    monkeypatch.setenv("BANDIAN_DATABASE_URL", url)
    monkeypatch.setenv("BANDIAN_KEY_DIR", str(tmp_path / "keys"))
    monkeypatch.setenv("BANDIAN_TRUST_DIR", str(tmp_path / "none"))
    unsure = finding(facts(certificates={"property_certificate": right("示例有限公司")}), "holder")

    def add(tx):
        record_id = tx.records.append(RecordEntry("review.opened", AT, "applicant", "rev_1"))
        task = ReviewTask("rev_1", "int_1", "d" * 64, "440106", "lv_zero", AT, AT + REVIEW_LIVES, (unsure,), record_id)
        tx.reviews.add(task)

    with opened(url, SetClock(AT)) as transactions:
        asyncio.run(transactions.write(add))

    def invoke(*words: str) -> Result:
        done = CliRunner().invoke(reviews.app, words)
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done

    return invoke


def test_the_list_says_which_and_why_and_nobody(run: Run) -> None:
    for options in ((), ("--state", "open")):
        listed = run("list", *options)
        assert listed.exit_code == 0
        assert listed.output.startswith("rev_1\topen\t440106\t")
        assert listed.output.rstrip().endswith("holder:name_differs")
        assert "示例" not in listed.output
    assert run("list", "--state", "accepted").output == ""


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("settle", "rev_1", "accepted", *WHO, "--reason", "已核实"), "--no-interest"),
        (("settle", "rev_1", "accepted", *WHO, "--reason", " ", "--no-interest"), "--reason"),
        (("settle", "rev_1", "expired", *WHO, "--reason", "已核实", "--no-interest"), "accepted 或 rejected"),
        (
            ("settle", "rev_1", "accepted", "--officer", "11010519491231002X", "--reason", "已核实", "--no-interest"),
            "工作人员编号",
        ),
        (("show", "rev_1", "--officer", "110105491231002"), "工作人员编号"),
        (("show", "rev_2", *WHO), "没有这项核查任务"),
        (("show", "rev_1", *WHO), "已办结"),
        (("settle", "rev_1", "rejected", *WHO, "--reason", "已核实", "--no-interest"), "已办结"),
    ],
)
def test_what_cannot_be_is_said_in_one_sentence(run: Run, words: tuple[str, ...], says: str) -> None:
    done = run(*words)
    assert done.exit_code == 1
    assert says in done.output
    assert len(done.output.strip().splitlines()) == 1
    assert "11010519491231002X" not in done.output
