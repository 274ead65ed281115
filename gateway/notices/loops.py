"""Everything of this room that runs beside serving."""

import asyncio
from dataclasses import dataclass

from gateway.notices.sending import NoticeSender
from gateway.notices.watching import DeadlineWatch
from gateway.supervision import Supervisor


@dataclass(frozen=True)
class NoticeLoops:
    """Any number of processes may run them at once."""

    deadlines: DeadlineWatch
    sender: NoticeSender
    supervisor: Supervisor

    async def run(self, stop: asyncio.Event) -> None:
        """Until ``stop`` is set."""
        await asyncio.gather(
            self.supervisor.run("deadlines", self.deadlines.run, stop),
            self.supervisor.run("notices", self.sender.run, stop),
        )
