"""Everything of this room that runs beside serving: the worker of the queue, the readers of feeds, the sweep."""

import asyncio
from dataclasses import dataclass

from gateway.rechecks.feed import FeedReader
from gateway.rechecks.sweeper import Sweeper
from gateway.rechecks.worker import RecheckWorker
from gateway.supervision import Loop, Supervisor


@dataclass(frozen=True)
class RecheckLoops:
    """Any number of processes may run them at once."""

    worker: RecheckWorker
    feeds: FeedReader
    sweeper: Sweeper
    supervisor: Supervisor

    async def run(self, stop: asyncio.Event) -> None:
        """Until ``stop`` is set; looks under way are finished."""
        loops: dict[str, Loop] = {
            "rechecks": self.worker.run,
            "feeds": self.feeds.run,
            "sweep": self.sweeper.run,
        }
        await asyncio.gather(*(self.supervisor.run(name, loop, stop) for name, loop in loops.items()))
