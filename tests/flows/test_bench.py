"""The benchmark's short form: real processes, every answer recorded, the record whole. No time is judged."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.databases import Databases


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_a_path_is_measured_against_its_limit_and_audited(database: str, tmp_path: Path, databases: Databases) -> None:
    if database == "postgresql":
        with databases.empty_postgresql():  # skips where no server answers
            pass
    out = tmp_path / "bench.json"
    command = [
        "paths",
        "--path",
        "1b",
        "--path",
        "2",
        "--database",
        database,
        "--pairs",
        "2",
        "--slice",
        "0.1",
        "--connections",
        "8",
        "--applications",
        "6",
    ]
    ended = subprocess.run(
        [sys.executable, "-m", "tests.bench", *command, "--out", str(out)],
        cwd=Path(__file__).parents[2],
        env={**os.environ},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    print(ended.stdout)
    told = json.loads(out.read_text("utf-8"))
    assert set(told) == {"1b", "2"}
    for (figures,) in told.values():
        assert figures["database"] == database
        assert 0 < figures["low"] <= figures["ratio"] <= figures["high"]
        assert min(figures["gateway_per_cpu_s"], figures["limit_per_cpu_s"], figures["resident_mb"]) > 0
    assert "as many receipts, each once and in order" in ended.stdout
    assert "the record is whole" in ended.stdout
