"""What a process does for the record beside its work: sign checkpoints, and show them to witnesses."""

import asyncio

from gateway.records.anchoring import Anchoring
from gateway.records.witnessing import Witnessing


class RecordLoops:
    """Both, so that the last checkpoint of a process that stops is shown too."""

    def __init__(self, anchoring: Anchoring, witnessing: Witnessing) -> None:
        self.anchoring = anchoring
        self.witnessing = witnessing

    async def run(self, stop: asyncio.Event) -> None:
        """Until ``stop`` is set and what moved before is anchored."""
        anchored = asyncio.Event()
        shown = asyncio.create_task(self.witnessing.run(anchored))
        try:
            await self.anchoring.run(stop)
        finally:
            anchored.set()
            await shown
