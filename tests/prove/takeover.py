"""One database taken over from an older release by today's code: stage by stage, under load, then checked."""

import asyncio
import contextlib
import json
import math
import random
import re
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

from mock_services.demo.roster import UTILITY
from tests.prove import applicants, checker
from tests.prove.boundaries import Role
from tests.prove.counting import Acknowledged, allow, evidence_of, unanchored_logs, undelivered_events
from tests.prove.older import OlderRelease
from tests.prove.proxy import LinkFault
from tests.prove.run import DEPARTMENTS
from tests.prove.system import DatabaseKind, GatewayProcess, Layout, System
from tests.support.launched import Launcher, Starter

OLDER, NEWER = "older", "newer"
OF_A_PERMIT = 10
BEFORE, MEANWHILE = 0.3, 0.7
"""Shares of a stage's outcomes that departments may decide before its change, and by its end; the rest comes after."""
STARTS_WITHIN, ENDS_WITHIN, RESTS_WITHIN = 60.0, 40.0, 180.0
SIGNED_WITHIN = 60.0
"""A lease and some rounds: an older release may leave it to lapse when it ends."""
_LOUD = re.compile(r'"level": ?"(error|critical)"|^Traceback')
_NOT_TRAFFIC = ("/readyz", "/healthz", "/metrics")


class Stuck(Exception):
    """The drill cannot go on: a release does not serve, or what is under way does not come to rest."""


@dataclass(frozen=True)
class Plan:
    """``outcomes`` of departments in each stage, and as many applications as they take."""

    database: DatabaseKind
    outcomes: int
    seed: int
    residents: int = 300

    @property
    def applications(self) -> int:
        return max(2, math.ceil(self.outcomes / (DEPARTMENTS * OF_A_PERMIT)))


@dataclass
class Stage:
    """What happened while something held: how much each release answered and delivered."""

    name: str
    seconds: float = 0.0
    applications: int = 0
    outcomes: int = 0
    answered: Counter[str] = field(default_factory=Counter)
    delivered: Counter[str] = field(default_factory=Counter)


@dataclass
class Result:
    """What the drill showed; ``wrong`` names what the checker cannot see."""

    plan: Plan
    stages: list[Stage]
    report: checker.Report
    migrated_in_s: float
    begun_anew: dict[str, int]
    wrong: list[str]

    @property
    def holds(self) -> bool:
        return self.report.sound and self.report.record_intact and not self.wrong


