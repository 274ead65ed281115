"""One run: bring the system up, load and kill it, let it come to rest, and have it checked."""

import asyncio
import contextlib
import json
import math
import os
import random
import shutil
import sqlite3
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mock_services.demo.roster import UTILITY
from tests.prove import applicants, checker
from tests.prove.chaos import PACES, Chaos, Pace, Tally
from tests.prove.counting import Acknowledged, allow, evidence_of, undelivered_events
from tests.prove.machine import Skipped, compile_shim, small_disk
from tests.prove.system import DatabaseKind, Layout, System
from tests.support.launched import Launcher

DEPARTMENTS = len(applicants.PERMITS)
SPARE = 2
"""A permit may have so many times the outcomes planned for it, where applications are slow to come."""


@dataclass(frozen=True)
class Plan:
    """How much of everything. ``minutes`` bounds the load, ``quiet_s`` the rest after it.

    ``under_fire`` is the share of the outcomes that have to be acknowledged before the killing may end. Whether
    gateways deliver too goes by the seed: on the one database they do, on the other workers alone.
    """

    database: DatabaseKind
    outcomes: int
    kills: int
    seed: int
    minutes: float
    quiet_s: float = 600.0
    residents: int = 2000
    of_a_permit: int = 12
    under_fire: float = 1.0
    pace: Pace | None = None

    @property
    def embedded(self) -> bool:
        """Whether gateways deliver beside the workers."""
        return (self.seed % 2 == 0) == (self.database is DatabaseKind.SQLITE)

    @property
    def applications(self) -> int:
        """As many as it takes for that many outcomes, and one to spare."""
        return math.ceil(self.outcomes / (DEPARTMENTS * self.of_a_permit)) + 1

    @property
    def applications_at_first(self) -> int:
        """Made in peace, so that there is work from the first kill on."""
        return min(self.applications, 2 + self.applications // 3)


@dataclass
class Result:
    """What a run showed; ``report`` is the checker's."""

    plan: Plan
    tally: Tally
    report: checker.Report
    audit_code: int
    audit_said: str
    undelivered: int
    load_s: float
    quiet_s: float
    skipped: list[str]
    versions: dict[str, str]
    failures: dict[str, int]

    @property
    def record_intact(self) -> bool:
        """By the checker's own arithmetic and by ``bandian audit``."""
        return self.report.record_intact and self.audit_code == 0

    @property
    def holds(self) -> bool:
        """Whether everything that was promised was kept."""
        return self.report.sound and self.record_intact and self.undelivered == 0


async def prove(plan: Plan, say: Callable[[str], None], launcher: Launcher, shim: Path | None, root: Path) -> Result:
    """Run ``plan`` with what lies under ``root``, a directory that every user may enter."""
    skipped: list[str] = [] if shim else ["fsync errors: no shim"]
    with contextlib.ExitStack() as stack:
        disk = None
        try:
            disk = stack.enter_context(small_disk(root / "disk"))
        except Skipped as reason:
            skipped.append(str(reason))
        system = System(
            plan.database, Layout(root, disk), launcher, shim, plan.seed, plan.residents, SPARE * plan.of_a_permit,
            pairs=2 if plan.database is DatabaseKind.POSTGRESQL else 1, embedded=plan.embedded,
        )  # fmt: skip
        try:
            return await _Run(plan, system, say, skipped).run()
        finally:
            await system.stop()
            if system.cluster is not None:
                await system.cluster.stop()


class _Run:
    def __init__(self, plan: Plan, system: System, say: Callable[[str], None], skipped: list[str]) -> None:
        self._plan, self._system, self._say, self._skipped = plan, system, say, skipped
        self._tally = Tally()
        self._seen = Acknowledged(system)

    async def run(self) -> Result:
        plan, system = self._plan, self._system
        await system.set_up()
        people = applicants.Applicants(
            system.front, UTILITY, system.utility_key, system.layout.root, plan.residents, random.Random(plan.seed)
        )
        applying = asyncio.create_task(people.run(self._applications_allowed))
        chaos = Chaos(system, self._tally, plan.pace or PACES[plan.database], can_fail_fsync=system.shim is not None)
        began = time.monotonic()
        await self._load(chaos, people, applying)
        loaded = time.monotonic()
        undelivered = await self._rest(people)
        applying.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await applying
        rested = time.monotonic()
        keys = await system.keep_jwks()
        await system.stop()
        code, said = await system.audit()
        report = checker.check(evidence_of(system, keys))
        return Result(
            plan, self._tally, report, code, said.strip(), undelivered, loaded - began, rested - loaded,
            self._skipped, self._versions(), people.failures,
        )  # fmt: skip

    def _progress(self) -> float:
        """From 0 to 1: how many of the kills are done."""
        return 1.0 if self._plan.kills == 0 else min(1.0, self._tally.killed / self._plan.kills)

    def _applications_allowed(self) -> int:
        return min(
            self._plan.applications,
            self._plan.applications_at_first + math.ceil(self._plan.applications * self._progress()),
        )

    def _spend(self, share: float) -> None:
        """So many outcomes may be decided by now: load and kills end together."""
        allow(self._system, math.ceil(self._plan.outcomes * share))

    async def _load(self, chaos: Chaos, people: applicants.Applicants, applying: "asyncio.Task[None]") -> None:
        plan = self._plan
        self._spend(0.05)
        at_work = min(30, plan.outcomes // 20)
        await until_true(
            lambda: applying.done() or (people.made >= plan.applications_at_first and self._seen.look() >= at_work)
        )
        killing = asyncio.create_task(chaos.run())
        ends, told = time.monotonic() + plan.minutes * 60, time.monotonic()
        while time.monotonic() < ends:
            self._spend(min(1.0, 0.05 + self._progress()))
            for task in (killing, applying):
                if task.done():
                    task.result()
            if self._tally.killed >= plan.kills and self._seen.look() >= plan.outcomes * plan.under_fire:
                break
            if time.monotonic() - told > 15:
                told = time.monotonic()
                self._say(
                    f"{plan.database}: {self._tally.killed} kills, {self._tally.faults.total()} faults, "
                    f"{self._seen.look()} outcomes acknowledged"
                )
            await asyncio.sleep(0.2)
        chaos.end()
        await killing
        await chaos.mend()

    async def _rest(self, people: applicants.Applicants) -> int:
        """Wait until nothing is under way any more; answers how many events are still to be delivered."""
        self._say(f"{self._plan.database}: {self._tally.killed} kills; waiting for everything to arrive")
        self._spend(1.0)
        ends = time.monotonic() + self._plan.quiet_s
        undelivered = -1
        while time.monotonic() < ends:
            acknowledged = self._seen.look()
            undelivered = await asyncio.to_thread(undelivered_events, self._system)
            pushed = acknowledged == self._seen.decided and acknowledged >= self._plan.outcomes
            if pushed and people.idle and undelivered == 0:
                break
            await asyncio.sleep(0.3)
        return undelivered

    def _versions(self) -> dict[str, str]:
        cluster = self._system.cluster
        return {"postgresql": cluster.version()} if cluster is not None else {"sqlite": sqlite3.sqlite_version}


async def until_true(holds: Callable[[], bool]) -> None:
    """Look again and again."""
    while not holds():  # noqa: ASYNC110 - what is waited for tells nobody
        await asyncio.sleep(0.1)


def _directory_for_all() -> Path:
    root = Path(tempfile.mkdtemp(prefix="bandian-prove-"))
    root.chmod(0o755)
    return root


@contextlib.asynccontextmanager
async def workplace(
    say: Callable[[str], None], *, keep: bool = False
) -> AsyncIterator[tuple[Path, Launcher, Path | None]]:
    """A directory that every user may enter, a launcher, and the shim where there is a compiler."""
    before = os.umask(0o022)  # the database's own user has to read what is made here
    root = _directory_for_all()
    shim: Path | None = None
    try:
        try:
            shim = compile_shim(root)
        except Skipped as reason:
            say(f"skipped: {reason}")
        async with Launcher(root / "logs", shim, "tests.prove.launch") as launcher:
            yield root, launcher, shim
    finally:
        if keep:
            say(f"kept: {root}")
        else:
            shutil.rmtree(root, ignore_errors=True)
        os.umask(before)


def as_json(result: Result) -> dict[str, Any]:
    """What goes into ``build/prove.json`` for one database."""
    report = result.report
    return {
        "seed": result.plan.seed,
        "versions": result.versions,
        "kills": result.tally.killed,
        "kills_by_boundary": dict(sorted(result.tally.kills.items())),
        "faults": dict(sorted(result.tally.faults.items())),
        "journeys_begun_anew": dict(sorted(result.failures.items())),
        "starts_refused": result.tally.ended_by_themselves.total(),
        "skipped": result.skipped,
        **json.loads(json.dumps(report.counts)),
        "undelivered": result.undelivered,
        "record_intact": result.record_intact,
        "audit": result.audit_said,
        "findings": report.findings[:50],
        "load_seconds": round(result.load_s),
        "quiet_seconds": round(result.quiet_s),
        "holds": result.holds,
    }
