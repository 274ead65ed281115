"""Checkpoints leave the building: each witness is shown the latest one, by itself, and what it signs is kept.

A witness that is slow or down holds up neither the others nor the next checkpoint.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from gateway.errors import GatewayError
from gateway.records.anchoring import AnchoringTransactions
from gateway.records.checkpoints import cosignatures_of
from gateway.records.errors import CheckpointContradicted
from gateway.records.notes import VerifierKey
from gateway.records.ports import StoredCheckpoint, Submission, Witness
from gateway.records.stored_tree import StoredTree
from gateway.records.super_log import SUPER_LOG
from gateway.supervision import run_until

FIRST_PAUSE_S: Final = 1.0
LONGEST_PAUSE_S: Final = 300.0
CLOSE_WITHIN_S: Final = 5.0

log = structlog.get_logger()


WitnessGauge = Callable[[str, int, bool], None]
"""Is told how a witness stands: its name, how many leaves it has not seen, and whether it saw others."""


class Witnessing:
    """Shows checkpoints to ``witnesses``, whose ``keys`` (type 0x04) prove their cosignatures."""

    def __init__(
        self,
        transactions: AnchoringTransactions,
        witnesses: Sequence[Witness],
        keys: Sequence[VerifierKey],
        told: WitnessGauge = lambda *_: None,
        first_pause_s: float = FIRST_PAUSE_S,
    ) -> None:
        self._transactions = transactions
        self._witnesses = tuple(witnesses)
        self._keys = tuple(keys)
        self._told = told
        self._first_pause_s = first_pause_s
        self._latest: StoredCheckpoint | None = None
        self._seen: dict[str, int] = {}
        self._signed = asyncio.Event()

    def signed(self, latest: StoredCheckpoint) -> None:
        """``latest`` is the newest checkpoint. Answers at once."""
        if self._latest is None or latest.size > self._latest.size:
            self._latest = latest
            for witness in self._witnesses:
                self._told(witness.name, latest.size - self._seen.get(witness.name, 0), False)
            self._signed.set()
            self._signed = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        """Show them until ``stop`` is set; what was not shown then is shown once more, within a bounded time."""
        if not self._witnesses:
            await stop.wait()
            return
        await run_until(stop, *(self._follow(witness) for witness in self._witnesses))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_WITHIN_S):
                await asyncio.gather(*(self.show(witness) for witness in self._witnesses))

    async def _follow(self, witness: Witness) -> None:
        pause = self._first_pause_s
        while True:
            signed = self._signed
            if self._behind(witness) and not await self.show(witness):
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE_S)
                continue
            pause = self._first_pause_s
            if not self._behind(witness):
                await signed.wait()

    def _behind(self, witness: Witness) -> int:
        return 0 if self._latest is None else self._latest.size - self._seen.get(witness.name, 0)

    async def show(self, witness: Witness) -> bool:
        """Show it the latest checkpoint unless it saw it; False where that failed, which is told in the log."""
        latest = self._latest
        if latest is None or not self._behind(witness):
            return True
        try:
            lines = await witness.observe(Submission(latest.note, latest.size, _ProofTo(self._transactions, latest)))
            found = cosignatures_of(latest.note.also_signed(lines), self._keys) if lines else ()
            if found:
                await self._transactions.write_regardless(lambda tx: tx.super_log.add_cosignatures(latest.size, found))
        except CheckpointContradicted as error:
            log.error("record.checkpoint_contradicted", witness=witness.name, check=error.check, size=latest.size)
            self._told(witness.name, self._behind(witness), True)
            return False
        except GatewayError as error:
            log.warning("record.not_witnessed", witness=witness.name, check=error.check)
            return False
        except Exception as error:  # whatever it is, the next try may find it mended
            log.error("record.not_witnessed", witness=witness.name, fault=type(error).__name__)
            return False
        self._seen[witness.name] = latest.size
        self._told(witness.name, self._behind(witness), False)
        return True


class _ProofTo:
    """``ConsistencySource`` up to one checkpoint, read when it is asked for."""

    def __init__(self, transactions: AnchoringTransactions, checkpoint: StoredCheckpoint) -> None:
        self._transactions = transactions
        self._size = checkpoint.size

    async def __call__(self, old_size: int) -> Sequence[bytes]:
        return await self._transactions.read(
            lambda tx: StoredTree(tx.super_log, SUPER_LOG, self._size).consistency_proof(old_size)
        )