class _Counts:
    """What processes of one release tell of themselves at ``/metrics``, from one look to the next."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self._seen: dict[int, Counter[str]] = {}

    async def since_last(self, process: GatewayProcess) -> Counter[str]:
        """``answered``, ``failed`` (status 500) and ``delivered`` since this process was last looked at."""
        child = process.child
        if child is None or child.ended.is_set():
            return Counter()
        text = (await self._http.get(f"http://127.0.0.1:{process.port}/metrics")).raise_for_status().text
        now: Counter[str] = Counter()
        for sample in (one for family in text_string_to_metric_families(text) for one in family.samples):
            count, labels = int(sample.value), sample.labels
            if sample.name == "bandian_http_requests_total" and labels["route"] not in _NOT_TRAFFIC:
                now["answered"] += count
                now["failed"] += count if labels["status"] == "500" else 0
            elif sample.name == "bandian_delivery_attempts_total" and labels["state"] == "delivered":
                now["delivered"] += count
        before, self._seen[child.pid] = self._seen.get(child.pid, Counter()), now
        return now - before


class Takeover:
    """One database: ``older`` and today's code (``launcher``) on it."""

    def __init__(
        self, plan: Plan, older: OlderRelease, launcher: Launcher, root: Path, say: Callable[[str], None]
    ) -> None:
        self._plan, self._older, self._launcher, self._say = plan, older, launcher, say
        self._system = System(
            plan.database, Layout(root, None), launcher, None, plan.seed, plan.residents, 10 * OF_A_PERMIT, pairs=2
        )
        self._together = plan.database is DatabaseKind.POSTGRESQL
        self._seen = Acknowledged(self._system)
        self._counts = _Counts(self._system.http)
        self._stages: list[Stage] = []
        self._wrong: list[str] = []
        self._outcomes = self._applications = 0
        self._migrated_in_s = 0.0

    async def run(self) -> Result:
        """All stages, then the checks. Raises ``Stuck``."""
        try:
            return await self._run()
        finally:
            await self._system.stop()
            if self._system.cluster is not None:
                await self._system.cluster.stop()

    async def _run(self) -> Result:
        system, plan = self._system, self._plan
        system.release = self._older
        await system.prepare()
        await self._start(OLDER)
        self._people = applicants.Applicants(
            system.front, UTILITY, system.utility_key, system.layout.root, plan.residents, random.Random(plan.seed)
        )
        applying = asyncio.create_task(self._people.run(lambda: self._applications))
        try:
            await self._all_stages()
        finally:
            applying.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await applying
        await self._verify_evidence()
        keys = await system.keep_jwks()
        await system.stop()
        self._require(unanchored_logs(system) == 0, "no checkpoint covers what was written at the end")
        for name in (NEWER, OLDER):
            system.release = self._release(name)
            code, said = await system.audit()
            self._require(code == 0, f"the audit of the {name} release exits {code}: {said.strip()[-500:]}")
        self._require_quiet_logs()
        report = checker.check(evidence_of(system, keys))
        return Result(plan, self._stages, report, self._migrated_in_s, self._people.failures, self._wrong)

    async def _all_stages(self) -> None:
        await self._stage("older alone", {OLDER})
        await self._stage("migrated under it", {OLDER}, self._migrate)
        if self._together:
            await self._start(NEWER)
            await self._connections_anew()
            await self._stage("both", {OLDER, NEWER})
        else:
            await self._stage("newer takes over", {NEWER}, lambda: self._change(OLDER, NEWER))
        await self._stage("older again", {OLDER}, lambda: self._change(NEWER, OLDER))
        await self._stage("newer for good", {NEWER}, lambda: self._change(OLDER, NEWER))
        await self._stage("newer alone", {NEWER})

    async def _stage(self, name: str, served_by: set[str], change: Callable[[], Awaitable[None]] | None = None) -> None:
        """Load, in its midst ``change``, then rest: everything acknowledged is delivered, and under a checkpoint.

        Each release of ``served_by`` has to have answered and delivered.
        """
        stage, began = Stage(name), time.monotonic()
        self._stages.append(stage)
        acknowledged, made = self._seen.look(), self._people.made
        self._outcomes += self._plan.outcomes
        self._applications += self._plan.applications
        if change is not None:
            before, meanwhile = (math.ceil(self._plan.outcomes * share) for share in (BEFORE, MEANWHILE))
            allow(self._system, acknowledged + before)
            await self._until(lambda: self._seen.look() >= acknowledged + before // 2, "outcomes are acknowledged")
            allow(self._system, acknowledged + meanwhile)
            await change()
        allow(self._system, self._outcomes)
        await self._until(self._at_rest, "everything arrives")
        await self._until(lambda: unanchored_logs(self._system) == 0, "a checkpoint covers everything", SIGNED_WITHIN)
        await self._look()
        stage.seconds = time.monotonic() - began
        stage.outcomes, stage.applications = self._seen.look() - acknowledged, self._people.made - made
        for release in served_by:
            served = stage.answered[release] > 0 and stage.delivered[release] > 0
            self._require(served, f"{name}: the {release} release did not answer and deliver")
        self._say(f"{self._plan.database}: {name}: {stage.outcomes} outcomes in {stage.seconds:.0f} s")

    async def _verify_evidence(self) -> None:
        """Today's bundles of what the older release accepted first and today's code last prove all they state."""
        root, verifier = self._system.layout.root, "gateway.evidence.verify_evidence"
        lines = map(json.loads, (root / applicants.LOG).read_text("utf-8").splitlines())
        applications = [line["application"] for line in lines if line["what"] == "application"]
        await self._system.run("evidence-anchors", "-o", str(root / "anchors"))
        for application in (applications[0], applications[-1]):
            bundle, log = root / f"{application}.zip", self._system.layout.log("verify-evidence")
            await self._system.run("evidence", application, "-o", str(bundle))
            child = await self._launcher.start(verifier, [str(bundle), "--anchors", str(root / "anchors")], log)
            await child.ended.wait()
            self._require(child.code == 0, f"the evidence of {application} is verified with {child.code}; see {log}")

    async def _migrate(self) -> None:
        """Today's command, while the older release serves; it is as ready afterwards as before."""
        self._system.release = self._launcher
        began = time.monotonic()
        await self._system.run("migrate")
        self._migrated_in_s = time.monotonic() - began
        for process in self._pair(OLDER):
            if not await self._system.until_ready(process, within=1.0):
                raise Stuck(
                    f"{self._plan.database}: {process.name} of the older release is not ready after the migration"
                )

    async def _change(self, goes: str, comes: str) -> None:
        """One release for the other, under load: together for a while where the database allows it."""
        if self._together:
            await self._start(comes)
        await self._end(goes)
        await self._start(comes)

    async def _start(self, release: str) -> None:
        """Its gateway and its worker, where they do not run yet, until both answer."""
        self._system.release = self._release(release)
        for process in self._pair(release):
            if process.child is None or process.child.ended.is_set():
                if process.role is Role.WORKER:
                    process.settings["BANDIAN_WORKER_METRICS_PORT"] = str(process.port)
                await self._system.start(process)
        for process in self._pair(release):
            ready = await self._system.until_ready(process) and await self._answers(process)
            if not ready:
                log = self._system.layout.log(process.name)
                raise Stuck(f"{self._plan.database}: {process.name} of the {release} release does not start; see {log}")

    async def _end(self, release: str) -> None:
        """SIGTERM to its gateway and its worker, and an exit in good order."""
        await self._look()
        for process in self._pair(release):
            assert process.child is not None
            process.child.signal(signal.SIGTERM)
        for process in self._pair(release):
            assert process.child is not None
            await asyncio.wait_for(process.child.ended.wait(), ENDS_WITHIN)
            self._require(
                process.child.code == 0, f"{process.name} of the {release} release exits {process.child.code}"
            )

    async def _look(self) -> None:
        for release in (OLDER, NEWER):
            for process in self._pair(release):
                counts = await self._counts.since_last(process)
                self._stages[-1].answered[release] += counts["answered"]
                self._stages[-1].delivered[release] += counts["delivered"]
                self._require(not counts["failed"], f"{process.name} answered {counts['failed']} requests with 500")

    async def _connections_anew(self) -> None:
        """Whoever is connected connects again, as clients do in time: nothing is under way, so nothing is cut."""
        self._system.links["front"].fail(LinkFault.RESET, 0)
        self._system.links["front"].mend()

    async def _answers(self, process: GatewayProcess) -> bool:
        """Wait until it does; False where it ends first, or takes too long."""
        assert process.child is not None
        ends = time.monotonic() + STARTS_WITHIN
        while not process.child.ended.is_set() and time.monotonic() < ends:
            with contextlib.suppress(httpx.HTTPError):
                await self._system.http.get(f"http://127.0.0.1:{process.port}/healthz")
                return True
            await asyncio.sleep(0.1)
        return False

    async def _until(self, holds: Callable[[], bool], what: str, within: float = RESTS_WITHIN) -> None:
        ends = time.monotonic() + within
        while not await asyncio.to_thread(holds):
            if time.monotonic() > ends:
                raise Stuck(f"{self._plan.database}: {self._stages[-1].name}: not within {within:.0f} s: {what}")
            await asyncio.sleep(0.2)

    def _at_rest(self) -> bool:
        pushed = self._seen.look() == self._seen.decided and self._seen.acknowledged >= self._outcomes
        applied = self._people.idle and self._people.made >= self._applications
        return pushed and applied and undelivered_events(self._system) == 0

    def _require_quiet_logs(self) -> None:
        """No error in any log. But two processes write to one SQLite here, as in no production: there one may wait for
        the other in vain, and comes again.
        """
        for process in self._system.processes:
            log = self._system.layout.log(process.name)
            loud = [line for line in log.read_text("utf-8", "replace").splitlines() if _LOUD.search(line)]
            if self._plan.database is DatabaseKind.SQLITE:
                loud = [line for line in loud if '"writer.failed"' not in line]
            self._require(not loud, f"{len(loud)} errors in the log of {process.name}: {loud[:1]}")

    def _release(self, name: str) -> Starter:
        return self._older if name == OLDER else self._launcher

    def _pair(self, release: str) -> list[GatewayProcess]:
        number = "1" if release == OLDER else "2"
        return [process for process in self._system.processes if process.name.endswith(number)]

    def _require(self, holds: bool, otherwise: str) -> None:
        if not holds:
            self._wrong.append(otherwise)
