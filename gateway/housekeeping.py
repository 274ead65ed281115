"""What has to happen without anyone asking: personal data that nobody confirmed does not stay."""

import asyncio
import contextlib
from datetime import timedelta

import structlog

from gateway.applications.intake import IntakeService
from gateway.clock import Clock
from gateway.errors import GatewayError
from gateway.identity.ports import IdentityTransaction
from gateway.transaction import Transactions

EVERY = timedelta(seconds=60)

log = structlog.get_logger()


class Housekeeping:
    """Purges expired intakes with the copies fetched for them, and expired verification sessions."""

    def __init__(self, intakes: IntakeService, transactions: Transactions[IdentityTransaction], clock: Clock) -> None:
        self._intakes = intakes
        self._transactions = transactions
        self._clock = clock

    async def run(self, stop: asyncio.Event, every: timedelta = EVERY) -> None:
        """Until ``stop`` is set. A database that does not answer is waited out."""
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), every.total_seconds())
                return
            try:
                await self.purge_once()
            except GatewayError as error:
                log.warning("housekeeping.waiting", check=error.check)
            except Exception as error:  # the next round may find it mended
                log.error("housekeeping.fault", fault=type(error).__name__)

    async def purge_once(self) -> tuple[int, int]:
        """(intakes, sessions) removed."""
        now = self._clock()
        intakes = await self._intakes.purge_expired()
        sessions = await self._transactions.write(lambda tx: tx.sessions.purge(now))
        if intakes or sessions:
            log.info("housekeeping.purged", intakes=intakes, sessions=sessions)
        return intakes, sessions
