"""``python -m tests.simulation --seed N --applications N`` (``make simulate``): histories one after the other.

A history has at most ``--episode`` applications; more of them are more histories, with the seeds that follow. The last
lines are the figures. Where an invariant does not hold it says so, with what happened before and how to see it again,
and ends with 1.
"""

import argparse
import json
import os
import secrets
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from tests.simulation.histories import episodes, live_through_all

MOST_SEEDS = 1 << 32


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, help="of the first history; a fresh one is drawn and printed by default")
    parser.add_argument("--applications", type=int, default=1000)
    parser.add_argument("--episode", type=int, default=100, help="applications of one history at most")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--history", type=Path, help="a folder that gets every history as text")
    parser.add_argument("--report", type=Path, help="a JSON file that gets the figures")
    given = parser.parse_args()
    seed = secrets.randbelow(MOST_SEEDS) if given.seed is None else given.seed
    print(f"seed {seed}, {given.applications} applications, {given.processes} process(es)", flush=True)
    began, reports = time.perf_counter(), []
    for report in live_through_all(episodes(seed, given.applications, given.episode), given.processes, given.history):
        reports.append(report)
        _tell(report)
        if report["violated"]:
            break
    figures = _figures(reports, time.perf_counter() - began)
    print(json.dumps(figures, ensure_ascii=False, indent=1))
    if given.report:
        given.report.write_text(json.dumps({**figures, "histories": reports}, ensure_ascii=False, indent=1), "utf-8")
    return 1 if any(report["violated"] for report in reports) else 0


def _tell(report: dict[str, Any]) -> None:
    seed, applications = report["seed"], report["applications"]
    if not report["violated"]:
        print(
            f"seed {seed}: {applications} applications, {report['steps']} steps, {report['virtual_days']:.0f} days, "
            f"{report['seconds']:.0f} s, {report['digest'][:16]}",
            flush=True,
        )
        return
    print("\n".join(report["tail"]))
    print(f"seed {seed}, step {report['steps']}: {report['violated']}")
    again = f"python -m tests.simulation --seed {seed} --applications {applications} --episode {applications}"
    print(f"again: {again}", file=sys.stderr)


def _figures(reports: list[dict[str, Any]], seconds: float) -> dict[str, Any]:
    counts: Counter[str] = sum((Counter(each["counts"]) for each in reports), Counter())
    faults: Counter[str] = sum((Counter(each["faults"]) for each in reports), Counter())
    applications = sum(each["applications"] for each in reports)
    cpu_seconds = sum(each["cpu_seconds"] for each in reports)
    return {
        "histories": len(reports),
        "applications": applications,
        "seconds": round(seconds, 1),
        "applications_per_second": round(applications / seconds, 2),
        "cpu_seconds": round(cpu_seconds, 1),
        "applications_per_cpu_second": round(applications / cpu_seconds, 2),
        "cores": os.cpu_count(),
        "steps": sum(each["steps"] for each in reports),
        "virtual_days": round(sum(each["virtual_days"] for each in reports)),
        "counts": dict(sorted(counts.items())),
        "faults": dict(sorted(faults.items())),
        "violated": [f"seed {each['seed']}: {each['violated']}" for each in reports if each["violated"]],
    }


if __name__ == "__main__":
    sys.exit(main())
