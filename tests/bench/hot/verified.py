"""Paths 1a and 1b measured: the gateway's verified licence beside a limit that signs and records the same."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.bench.hot.ground import Ground
from tests.bench.hot.licences import LicenceRequests, claims_of, limit_work, mint
from tests.bench.hot.recorded import SpeedBought, newest_leaf, recorded, require_recorded
from tests.bench.hot.slices import Measured, Side, compare
from tests.bench.hot.stand import new_port
from tests.bench.hot.wire import Fleet

LIMIT = "tests.bench.hot.limit"


class LicencePath:
    """``fresh_tokens``: each request bears a token that was never seen before."""

    def __init__(self, done: str, *, fresh_tokens: bool) -> None:
        self.done = done
        self._fresh_tokens = fresh_tokens

    async def measure(self, ground: Ground, connections: int) -> Measured:
        """As ``HotPath``."""
        stand, wanted = ground.stand, ground.wanted
        before = recorded(stand.database_url)
        async with self.sides(ground, connections) as (ours, limit):
            measured = await compare(self.done, ours, limit, connections, seconds=wanted.seconds, pairs=wanted.pairs)
            require_valid((await ours.slice(20))[2])
        require_recorded(stand.database_url, before, ours.answered)
        return measured

    @asynccontextmanager
    async def sides(self, ground: Ground, connections: int) -> AsyncIterator[tuple[Side, Side]]:
        """The gateway and its limit, both up and asked before."""
        stand = ground.stand
        minted, granted = await mint(stand, ground.http)
        requests = LicenceRequests(stand, minted, granted, fresh_tokens=self._fresh_tokens)
        ours = Side("gateway", stand.pids, Fleet(stand.port, connections), requests.make)
        for _ in range(2):  # the first answers find their copies stale or missing, and fetch them
            sample = await ours.fleet.ask(await requests.make(len(stand.applications)))
            ours.answered += len(stand.applications)
        require_valid(sample.last_body)
        work, port = stand.directory / f"work-{new_port()}.json", new_port()
        leaf = newest_leaf(stand.database_url)
        limit_work(stand, sample.last_body, leaf, work, cache_tokens=not self._fresh_tokens)
        database = ground.new_database().removeprefix("sqlite:///")
        pid = await stand.program(
            LIMIT, "--port", str(port), "--work", str(work), "--database", database, core=stand.core
        )
        limit = Side("limit", [pid], Fleet(port, connections), requests.make)
        try:
            yield ours, limit
        finally:
            ours.fleet.close()
            limit.fleet.close()
            await stand.processes.stop_named(LIMIT)


def require_valid(answer: bytes) -> None:
    """A valid verdict from a copy at hand, or the figures are of something else. Raises ``SpeedBought``."""
    claims = claims_of(answer)
    if (claims["verdict"], claims["from_copy"]) != ("valid", True):
        raise SpeedBought(f"the verdict is {claims['verdict']}, from a copy: {claims['from_copy']}")
