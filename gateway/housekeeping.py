"""What has to happen without anyone asking: what the time is over for does not stay, what waited is offered."""

import asyncio
import contextlib
from collections.abc import Callable
from datetime import timedelta

import structlog

from gateway.applications.intake import IntakeService
from gateway.errors import GatewayError
from gateway.projects.intake import ProjectIntake
from gateway.reconciliation.service import ReconciliationService
from gateway.retention.policies import Kept
from gateway.retention.service import RetentionService

EVERY = timedelta(seconds=60)

log = structlog.get_logger()


class Housekeeping:
    """Purges expired intakes with the copies fetched for them, and whatever else a retention policy names.

    Projects that no utility served when they were pushed are offered once one does.
    """

    def __init__(
        self,
        intakes: IntakeService,
        retention: RetentionService,
        reconciliation: ReconciliationService,
        projects: ProjectIntake,
    ) -> None:
        self._intakes = intakes
        self._reconciliation = reconciliation
        self._projects = projects
        self.retention = retention

    async def run(self, stop: asyncio.Event, every: timedelta = EVERY) -> None:
        """Until ``stop`` is set. A database that does not answer is waited out."""
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), every.total_seconds())
                return
            try:
                await self.purge_once()
                await self._projects.assign_waiting()
            except GatewayError as error:
                log.warning("housekeeping.waiting", check=error.check)
            except Exception as error:  # the next round may find it mended
                log.error("housekeeping.fault", fault=type(error).__name__)

    async def purge_once(self, actor: str = "gateway") -> dict[str, int]:
        """What was removed, by policy; an expired intake takes the copies with it that were fetched for it alone.

        What an event said is removed once its digest is kept: reconciliation has to go on without it.
        """
        await self._reconciliation.keep_digests()
        intakes = await self._intakes.purge_expired()
        removed = {**({Kept.INTAKES.value: intakes} if intakes else {}), **await self.retention.run(actor)}
        if removed:
            log.info("housekeeping.purged", **removed)
        return removed


async def forgetting(sweep_memory: Callable[[], None], stop: asyncio.Event, every: timedelta = EVERY) -> None:
    """Each process for itself: ``sweep_memory`` of what it remembered long enough, until ``stop`` is set."""
    while not stop.is_set():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), every.total_seconds())
            return
        sweep_memory()
