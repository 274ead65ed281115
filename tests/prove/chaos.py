"""Kills and faults while the load runs: one lane for each process, one for faults, each with a stream of its own.

What a lane does next follows from the seed and the lane's name; only when something happens depends on the machine.
"""

import asyncio
import contextlib
import random
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from functools import partial

from tests.prove.boundaries import Boundary, boundaries_of
from tests.prove.processes import Slot
from tests.prove.proxy import LinkFault
from tests.prove.system import DatabaseKind, GatewayProcess, Partner, System

AT_A_BOUNDARY = 0.75
"""Share of a gateway's and a worker's kills that are at a named boundary; the others are at any moment."""
DURING_A_START = 0.1
MOST_HITS = 5
NOT_MET_WITHIN, RARE_NOT_MET_WITHIN = 4.0, 40.0
"""Seconds after which a boundary that was not passed is given up for a kill at any moment."""
WHOLE_DATABASE = 0.7
"""Share of the database's kills that end the whole server; the others end one process that serves a connection."""


@dataclass
class Tally:
    """What was done: kills by where they hit, faults by kind, and starts that the gateway itself refused."""

    kills: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    ended_by_themselves: Counter[str] = field(default_factory=Counter)

    @property
    def killed(self) -> int:
        return self.kills.total()


@dataclass
class Pace:
    """Seconds that a lane lets its process live (from, to), and that a fault lasts and is away."""

    lives: tuple[float, float]
    partner_lives: tuple[float, float]
    database_lives: tuple[float, float] = (5.0, 15.0)
    fault_lasts: tuple[float, float] = (0.2, 2.0)
    fault_is_away: tuple[float, float] = (1.0, 4.0)
    clock_jump_s: float = 7200.0


PACES = {
    DatabaseKind.SQLITE: Pace(lives=(0.5, 5.0), partner_lives=(3.0, 10.0)),
    DatabaseKind.POSTGRESQL: Pace(lives=(1.5, 10.0), partner_lives=(4.0, 14.0)),
}
"""With twice as many gateways and workers each lives longer, so that as many are killed and the load gets through."""
SHORT = Pace(
    lives=(0.4, 2.0), partner_lives=(1.0, 4.0), database_lives=(2.0, 5.0), fault_lasts=(0.1, 0.8),
    fault_is_away=(0.3, 1.0),
)  # fmt: skip
"""For the short form."""


class _Over(Exception):
    """The chaos is to end, and this lane is between two steps."""


