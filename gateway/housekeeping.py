"""What has to happen without anyone asking: personal data that nobody confirmed or needs any more does not stay."""

import asyncio
import contextlib
from collections.abc import Mapping
from datetime import timedelta
from typing import Protocol

import structlog

from gateway.applications.intake import IntakeService
from gateway.certificates.ports import CertificatesUnit
from gateway.clock import Clock
from gateway.errors import GatewayError
from gateway.identity.ports import IdentityTransaction
from gateway.transaction import Transactions

EVERY = timedelta(seconds=60)

log = structlog.get_logger()


class HousekeepingTransaction(IdentityTransaction, CertificatesUnit, Protocol):
    """The slice for what is thrown away."""


class Housekeeping:
    """Purges expired intakes with the copies fetched for them, expired verification sessions, and spent copies."""

    def __init__(
        self,
        intakes: IntakeService,
        transactions: Transactions[HousekeepingTransaction],
        clock: Clock,
        copies_kept: Mapping[str, timedelta],
    ) -> None:
        """``copies_kept`` is how long a copy of each kind may stand in for its source: older ones are of no use."""
        self._intakes = intakes
        self._transactions = transactions
        self._clock = clock
        self._copies_kept = dict(copies_kept)

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

    async def purge_once(self) -> tuple[int, int, int]:
        """(intakes, sessions, copies) removed."""
        now = self._clock()
        intakes = await self._intakes.purge_expired()
        sessions = await self._transactions.write(lambda tx: tx.sessions.purge(now))
        copies = await self._transactions.write(
            lambda tx: sum(
                tx.certificate_copies.forget_older_than(kind, now - kept) for kind, kept in self._copies_kept.items()
            )
        )
        if intakes or sessions or copies:
            log.info("housekeeping.purged", intakes=intakes, sessions=sessions, copies=copies)
        return intakes, sessions, copies
