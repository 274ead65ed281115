"""The benchmark's short forms: real processes, every answer recorded, the record whole. No time is judged."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.databases import Databases

PATHS = ("1b", "1c", "1d", "2", "3", "4")
FIGURES = ("gateway_per_cpu_s", "limit_per_cpu_s", "gateway_per_s", "limit_per_s", "p50_ms", "p99_ms", "resident_mb")


def _bench(*arguments: str) -> str:
    """What the command printed."""
    ended = subprocess.run(
        [sys.executable, "-m", "tests.bench", *arguments],
        cwd=Path(__file__).parents[2],
        env={**os.environ},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    print(ended.stdout)
    return ended.stdout


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_each_path_is_measured_against_its_limit_and_audited(
    database: str, tmp_path: Path, databases: Databases
) -> None:
    if database == "postgresql":
        with databases.empty_postgresql():  # skips where no server answers
            pass
    out = tmp_path / "bench.json"
    command = ["paths", "--database", database, "--pairs", "2", "--slice", "0.02", "--connections", "4"]
    command += ["--closed", "--forked", "--applications", "3", "--out", str(out)]
    for path in PATHS:
        command += ["--path", path]
    printed = _bench(*command)
    told = json.loads(out.read_text("utf-8"))
    for path in PATHS:
        (figures,) = told[path]
        assert (figures["database"], figures["connections"]) == (database, 4)
        assert 0 < figures["low"] <= figures["ratio"] <= figures["high"]
        assert min(figures[name] for name in FIGURES) > 0
        assert f"| {path} | {database} | 4 |" in printed
    assert told["machine"]["databases"]["sqlite"]["fsyncs_per_s"] > 0
    assert "as many receipts, each once and in order" in printed
    assert "the record is whole" in printed


@pytest.mark.parametrize(
    ("database", "paths"), [("sqlite", ["1a", "2"]), ("postgresql", ["1d", "2"])], ids=["sqlite", "postgresql"]
)
def test_two_checkouts_answer_by_turns(database: str, paths: list[str], databases: Databases) -> None:
    """This one against itself: every answer of both is recorded, or the command fails."""
    if database == "postgresql":
        with databases.empty_postgresql():  # skips where no server answers
            pass
    command = ["turns", "--database", database, "--rounds", "2", "--lot", "16", "--connections", "4"]
    command += ["--forked", "--applications", "3"]
    for path in paths:
        command += ["--path", path]
    printed = _bench(*command)
    told = [line for line in printed.splitlines() if "over 2 rounds" in line]
    assert [line.partition(",")[0] for line in told] == [f"{database}: {path}" for path in paths]
