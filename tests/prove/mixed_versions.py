"""``python -m tests.prove.mixed_versions``: today's code takes over from an older release, beside it and under load.

The older release is taken from the repository's history (``--older REV``) and runs as it was, on a database that it
made itself. Today's ``bandian migrate`` changes that database while the older release serves. Then, on PostgreSQL,
both serve it at once; on SQLite one after the other. The older one is gone back to, and left for good. What was
acknowledged is counted afterwards by the checker of the proof, and the record audited by both.

Exits 1 where anything was lost, doubled, out of order, not recorded, or not served by whom it should have been.
"""

import argparse
import asyncio
import secrets
import signal
import sys
from collections.abc import Callable

from adapters.storage.schema_version import SERVES_FROM, newest
from tests.prove import checker
from tests.prove.machine import Skipped
from tests.prove.older import OlderRelease, Unfit, full_name, named
from tests.prove.postgres import server_programs
from tests.prove.run import workplace
from tests.prove.system import DatabaseKind
from tests.prove.takeover import NEWER, OLDER, Plan, Result, Stuck, Takeover


def table(result: Result) -> str:
    """Markdown: what each stage saw, then what was counted afterwards."""
    columns = ("applications", "outcomes", "answered by older", "by newer", "delivered by older", "by newer", "s")
    lines = [f"| {result.plan.database} | {' | '.join(columns)} |", f"| --- |{' ---: |' * len(columns)}"]
    for stage in result.stages:
        numbers = [stage.applications, stage.outcomes]
        numbers += [counts[release] for counts in (stage.answered, stage.delivered) for release in (OLDER, NEWER)]
        lines.append(f"| {stage.name} | {' | '.join(map(str, [*numbers, round(stage.seconds)]))} |")
    counts = result.report.counts
    told = [f"{counts[name]} {name.replace('_', ' ')}" for name in ("outcomes", "events", *checker.FAULTS)]
    told.append(f"a record of {counts['record_entries']} entries {'' if result.report.record_intact else 'NOT '}intact")
    told.append(f"`bandian migrate` in {result.migrated_in_s:.1f} s")
    told += [f"{times} journeys begun anew: {why}" for why, times in result.begun_anew.items()]
    return "\n".join([*lines, "", ", ".join(told)])


async def drill(
    plans: list[Plan], revision: str, say: Callable[[str], None], *, own_environment: bool = False, keep: bool = False
) -> list[Result]:
    """All ``plans`` at the same time. Raises ``Stuck``, and ``Unfit`` for what cannot serve beside today's code."""
    async with workplace(say, keep=keep) as (root, launcher, _), OlderRelease(revision, root / "older") as older:
        await older.extract(own_environment=own_environment)
        if not older.serves_beside or not SERVES_FROM <= older.schema < newest():
            asks = "asks" if older.serves_beside else "does not ask"
            raise Unfit(
                f"its schema is {older.schema}, and it {asks} whether it may work on a later one; "
                f"today's is {newest()}, and serves code from {SERVES_FROM} on"
            )
        say(f"{revision[:12]} (schema {older.schema}) beside today's code (schema {newest()})")
        if not own_environment and not older.same_locks():
            say("its locks pin other packages: it runs in today's environment")
        takeovers = [Takeover(plan, older, launcher, root / plan.database, say).run() for plan in plans]
        runs = await asyncio.gather(*takeovers, return_exceptions=True)
    for run in runs:
        if isinstance(run, BaseException):
            raise run
    return [run for run in runs if isinstance(run, Result)]


def main() -> None:
    """Read the command line, drill, print."""
    parser = argparse.ArgumentParser(prog="python -m tests.prove.mixed_versions", description=__doc__)
    parser.add_argument(
        "--older", metavar="REV", help="any name git has for it; what older_release.txt names, if left out"
    )
    parser.add_argument("--outcomes", type=int, default=300, help="in each stage, for each database")
    parser.add_argument("--seed", type=int, default=None, help="a fresh one, printed, if left out")
    parser.add_argument("--database", choices=[kind.value for kind in DatabaseKind], help="both at once if left out")
    parser.add_argument("--own-environment", action="store_true", help="install what the older release's locks pin")
    parser.add_argument("--keep", action="store_true", help="leave logs, databases and its files where they are")
    options = parser.parse_args()
    seed = secrets.randbelow(10**9) if options.seed is None else options.seed
    kinds = [DatabaseKind(options.database)] if options.database else list(DatabaseKind)
    print(f"seed {seed}", flush=True)
    signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGINT))
    try:
        if DatabaseKind.POSTGRESQL in kinds:
            server_programs()
        revision = full_name(options.older or named())
        plans = [Plan(kind, options.outcomes, seed) for kind in kinds]
        results = asyncio.run(drill(plans, revision, _say, own_environment=options.own_environment, keep=options.keep))
    except (Unfit, Skipped, Stuck) as reason:
        sys.exit(str(reason))
    for result in results:
        print(f"\n{table(result)}")
        for finding in [*result.wrong, *result.report.findings[:20]]:
            print(f"{result.plan.database}: {finding}")
    sys.exit(0 if all(result.holds for result in results) else 1)


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    main()