class Chaos:
    """Runs until it is told to ``end``; ``mend`` then puts everything right again.

    A lane ends between two steps and never within one: whoever was sent a signal is known to be gone, and whoever was
    started is known.
    """

    def __init__(self, system: System, tally: Tally, pace: Pace, *, can_fail_fsync: bool) -> None:
        self._system, self._tally, self._pace = system, tally, pace
        self._can_fail_fsync = can_fail_fsync
        self._over = asyncio.Event()

    async def run(self) -> None:
        """All lanes at once."""
        lanes = [self._gateway_lane(process) for process in self._system.processes]
        lanes += [self._partner_lane(partner) for partner in self._system.partners.values()]
        if self._system.cluster is not None:
            lanes.append(self._database_lane())
        lanes.append(self._fault_lane())
        async with asyncio.TaskGroup() as group:
            for lane in lanes:
                group.create_task(_until_over(lane))

    def end(self) -> None:
        """No further step; ``run`` answers once those under way are done."""
        self._over.set()

    async def mend(self) -> None:
        """Every fault ended, every process running."""
        system = self._system
        for link in system.links.values():
            link.mend()
        for process in system.processes:
            if process.slot.fired() and process.child is not None:
                await process.child.ended.wait()
            process.slot.disarm()
            process.slot.set_clock(0.0)
            process.slot.fail_fsync(fails=False)
        if system.layout.disk is not None:
            system.layout.disk.clear()
        if system.cluster is not None:
            system.cluster.slot.fail_fsync(fails=False)
            await system.cluster.start()
        for process in system.processes:
            while not await self._runs(process):  # noqa: ASYNC110 - what is waited for tells nobody
                await asyncio.sleep(0.3)
        for partner in system.partners.values():
            if partner.child is None or partner.child.ended.is_set():
                await system.start_partner(partner)

    def _chance(self, lane: str) -> random.Random:
        return random.Random(f"{self._system.seed}/{self._system.kind}/{lane}")

    def _slots(self) -> dict[str, Slot]:
        return {process.name: process.slot for process in self._system.processes}

    async def _pause(self, seconds: float, ended: asyncio.Event | None = None) -> bool:
        """Let so much time pass, or less where ``ended`` is set; answers whether it is. Raises ``_Over``."""
        waits = [asyncio.create_task(event.wait()) for event in (self._over, ended) if event is not None]
        try:
            await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        if self._over.is_set():
            raise _Over
        return ended is not None and ended.is_set()

    async def _running(self, process: GatewayProcess) -> None:
        """Start it until it is up: while its database is away, it refuses to start."""
        while not await self._runs(process):
            await self._pause(0.3)

    async def _runs(self, process: GatewayProcess) -> bool:
        """One try to have it running."""
        if process.child is None or process.child.ended.is_set():
            await self._system.start(process)
        if await self._system.until_ready(process):
            return True
        if process.child is not None and process.child.ended.is_set():
            self._tally.ended_by_themselves[process.name] += 1
        return False

    async def _gateway_lane(self, process: GatewayProcess) -> None:
        chance, boundaries = self._chance(process.name), boundaries_of(process.role)
        coming: list[Boundary] = []
        while True:
            if not coming:
                coming = list(boundaries)
                chance.shuffle(coming)
            at_boundary, lives = chance.random() < AT_A_BOUNDARY, chance.uniform(*self._pace.lives)
            hit, in_start = chance.randint(1, MOST_HITS), chance.random() < DURING_A_START
            if not in_start:
                await self._running(process)
            await self._live(process, lives)
            if at_boundary and not in_start:
                await self._kill_at(process, coming.pop(), hit)
            else:
                await self._kill(process, f"{process.role}: at any moment")
            await self._system.start(process)

    async def _live(self, process: GatewayProcess, seconds: float) -> None:
        """Let it be; one that ends by itself meanwhile is started again."""
        assert process.child is not None
        if not await self._pause(seconds, process.child.ended):
            return
        self._tally.ended_by_themselves[process.name] += 1
        await self._running(process)

    async def _kill_at(self, process: GatewayProcess, boundary: Boundary, hit: int) -> None:
        assert process.child is not None
        process.slot.arm(boundary.slug, 1 if boundary.rare else hit)
        if not await self._pause(RARE_NOT_MET_WITHIN if boundary.rare else NOT_MET_WITHIN, process.child.ended):
            await self._kill(process, f"{process.role}: at any moment")
            return
        if process.slot.fired():
            self._tally.kills[f"{process.role}: {boundary.slug}"] += 1
        else:
            self._tally.ended_by_themselves[process.name] += 1

    async def _kill(self, process: GatewayProcess, what: str) -> None:
        assert process.child is not None
        if process.child.signal(signal.SIGKILL):
            await process.child.ended.wait()
            if process.child.code == -signal.SIGKILL:
                self._tally.kills[what] += 1

    async def _partner_lane(self, partner: Partner) -> None:
        chance = self._chance(partner.name)
        while True:
            await self._pause(chance.uniform(*self._pace.partner_lives))
            assert partner.child is not None
            if partner.child.signal(signal.SIGKILL):
                await partner.child.ended.wait()
                self._tally.kills[f"{partner.name}: at any moment"] += 1
            else:
                raise RuntimeError(f"{partner.name} ended by itself, with {partner.child.code}; see its log")
            await self._pause(chance.uniform(0.0, 0.5))
            await self._system.start_partner(partner)

    async def _database_lane(self) -> None:
        chance, cluster = self._chance("database"), self._system.cluster
        assert cluster is not None
        while True:
            await self._pause(chance.uniform(*self._pace.database_lives))
            whole, pick, away = chance.random() < WHOLE_DATABASE, chance.randrange(1000), chance.uniform(0.0, 1.0)
            if not whole:
                if cluster.kill_one_backend(pick):
                    self._tally.kills["database: one process"] += 1
                continue
            if cluster.kill():
                self._tally.kills["database: whole server"] += 1
            await self._pause(away)
            await cluster.start()

    async def _fault_lane(self) -> None:
        chance = self._chance("faults")
        kinds: list[tuple[str, Callable[[random.Random, float], Awaitable[None]]]] = [
            *((f"link: {fault}", partial(self._link_fault, fault)) for fault in LinkFault),
            ("clock jump", self._clock_jump),
        ]
        if self._can_fail_fsync:
            kinds.append(("fsync error", self._fsync_error))
        if self._system.layout.disk is not None:
            kinds.append(("full disk", self._full_disk))
        while True:
            await self._pause(chance.uniform(*self._pace.fault_is_away))
            name, stage = chance.choice(kinds)
            await stage(chance, chance.uniform(*self._pace.fault_lasts))
            self._tally.faults[name] += 1

    async def _link_fault(self, fault: LinkFault, chance: random.Random, lasts: float) -> None:
        link = self._system.links[chance.choice(sorted(self._system.links))]
        amount = float(chance.randrange(1, 600)) if fault is LinkFault.CUT else chance.uniform(0.01, 0.5)
        link.fail(fault, amount)
        await self._pause(lasts)
        link.mend()

    async def _clock_jump(self, chance: random.Random, lasts: float) -> None:
        """One process or all of them; forward and back, by seconds to hours."""
        slots = self._slots()
        jumping = [chance.choice(sorted(slots))] if chance.random() < 0.5 else sorted(slots)
        seconds = chance.choice((-1, 1)) * self._pace.clock_jump_s ** chance.uniform(0.2, 1.0)
        for name in jumping:
            slots[name].set_clock(seconds)
        await self._pause(lasts)
        for name in jumping:
            slots[name].set_clock(0.0)

    async def _fsync_error(self, chance: random.Random, lasts: float) -> None:
        slots = self._slots()
        if self._system.cluster is not None:
            slots["database"] = self._system.cluster.slot
        slot = slots[chance.choice(sorted(slots))]
        slot.fail_fsync(fails=True)
        await self._pause(lasts)
        slot.fail_fsync(fails=False)

    async def _full_disk(self, _chance: random.Random, lasts: float) -> None:
        disk = self._system.layout.disk
        assert disk is not None
        await asyncio.to_thread(disk.fill)
        await self._pause(lasts)
        disk.clear()


async def _until_over(lane: Coroutine[None, None, None]) -> None:
    with contextlib.suppress(_Over):
        await lane
