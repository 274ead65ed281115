"""Two programs that do the same work, by turns: A B B A, in work per CPU-second of their own processes."""

import asyncio
import statistics
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from tests.bench.hot.machine import cpu_seconds, resident_mb, uncollected
from tests.bench.hot.open_loop import Arrivals
from tests.bench.hot.wire import Exchange, Fleet
from tests.bench.paired import Comparison

FEWEST = 8
"""Requests of the shortest slice."""
WARM, MOST_WARM_UPS = 1.05, 8
"""A program is warm when a slice brings no more than so many times the one before, or when so many were tried."""
Make = Callable[[int], Awaitable[Sequence[Exchange]]]
"""So many exchanges, signed just now."""


@dataclass
class Side:
    """A program under load: its processes, the connections to it, and how its requests are made."""

    name: str
    pids: Sequence[int]
    fleet: Fleet
    make: Make
    count: int = 0
    rates: list[float] = field(default_factory=list)
    walls: list[float] = field(default_factory=list)
    took: list[float] = field(default_factory=list)
    answered: int = 0

    async def slice(self, count: int) -> tuple[float, float, bytes]:
        """Answers a CPU-second, answers a second, and the last of them."""
        requests = await self.make(count)
        before = cpu_seconds(self.pids)
        with uncollected():
            answered = await self.fleet.ask(requests)
        used = cpu_seconds(self.pids) - before
        self.took += answered.took
        self.answered += count
        return count / used, count / answered.seconds, answered.last_body

    async def measure(self) -> float:
        """One slice of the settled length, noted."""
        rate, wall, _ = await self.slice(self.count)
        self.rates.append(rate)
        self.walls.append(wall)
        return rate

    async def settle(self, seconds: float) -> None:
        """Warm up, and find how many requests fill so many CPU-seconds."""
        rate, *_ = await self.slice(FEWEST)
        for _ in range(MOST_WARM_UPS):
            before = rate
            rate, *_ = await self.slice(max(FEWEST, int(rate * seconds)))
            if rate < before * WARM:
                break
        self.count = max(FEWEST, int(rate * seconds))
        self.took.clear()


@dataclass(frozen=True)
class Measured:
    """A comparison, and what was seen beside it: rates of the wall clock, seconds of an answer, memory."""

    comparison: Comparison
    connections: int
    wall: float
    limit_wall: float
    p50_ms: float
    p99_ms: float
    resident_mb: float
    arrivals: tuple[Arrivals, ...] = ()


async def compare(name: str, ours: Side, limit: Side, connections: int, *, seconds: float, pairs: int) -> Measured:
    """``pairs`` of slices of each side, two of each in a round."""
    for side in (ours, limit):
        await side.settle(seconds)
    for _ in range((pairs + 1) // 2):
        for side in (ours, limit, limit, ours):
            await side.measure()
            await asyncio.sleep(0)
    return Measured(
        Comparison.of(name, rounds_of(ours.rates), rounds_of(limit.rates), limit.rates),
        connections,
        statistics.median(ours.walls),
        statistics.median(limit.walls),
        statistics.median(ours.took) * 1000,
        _percentile(ours.took, 0.99) * 1000,
        sum(resident_mb(pid) for pid in ours.pids),
    )


def rounds_of(rates: Sequence[float]) -> list[float]:
    """The two slices of each round together, by the work and the time in them."""
    return [2 / (1 / first + 1 / second) for first, second in zip(rates[::2], rates[1::2], strict=True)]


def _percentile(took: Sequence[float], share: float) -> float:
    return sorted(took)[min(len(took) - 1, int(len(took) * share))]
