"""Histories of the simulated province: a fresh one each time, those that were wrong once, and one told twice."""

import os
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.__main__ import MOST_SEEDS
from tests.simulation.histories import episodes
from tests.simulation.simulation import simulate

pytestmark = pytest.mark.timeout(600)
FRESH_APPLICATIONS = 10
SEEDS = Path(__file__).with_name("seeds.txt")


def regressions() -> list[tuple[int, int]]:
    lines = [line.split("#")[0].split() for line in SEEDS.read_text("utf-8").splitlines()]
    return [(int(line[0]), int(line[1])) for line in lines if line]


def holds(seed: int, applications: int) -> None:
    report = simulate(seed, applications)
    again = f"python -m tests.simulation --seed {seed} --applications {applications} --episode {applications}"
    told = "\n".join([*report.tail, f"step {report.steps}: {report.violated}", f"again: {again}"])
    assert report.violated is None, told
    assert report.counts["applications"] > 0
    assert report.counts["outcomes"] + report.counts["disclosures"] > 0


def test_a_fresh_history_holds() -> None:
    seed = secrets.randbelow(MOST_SEEDS)
    print(f"seed {seed}")
    holds(seed, FRESH_APPLICATIONS)


@pytest.mark.parametrize(("seed", "applications"), regressions())
def test_histories_that_were_wrong_once_hold(seed: int, applications: int) -> None:
    holds(seed, applications)


def test_a_seed_is_a_history_byte_for_byte(tmp_path: Path) -> None:
    """In another process, with other hashes, other keys and other ids of writers; alone, and beside other histories."""
    told = []
    for hashes, processes in (("1", "1"), ("2", "2")):
        folder = tmp_path / hashes
        size = ["--seed", "7", "--applications", str(3 * int(processes)), "--episode", "3", "--processes", processes]
        command = [sys.executable, "-m", "tests.simulation", *size, "--history", str(folder)]
        environment = {**os.environ, "PYTHONHASHSEED": hashes}
        subprocess.run(command, check=True, capture_output=True, env=environment, timeout=300)
        told.append((folder / "7-3.txt").read_bytes())
    assert told[0] == told[1]
    assert len(told[0].splitlines()) > 50


def test_many_applications_are_histories_of_seeds_that_follow() -> None:
    assert episodes(40, 1100, 500) == [(40, 500), (41, 500), (42, 100)]
