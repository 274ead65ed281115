"""Asks for looks that nobody hinted at: at what has expired, and at what was not looked at for long."""

import asyncio
import contextlib
from datetime import timedelta

import structlog

from gateway.clock import Clock, date_in_china
from gateway.errors import Overloaded
from gateway.rechecks.model import Reason
from gateway.rechecks.ports import RechecksTransaction
from gateway.transaction import Transactions

EVERY = timedelta(seconds=30)
BATCH = 200
"""In one commit, of each: a province's open applications do not all come due in one."""

log = structlog.get_logger()


class Sweeper:
    """Goes through the certificates of open applications."""

    def __init__(self, transactions: Transactions[RechecksTransaction], clock: Clock, interval: timedelta) -> None:
        """``interval`` is how long a certificate may go without being asked for."""
        self._transactions = transactions
        self._clock = clock
        self._interval = interval

    async def run(self, stop: asyncio.Event, every: timedelta = EVERY) -> None:
        """Until ``stop`` is set. A database that does not answer is waited out."""
        while not stop.is_set():
            try:
                full = await self.pass_once() >= BATCH
            except Overloaded as error:
                log.warning("sweep.waiting", check=error.check)
                full = False
            except Exception as error:  # the next round may find it mended
                log.error("sweep.fault", fault=type(error).__name__)
                full = False
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), 1.0 if full else every.total_seconds())

    async def pass_once(self) -> int:
        """One batch; answers how many looks were asked for."""
        now = self._clock()

        def sweep(tx: RechecksTransaction) -> int:
            certificates = tx.application_certificates
            expired = certificates.expired(date_in_china(now), BATCH)
            for application_id, kind in expired:
                tx.recheck_queue.ask(application_id, kind, Reason.EXPIRY, now)
            old = certificates.to_sweep(now - self._interval, now, BATCH)
            for application_id, kind in old:
                tx.recheck_queue.ask(application_id, kind, Reason.SWEEP, now)
            return len(expired) + len(old)

        asked = await self._transactions.write(sweep)
        if asked:
            log.info("sweep.asked", looks=asked)
        return asked
