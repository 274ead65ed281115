"""What the deadline watch costs with a province's open applications: ``python -m tests.bench.deadlines [how many]``.

For each database: the pass after a change of the rules, at which each application is opened once; the passes after it,
ten minutes apart; and the first of a day, when the deadlines of that day turn. Memory is the process's peak (Linux).
"""

import asyncio
import resource
import sys
import tempfile
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from adapters.storage.unit_of_work import SqlUnitOfWork
from gateway.applications.lifecycle import Lifecycle, StageAction, StageEvent, apply
from gateway.applications.model import GridConnectionApplication
from gateway.applications.rule_book import RuleBook
from gateway.applications.stages import Stage
from gateway.notices.watching import DeadlineWatch
from tests.support.approvals import A_PARTY, a_small_application
from tests.support.databases import Databases
from tests.support.storage import NOON, SetClock, opened

IN_ONE = 500


def an_application(number: int) -> GridConnectionApplication:
    """Its acceptance is due some day of some weeks; the clock of every second one stands still."""
    received = NOON + timedelta(minutes=number % (20 * 1440))
    made = a_small_application(f"app_{number:06}", received_at=received)
    lifecycle = Lifecycle(made.derivation.customer_class, received)
    steps = [(StageAction.STARTED, None), (StageAction.PAUSED, "待用户确认")][: 1 + number % 2]
    for minutes, (action, reason) in enumerate(steps, 1):
        at = received + timedelta(minutes=minutes)
        lifecycle = apply(lifecycle, StageEvent(action, at, Stage.ACCEPTANCE, reason), at)
    return replace(made, lifecycle=lifecycle)


async def measure(name: str, url: str, many: int) -> None:
    clock = SetClock()
    with opened(url, clock) as transactions:
        for first in range(0, many, IN_ONE):
            await transactions.write(lambda tx, first=first: _fill(tx, range(first, min(first + IN_ONE, many))))
        clock.advance(days=20)
        filled = _peak_mb()
        watch = DeadlineWatch(transactions, RuleBook, clock, 1)
        print(f"{name}: {many} open, peak {filled} MB before any pass")
        await _report(name, "the first, everything opened", watch)
        idle = []
        for _ in range(20):
            clock.advance(minutes=10)
            idle.append(await _seconds(watch))
        print(f"{name}: ten minutes later, median of 20: {1000 * sorted(s for s, _ in idle)[10]:.1f} ms")
        clock.advance(days=1)
        await _report(name, "the first of the next day", watch)
    print(f"{name}: peak {_peak_mb()} MB")


def _fill(tx: SqlUnitOfWork, numbers: range) -> None:
    for number in numbers:
        tx.applications.add(an_application(number), A_PARTY)


async def _seconds(watch: DeadlineWatch) -> tuple[float, int]:
    began = time.perf_counter()
    made = await watch.pass_once()
    return time.perf_counter() - began, made


async def _report(name: str, which: str, watch: DeadlineWatch) -> None:
    seconds, made = await _seconds(watch)
    print(f"{name}: {which}: {seconds:.2f} s, {made} notices", flush=True)


def _peak_mb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def main() -> None:
    many = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory() as directory:
        databases = Databases(Path(directory))
        asyncio.run(measure("sqlite", databases.sqlite(), many))
        with databases.postgresql() as url:
            asyncio.run(measure("postgresql", url, many))
        databases.close()


if __name__ == "__main__":
    main()
