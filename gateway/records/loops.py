"""What a process does for the record beside its work: sign checkpoints, show them to witnesses, have them stamped."""

import asyncio

from gateway.records.anchoring import Anchoring
from gateway.records.stamping import Stamping
from gateway.records.witnessing import Witnessing


class RecordLoops:
    """All three, so that the last checkpoint of a process that stops is shown too."""

    def __init__(self, anchoring: Anchoring, witnessing: Witnessing, stamping: Stamping) -> None:
        self.anchoring = anchoring
        self.witnessing = witnessing
        self.stamping = stamping

    async def run(self, stop: asyncio.Event) -> None:
        """Until ``stop`` is set and what moved before is anchored."""
        anchored = asyncio.Event()
        beside = [asyncio.create_task(each.run(anchored)) for each in (self.witnessing, self.stamping)]
        try:
            await self.anchoring.run(stop)
        finally:
            anchored.set()
            await asyncio.gather(*beside)
