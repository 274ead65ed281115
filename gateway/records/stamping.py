"""Time stamps of checkpoints: an authority signs when it was shown one, now and then, beside everything else."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import structlog

from gateway.clock import Clock
from gateway.errors import GatewayError
from gateway.records.anchoring import AnchoringTransactions
from gateway.records.ports import StoredCheckpoint, TimeStamper
from gateway.supervision import run_until

log = structlog.get_logger()


class Stamping:
    """Asks each of ``stampers`` for a token over the latest checkpoint, ``every`` so often."""

    def __init__(
        self, transactions: AnchoringTransactions, stampers: Sequence[TimeStamper], clock: Clock, every: timedelta
    ) -> None:
        self._transactions = transactions
        self._stampers = tuple(stampers)
        self._clock = clock
        self._every = every
        self._latest: StoredCheckpoint | None = None
        self._signed = asyncio.Event()

    def signed(self, latest: StoredCheckpoint) -> None:
        """``latest`` is the newest checkpoint; told again at each round, so that what failed is tried again."""
        self._latest = latest
        self._signed.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Until ``stop`` is set."""
        await run_until(stop, self._follow())

    async def _follow(self) -> None:
        while True:
            await self._signed.wait()
            self._signed.clear()
            for stamper in self._stampers:
                await self.stamp_once(stamper)

    async def stamp_once(self, stamper: TimeStamper) -> bool:
        """Have the latest checkpoint stamped if it is time; whether it was."""
        latest, now = self._latest, self._clock()
        if latest is None:
            return False
        try:
            last = await self._transactions.read(lambda tx: tx.super_log.last_time_stamp(stamper.name))
            if last is not None and timedelta() <= now - last < self._every:
                return False
            stamp = await stamper.stamp(latest.note.text.encode())
            await self._transactions.write_regardless(lambda tx: tx.super_log.add_time_stamp(latest.size, stamp))
        except GatewayError as error:
            log.warning("record.not_stamped", authority=stamper.name, check=error.check)
            return False
        except Exception as error:  # whatever it is, the next round may find it mended
            log.error("record.not_stamped", authority=stamper.name, fault=type(error).__name__)
            return False
        return True
