"""How long entries have been without a checkpoint. Past a limit nothing more is written: what cannot be proved to
others soon is not done at all. Reading goes on, and so does anchoring, which ends it.
"""

import asyncio
import contextlib
from datetime import datetime, timedelta
from typing import Final

import structlog

from gateway.clock import Clock
from gateway.errors import GatewayError, Overloaded, Owner
from gateway.records.ports import SuperLogTransaction
from gateway.transaction import Transactions

LOOKED_AT: Final = timedelta(seconds=5)
RETRY_AFTER_S: Final = 10

log = structlog.get_logger()


class CheckpointLag:
    """Looks at the database now and then; ``gate`` is asked before each write. ``limit`` None is none."""

    def __init__(self, transactions: Transactions[SuperLogTransaction], clock: Clock, limit: timedelta | None) -> None:
        self._transactions = transactions
        self._clock = clock
        self._limit = limit
        self._since: datetime | None = None
        self._closed = False

    def gate(self) -> None:
        """Raises ``Overloaded`` while the oldest entry without a checkpoint is older than the limit."""
        if self._limit is None or self._since is None or self._clock() - self._since <= self._limit:
            return
        raise Overloaded(
            check="record.checkpoint_lag",
            owner=Owner.GATEWAY,
            remedy="存证检查点超过时限未能签发，暂停受理写入；请稍后重试，本次请求未产生任何效果",
            retry_after=RETRY_AFTER_S,
        )

    async def look(self) -> None:
        """Ask the database. Raises ``Overloaded`` where it does not answer; then what was seen before stands."""
        self._since = await self._transactions.read(lambda tx: tx.super_log.unanchored_since())
        try:
            self.gate()
            closed = False
        except Overloaded:
            closed = True
        if closed != self._closed:
            log.log(40 if closed else 20, "record.writes_refused" if closed else "record.writes_resumed")
        self._closed = closed

    async def run(self, stop: asyncio.Event) -> None:
        """Look until ``stop`` is set, where there is a limit."""
        if self._limit is None:
            return
        every = min(LOOKED_AT, self._limit / 4).total_seconds()
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), every)
                return
            try:
                await self.look()
            except GatewayError as error:
                log.warning("record.lag_unknown", check=error.check)
