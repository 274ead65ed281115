"""Everything of this room that runs beside serving: the worker of the queue, the readers of feeds, the sweep."""

import asyncio
from dataclasses import dataclass

from gateway.rechecks.feed import FeedReader
from gateway.rechecks.sweeper import Sweeper
from gateway.rechecks.worker import RecheckWorker


@dataclass(frozen=True)
class RecheckLoops:
    """Any number of processes may run them at once."""

    worker: RecheckWorker
    feeds: FeedReader
    sweeper: Sweeper

    async def run(self, stop: asyncio.Event) -> None:
        """Until ``stop`` is set; looks under way are finished."""
        await asyncio.gather(self.worker.run(stop), self.feeds.run(stop), self.sweeper.run(stop))
