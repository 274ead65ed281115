"""Paths 1a and 1b: the gateway's verified licence, the copy at hand."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.bench.hot.exchanges import ExchangePath, Sides, beside_limit
from tests.bench.hot.ground import Ground
from tests.bench.hot.licences import LicenceRequests, claims_of, limit_work, mint
from tests.bench.hot.recorded import DISCLOSED, SpeedBought, newest_leaf
from tests.bench.hot.slices import Side
from tests.bench.hot.wire import Fleet


class LicencePath(ExchangePath):
    """``fresh_tokens``: each request bears a token that was never seen before."""

    actions = (DISCLOSED,)
    from_copy = True

    def __init__(self, done: str, *, fresh_tokens: bool = False) -> None:
        super().__init__(done)
        self._fresh_tokens = fresh_tokens

    @asynccontextmanager
    async def sides(self, ground: Ground, connections: int) -> AsyncIterator[Sides]:
        """As ``ExchangePath``."""
        stand = ground.stand
        ours, answered = await self.asked_before(ground, connections)
        work = limit_work(stand, answered, newest_leaf(stand.database_url), cache_tokens=not self._fresh_tokens)
        async with beside_limit(ground, ours, await self.work(ground, work), ours.make) as sides:
            yield sides

    async def asked_before(self, ground: Ground, connections: int) -> tuple[Side, bytes]:
        """The gateway's side, with an answer of its own."""
        stand = ground.stand
        minted, granted = await mint(stand, ground.http)
        requests = LicenceRequests(stand, minted, granted, fresh_tokens=self._fresh_tokens)
        ours = Side("gateway", stand.pids, Fleet(stand.ports, connections), requests.make)
        for _ in range(2):  # the first answers find their copies stale or missing, and fetch them
            sample = await ours.fleet.ask(await requests.make(len(stand.applications) * len(stand.ports)))
            ours.answered += len(stand.applications) * len(stand.ports)
        self.require_right(sample.last_body)
        return ours, sample.last_body

    async def work(self, ground: Ground, work: dict[str, Any]) -> dict[str, Any]:
        """What the limit is told beside keys and bytes."""
        return work

    def require_right(self, answer: bytes) -> None:
        """As ``ExchangePath``: a valid verdict, from where the path says."""
        claims = claims_of(answer)
        if (claims["verdict"], claims["from_copy"]) != ("valid", self.from_copy):
            raise SpeedBought(f"the verdict is {claims['verdict']}, from a copy: {claims['from_copy']}")
