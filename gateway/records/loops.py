"""What a process does for the record beside its work: sign checkpoints, show them to witnesses, have them stamped."""

import asyncio

from gateway.records.anchoring import Anchoring
from gateway.records.stamping import Stamping
from gateway.records.witnessing import Witnessing
from gateway.supervision import Loop, Supervisor


class RecordLoops:
    """All three, so that the last checkpoint of a process that stops is shown too."""

    def __init__(
        self, anchoring: Anchoring, witnessing: Witnessing, stamping: Stamping, supervisor: Supervisor
    ) -> None:
        self.anchoring = anchoring
        self.witnessing = witnessing
        self.stamping = stamping
        self._supervisor = supervisor

    async def run(self, stop: asyncio.Event) -> None:
        """Until ``stop`` is set and what moved before is anchored."""
        anchored = asyncio.Event()
        loops: dict[str, Loop] = {"witnessing": self.witnessing.run, "stamping": self.stamping.run}
        beside = [asyncio.create_task(self._supervisor.run(name, loop, anchored)) for name, loop in loops.items()]
        try:
            await self._supervisor.run("anchoring", self.anchoring.run, stop)
        finally:
            anchored.set()
            await asyncio.gather(*beside)
