"""One history: from a seed, day by day, until nothing is left to do and everything has been checked."""

import asyncio
import logging
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any

import structlog

from gateway.caller import Role
from gateway.certificates.ports import SourceQuery
from gateway.delivery.ports import DeliveryState, ReplayReason
from gateway.identity.model import VerifiedApplicant
from mock_services.population import Enterprise, build_population
from mock_services.provincial_platform.registry import Order
from schemas.ecertificates import TYPE_CODES
from schemas.identity import ActingRole, ApplicantKind, VerificationMethod
from schemas.regions import COUNTIES
from schemas.status_lists import CertificateStatus
from tests.simulation.applicants import PROVIDER, Applicants, SimulatedProvider
from tests.simulation.channel import SimulatedChannel
from tests.simulation.checks import Checks
from tests.simulation.database import DIGESTS, MemoryDatabase, WriteFault
from tests.simulation.departments import department_key
from tests.simulation.gateway import Enrolled, SimulatedGateway
from tests.simulation.model import Known, Model, documents_at
from tests.simulation.platform import FEED, LISTS, SOURCE, SimulatedPlatform
from tests.simulation.province import Province
from tests.simulation.utilities import OFFICES, PERMITS
from tests.simulation.weather import Weather
from tests.simulation.world import Agenda, History, Violated, VirtualClock

FIRST_DAY, DAYS = datetime(2026, 1, 5, 1, tzinfo=UTC), 200
OUTAGE_DAYS, LAST_DAYS = 45, 8
"""Days in which outages begin, and in which the rechecks of a week take place at the end."""
KIND_OF_TYPE = {code: kind for kind, code in TYPE_CODES.items()}
FAULTY_WRITES = 0.01
"""Of steps: one of their writes fails, or the gateway dies of it."""
FATES = 0.1
"""Of applications: an authority does something to a certificate that they rest on."""
ORDERS = tuple(Order)
"""What it does, each as often."""
MOST_DAYS = 300
"""A history that lasts longer goes round in circles."""
RECORD_EVERY = 4000
"""Steps between two audits of the whole record."""
MOST_PASSES = 2000
"""Passes of the relay one right after the other, each of which claimed something."""
UNSETTLED = "SELECT count(*) FILTER (WHERE state = 'pending'), count(*) FILTER (WHERE state = 'dead') FROM outbox"


@dataclass
class Report:
    """What came of a history. ``violated`` names the invariant and what was found, where one did not hold."""

    seed: int
    applications: int
    steps: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    virtual_days: float = 0.0
    digest: str = ""
    counts: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    violated: str | None = None
    tail: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            **self.__dict__,
            "counts": dict(sorted(self.counts.items())),
            "faults": dict(sorted(self.faults.items())),
        }


