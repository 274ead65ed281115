"""``python -m tests.prove`` (``make prove``): kill everything everywhere, and count what is left.

Prints a table and writes ``build/prove.json``. Exits 1 where anything was lost, doubled, out of order, or not recorded.
"""

import argparse
import asyncio
import json
import secrets
import signal
import sys
from pathlib import Path

from tests.prove.machine import Skipped, description
from tests.prove.postgres import server_programs
from tests.prove.report import publish, table
from tests.prove.run import Plan, Result, as_json, prove, workplace
from tests.prove.system import DatabaseKind

OUT = Path(__file__).parents[2] / "build" / "prove.json"


def main() -> None:
    """Read the command line, prove, print, write."""
    parser = argparse.ArgumentParser(prog="python -m tests.prove", description=__doc__)
    parser.add_argument("--outcomes", type=int, default=10_000, help="of departments, for each database")
    parser.add_argument("--kills", type=int, default=500, help="for each database")
    parser.add_argument("--seed", type=int, default=None, help="a fresh one, printed, if left out")
    parser.add_argument("--database", choices=[kind.value for kind in DatabaseKind], help="both if left out")
    parser.add_argument("--minutes", type=float, default=60.0, help="bound of the load, for each database")
    parser.add_argument("--together", action="store_true", help="both databases at the same time")
    parser.add_argument("--publish", action="store_true", help="write the table into docs/reliability.md")
    parser.add_argument("--keep", action="store_true", help="leave logs and databases where they are")
    options = parser.parse_args()
    seed = secrets.randbelow(10**9) if options.seed is None else options.seed
    kinds = [DatabaseKind(options.database)] if options.database else list(DatabaseKind)
    print(f"seed {seed}", flush=True)
    signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGINT))
    plans = [Plan(kind, options.outcomes, options.kills, seed, options.minutes) for kind in kinds]
    results = asyncio.run(_all(plans, keep=options.keep, together=options.together))
    print(table(results))
    OUT.parent.mkdir(exist_ok=True)
    written = {"machine": description(), "databases": {result.plan.database: as_json(result) for result in results}}
    OUT.write_text(json.dumps(written, ensure_ascii=False, indent=2) + "\n", "utf-8")
    if options.publish:
        more = f" --together --minutes {options.minutes:g}" if options.together else ""
        publish(results, f'make prove ARGS="--outcomes {options.outcomes} --kills {options.kills} --seed {seed}{more}"')
    for result in results:
        for finding in result.report.findings[:20]:
            print(f"{result.plan.database}: {finding}")
    sys.exit(0 if results and all(result.holds for result in results) else 1)


async def _all(plans: list[Plan], *, keep: bool, together: bool) -> list[Result]:
    found: list[Result | None] = []
    if together:
        found += await asyncio.gather(*(_one(plan, keep=keep) for plan in plans))
    else:
        found += [await _one(plan, keep=keep) for plan in plans]
    return [result for result in found if result is not None]


async def _one(plan: Plan, *, keep: bool) -> Result | None:
    if plan.database is DatabaseKind.POSTGRESQL:
        try:
            server_programs()
        except Skipped as reason:
            _say(f"skipped: {reason}")
            return None
    async with workplace(_say, keep=keep) as (root, launcher, shim):
        return await prove(plan, _say, launcher, shim, root)


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    main()
