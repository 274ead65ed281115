"""What paths of requests and answers share: a limit beside the gateway, slices by turns, then an open loop."""

import json
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from typing import Any

from tests.bench.hot.gateways import Needs
from tests.bench.hot.ground import Ground
from tests.bench.hot.open_loop import FEWEST_ARRIVALS, Arrivals, arrive
from tests.bench.hot.recorded import recorded, require_recorded
from tests.bench.hot.slices import FEWEST, Make, Measured, Side, compare
from tests.bench.hot.stand import new_port
from tests.bench.hot.wire import Fleet

LIMIT = "tests.bench.hot.limit"
Sides = tuple[Side, Side]
"""The gateway and its limit."""


class ExchangePath(ABC):
    """``actions`` are of the entries that each answer leaves in the record, one of each.

    ``needs`` None: however the gateway runs, it does the same.
    """

    needs: Needs | None = Needs()
    actions: tuple[str, ...] = ()

    def __init__(self, done: str) -> None:
        self.done = done

    @abstractmethod
    def sides(self, ground: Ground, connections: int) -> AbstractAsyncContextManager[Sides]:
        """Both up and asked before."""

    @abstractmethod
    def require_right(self, answer: bytes) -> None:
        """Raises ``SpeedBought`` where an answer is not what the path is about."""

    async def measure(self, ground: Ground, connections: int) -> Measured:
        """As ``HotPath``."""
        await ground.gateways.run(self.needs)
        url, wanted = ground.stand.database_url, ground.wanted
        before = {action: recorded(url, action) for action in self.actions}
        async with self.sides(ground, connections) as (ours, limit):
            measured = await compare(self.done, ours, limit, connections, seconds=wanted.seconds, pairs=wanted.pairs)
            self.require_right((await ours.slice(FEWEST))[2])
            arrivals = [await _arrivals(ground, ours, share, measured.wall) for share in wanted.open_loop]
        for action, entries in before.items():
            require_recorded(url, entries, ours.answered, action)
        return replace(measured, arrivals=tuple(arrivals))


async def _arrivals(ground: Ground, ours: Side, share: float, wall: float) -> Arrivals:
    """For as long as ten slices of CPU would take if nobody waited."""
    per_s = share * wall
    count = max(FEWEST_ARRIVALS, int(10 * ground.wanted.seconds * per_s))
    exchanges = await ours.make(count)
    ours.answered += count
    return await arrive(ground.stand.ports[0], exchanges, share, per_s)


@asynccontextmanager
async def beside_limit(ground: Ground, ours: Side, work: dict[str, Any], make: Make) -> AsyncIterator[Sides]:
    """A limit that does ``work`` on the gateway's core, with as many connections as ``ours``."""
    stand, port = ground.stand, new_port()
    path = stand.directory / f"work-{port}.json"
    path.write_text(json.dumps(work, ensure_ascii=False), "utf-8")
    database = ground.new_database().removeprefix("sqlite:///")
    arguments = ("--port", str(port), "--work", str(path), "--database", database)
    pid = await stand.program(LIMIT, *arguments, core=stand.core)
    limit = Side("limit", [pid], Fleet([port], ours.fleet.size), make)
    try:
        yield ours, limit
    finally:
        ours.fleet.close()
        limit.fleet.close()
        await stand.processes.stop_named(LIMIT)