class Simulation:
    """``prepare`` may change the gateway before anything happens: that is how a test breaks it on purpose."""

    def __init__(
        self,
        seed: int,
        applications: int,
        file: IO[str] | None = None,
        prepare: Callable[[SimulatedGateway], None] = lambda _: None,
    ) -> None:
        self.report = Report(seed, applications)
        rng = random.Random(f"bandian/{seed}")
        since = FIRST_DAY + timedelta(days=rng.randrange(DAYS))
        clock, weather, model = VirtualClock(since), Weather(rng), Model()
        people = max(60, applications * 2 // 3)
        population = build_population(people, max(40, applications // 2), seed)
        database = MemoryDatabase(clock)
        platform = SimulatedPlatform(
            population,
            clock,
            weather,
            lambda query: _asked(model, query, clock.at),
        )
        self.province = Province(
            rng, clock, Agenda(clock), History(file), weather, model, population, database, platform
        )
        database.dies = self.province.dies
        provider = SimulatedProvider()
        self.channel = SimulatedChannel(self.province)
        self.channel.utilities.verified_of = self._verified
        self.channel.utilities.stage_moved = self.looks_are_due
        gateway = SimulatedGateway(clock, database, platform, provider, self.channel, rng)
        self.province.gateway = gateway
        prepare(gateway)
        self.applicants = Applicants(self.province, provider)
        self.checks = Checks(self.province)
        self._since = since
        self._undelivered, self._pause = False, 1.0
        self._called: dict[str, datetime] = {}
        self._fated: set[str] = set()

    # the course of things -------------------------------------------------------------------------------------------

    async def run(self) -> Report:
        """Until the end, or until an invariant does not hold."""
        began, used = time.perf_counter(), time.process_time()
        try:
            await self._prepare()
            await self._until(lambda: self.province.agenda.foreground == 0 and not self._undelivered)
            self.province.weather.calm = True
            await self.province.ask(self._replay())
            await self._until(lambda: self.province.agenda.foreground == 0 and not self._undelivered)
            ends = self.province.now + timedelta(days=LAST_DAYS)
            await self._until(
                lambda: self.province.now >= ends and self.province.agenda.foreground == 0 and not self._undelivered
            )
            self.checks.at_the_end()
        except Violated as violated:
            self.report.violated = str(violated)
        except Exception as error:
            self.report.violated = f"fault: {type(error).__name__}: {error}"
            raise
        finally:
            self.report.seconds, self.report.cpu_seconds = time.perf_counter() - began, time.process_time() - used
            self._close()
        return self.report

    async def _prepare(self) -> None:
        province, rng = self.province, self.province.rng
        cities = sorted({county[:4] + "00" for county in COUNTIES})
        partners = [Enrolled(f"csg-{city}", Role.UTILITY, (city,)) for city in cities]
        for prefix in sorted(PERMITS):
            for region in OFFICES:
                code = f"{prefix}-{region}"
                partners.append(Enrolled(code, Role.DEPARTMENT, (region,), department_key(code)))
        await province.gateway.enrol(partners)
        names = [SOURCE, LISTS, FEED, PROVIDER, *(each.code for each in partners)]
        province.weather.plan(names, self._since, OUTAGE_DAYS)
        self.applicants.settle_in()
        for number in range(1, self.report.applications + 1):
            at = self._since + timedelta(days=rng.uniform(0, min(21.0, 3 + self.report.applications / 20)))
            self.applicants.arrive(number, at)
        self._recur("rechecks", self._recheck, hours=2)
        self._recur("feed", self._read_feed, hours=4)
        self._recur("sweep", self._sweep, hours=6)
        self._recur("operator", self._replay, days=2)
        self._recur("anchoring", self._anchor, hours=3)
        self._recur("housekeeping", self._keep_house, hours=24)

    async def _until(self, over: Callable[[], bool]) -> None:
        while not over():
            await self._step()
            if self.province.now - self._since > timedelta(days=MOST_DAYS):
                raise Violated("lost", f"after {MOST_DAYS} days something is still undelivered or undone")

    async def _step(self) -> None:
        province = self.province
        step = province.agenda.next()
        self.report.steps += 1
        province.model.begin()
        if province.weather.strikes("database fault", FAULTY_WRITES):
            province.database.arm(province.rng.choice(list(WriteFault)), province.rng.randrange(1, 4))
        told = await step.action()
        province.database.arm(None)
        if province.model.noticed is not None:
            raise province.model.noticed
        if told is not None:
            province.history.tell(step.at, self.report.steps, step.name, "->", told)
        if province.died:
            province.died = False
            province.weather.faults["gateway died"] += 1
            province.history.tell(step.at, "the gateway died")
            province.gateway.die()
        if self.checks.after_step():
            self._undelivered = True
            self._pause = 1.0
            self._call_relay(province.weather.between(0.05, 3))
            self._decide_fates()
        if self.report.steps % RECORD_EVERY == 0:
            self.checks.record()

    # the gateway's own work -----------------------------------------------------------------------------------------

    def _recur(self, name: str, work: Callable[[], Awaitable[str | None]], **every: float) -> None:
        async def again() -> str | None:
            self.province.agenda.after(name, again, background=True, **every)
            answer = await self.province.ask(work())
            return answer.value if answer.done else str(answer)

        self.province.agenda.after(name, again, background=True, **every)

    def _call(self, name: str, work: Callable[[], Awaitable[str | None]], seconds: float) -> None:
        """Let ``work`` be done in so many seconds, unless it is done sooner anyway."""
        at = self.province.now + timedelta(seconds=seconds)
        if name in self._called and self._called[name] <= at:
            return
        self._called[name] = at

        async def called() -> str | None:
            if self._called.get(name) != at:
                return None  # it was called for an earlier time meanwhile
            del self._called[name]
            answer = await self.province.ask(work())
            return answer.value if answer.done else str(answer)

        self.province.agenda.at(at, name, called, background=True)

    def _call_relay(self, seconds: float) -> None:
        self._call("relay", self._relay, seconds)

    def looks_are_due(self) -> None:
        """A stage began or ended, or a feed has news: in some minutes the certificates are looked at."""
        self._call("rechecks", self._recheck, self.province.weather.between(1, 900))

    async def _relay(self) -> str | None:
        province = self.province

        async def work() -> int:
            sent, passes, relay = 0, 0, province.gateway.relay
            while not province.died and (claimed := await relay.pass_once()):
                await relay.drain()
                sent, passes = sent + claimed, passes + 1
                assert passes < MOST_PASSES, "the relay claims again and again what it does not send"
            return sent

        answer = await province.ask(work())
        waiting, dead = province.database.rows(UNSETTLED)[0]
        self._undelivered = bool(waiting)
        self._pause = 1.0 if answer.value else min(self._pause * 2, 3600.0)
        if self._undelivered:
            self._call_relay(self._pause)
        if answer.done and not answer.value:
            return None
        return f"{answer.value if answer.done else answer} waiting={waiting} dead={dead}"

    async def _recheck(self) -> str | None:
        looked, worker = 0, self.province.gateway.rechecks
        while not self.province.died and (some := await worker.pass_once()):
            await worker.drain()
            looked += some
        return f"{looked} looks" if looked else None

    async def _read_feed(self) -> str | None:
        hits = await self.province.gateway.feed.read(self.province.platform)
        if hits:
            self.looks_are_due()
        return f"{hits} hits" if hits else None

    async def _sweep(self) -> str | None:
        asked = await self.province.gateway.sweeper.pass_once()
        if asked:
            self.looks_are_due()
        return f"{asked} asked" if asked else None

    async def _anchor(self) -> str | None:
        before = self.province.database.look(lambda tx: tx.super_log.head().frontier.size)
        anchored = await self.province.gateway.anchoring.anchor_once()
        return f"{anchored.size} leaves" if anchored is not None and anchored.size > before else None

    async def _keep_house(self) -> str | None:
        removed = await self.province.gateway.housekeeping.purge_once()
        return " ".join(f"{name}={count}" for name, count in sorted(removed.items())) or None

    async def _replay(self) -> str | None:
        """The operator enables whoever was disabled, and sends every dead letter again, the oldest first."""
        await self._enable()
        deliveries = self.province.gateway.deliveries
        dead = (await deliveries.list(None, DeliveryState.DEAD, 100_000)).deliveries
        for view in reversed(dead):
            answer = await self.province.ask(
                deliveries.replay(view.event.event_id, ReplayReason.RECEIVER_RESTORED, "operator", self.province.now)
            )
            self.province.history.tell(self.province.now, "replay", view.event.event_id, answer)
        if dead:
            self._undelivered = True
            self.province.counts["replayed"] += len(dead)
            self._call_relay(0)
        return f"{len(dead)} replayed" if dead else None

    async def _enable(self) -> None:
        province, deliveries = self.province, self.province.gateway.deliveries
        for state in await deliveries.destinations():
            code = state.destination.code
            if state.destination.disabled_at is None or province.weather.down(code, province.now):
                continue
            answer = await province.ask(
                deliveries.enable(code, ReplayReason.RECEIVER_RESTORED, "operator", province.now)
            )
            province.history.tell(province.now, "enable", code, answer)
            province.counts["enabled"] += 1
            self._undelivered = True
            self._call_relay(0)

    # fates ----------------------------------------------------------------------------------------------------------

    def _decide_fates(self) -> None:
        """What authorities will do to the certificates of those who applied just now."""
        applications = self.province.model.applications
        for application_id in list(applications)[len(self._fated) :]:
            self._fated.add(application_id)
            if self.province.weather.chance(FATES):
                known = applications[application_id]
                seconds = self.province.weather.between(1, 1_200_000)
                self.province.agenda.after(f"fate of {application_id}", lambda k=known: self._fate(k), seconds=seconds)

    async def _fate(self, known: Known) -> str:
        province, rng = self.province, self.province.rng
        kind = rng.choice(sorted(documents_at(known.customer_class, "acceptance", resident=known.resident)))
        records = province.platform.registry.of_holder(known.holder, TYPE_CODES[kind])
        if not records:
            return f"{kind} none"
        record, order = rng.choice(records), rng.choice(ORDERS)
        to = None
        if order is Order.TRANSFER:
            if kind != "property_certificate":
                order = Order.SUSPEND
            else:
                to = rng.choice(sorted(province.population.enterprises))
        province.platform.order(record, order, province.now, to)
        self._call("feed", self._read_feed, province.weather.between(1, 2000))
        for holder in dict.fromkeys([*record.found_under, *([to] if to else [])]):
            self._note(holder, kind)
        if order is not Order.REINSTATE and province.weather.chance(0.3):
            seconds = province.weather.between(600, 600_000)
            province.agenda.after(
                f"second fate of {known.application_id}", lambda: self._mend(record, kind), seconds=seconds
            )
        return f"{kind} {order}"

    async def _mend(self, record: Any, kind: str) -> str:
        platform = self.province.platform
        if record not in platform.registry.of_holder(record.found_under[0], record.metadata.type_code):
            return f"{kind} replaced meanwhile"
        platform.order(record, Order.REINSTATE, self.province.now)
        self._call("feed", self._read_feed, self.province.weather.between(1, 2000))
        for holder in record.found_under:
            self._note(holder, kind)
        return f"{kind} {Order.REINSTATE}"

    def _note(self, holder: str, kind: str) -> None:
        """The books follow what was ordered."""
        model = self.province.model
        model.ordered.add((holder, kind))
        records = self.province.platform.registry.of_holder(holder, TYPE_CODES[kind])
        if records and all(record.status is not CertificateStatus.VALID for record in records):
            model.revoked.setdefault((holder, kind), self.province.now)
        else:
            model.revoked.pop((holder, kind), None)

    def _verified(self, known: Known) -> VerifiedApplicant:
        """Who stands behind an application, in a session of their own."""
        population = self.province.population
        holder = population.residents.get(known.holder) or population.enterprises[known.holder]
        person = holder.representative if isinstance(holder, Enterprise) else holder
        enterprise = isinstance(holder, Enterprise)
        return VerifiedApplicant(
            ApplicantKind.ENTERPRISE if enterprise else ApplicantKind.RESIDENT,
            VerificationMethod.E_LICENCE if enterprise else VerificationMethod.FACE,
            holder.name,
            known.holder,
            person.name,
            person.id_number,
            ActingRole.LEGAL_REPRESENTATIVE if enterprise else None,
            DIGESTS.of("holder", known.holder),
        )

    def _close(self) -> None:
        province, report = self.province, self.report
        report.digest = province.history.digest
        report.virtual_days = (province.now - self._since) / timedelta(days=1)
        report.tail = tuple(province.history.tail)
        report.faults = province.weather.faults
        model = province.model
        report.counts = province.counts + Counter(
            {
                "events": len(model.queued),
                "outcomes": len(model.acknowledged),
                "disclosures": model.disclosures,
                "lines": province.history.lines,
            }
        )
        province.database.close()


def _asked(model: Model, query: SourceQuery, at: datetime) -> None:
    with model.noticing():
        model.asked(query.holder_code, KIND_OF_TYPE[query.type_code], at)


@contextmanager
def silence() -> Iterator[None]:
    """The gateway's log lines cost more than what they tell of, here."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        yield
    finally:
        structlog.configure(**before)


def simulate(
    seed: int,
    applications: int,
    file: IO[str] | None = None,
    prepare: Callable[[SimulatedGateway], None] = lambda _: None,
) -> Report:
    """Run one history to its end."""
    with silence():
        return asyncio.run(Simulation(seed, applications, file, prepare).run())


def live_through(work: tuple[int, int, Path | None]) -> dict[str, Any]:
    """The history of (seed, applications), told in a file of the folder where there is one; for worker processes."""
    seed, applications, folder = work
    if folder is None:
        return simulate(seed, applications).to_json()
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{seed}-{applications}.txt").open("w", encoding="utf-8") as file:
        return simulate(seed, applications, file).to_json()
