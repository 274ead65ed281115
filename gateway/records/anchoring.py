"""What carries the record out of the process: leaves for the logs that moved, and a signed checkpoint over them.

One process at a time does so, by a lease; any other takes over when it lapsed. On SQLite there is one anyway.

Nothing is signed that does not follow from the last checkpoint that was kept: in the database, outside of it, and by
this process. Who restored or rewrote the database would otherwise make the gateway sign a second history.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol, TypeVar

import structlog

from gateway.clock import Clock
from gateway.errors import GatewayError
from gateway.records.checkpoints import Checkpoint, NoteSigner, parse_checkpoint, sign_checkpoint
from gateway.records.errors import checkpoint_refused
from gateway.records.merkle import SUBTREE_BITS, ProofInvalid, Subtree, verify_consistency
from gateway.records.ports import KeptCheckpoint, StoredCheckpoint, SuperLogTransaction
from gateway.records.stored_tree import StoredTree, TreeIncomplete
from gateway.records.super_log import SUPER_LOG
from gateway.transaction import Transactions

ResultT = TypeVar("ResultT")
LEASE: Final = timedelta(seconds=30)
"""How long nobody else anchors after a round, where nothing else is set."""
NOBODY: Final = ""
LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""Whose the lease is, and until when, while it is free."""
FILLED_AT_ONCE: Final = 16
"""Subtrees that one transaction fills in: as many times 256 hashes are read for them."""

log = structlog.get_logger()


class AnchoringTransactions(Transactions[SuperLogTransaction], Protocol):
    """The database as anchoring needs it."""

    async def write_regardless(self, work: Callable[[SuperLogTransaction], ResultT]) -> ResultT:
        """``write``, also while other writes are refused because checkpoints lag: it is what ends that."""
        ...


class Anchoring:
    """Appends to the super log and signs its checkpoints.

    ``origin`` names the super log, ``holder`` this process; ``signers`` are the log's, the first one Ed25519.
    ``signed`` is told of each checkpoint that this process finds to be the latest while it holds the lease. ``kept``
    has the last one that left the database; ``contradicted`` is told at each round whether the record follows from it.
    ``lease`` is how long nobody else anchors after a round; rounds further apart hold it for three of them.
    """

    def __init__(
        self,
        transactions: AnchoringTransactions,
        clock: Clock,
        origin: str,
        signers: Sequence[NoteSigner],
        holder: str,
        every: timedelta,
        signed: Callable[[StoredCheckpoint], None] = lambda _: None,
        *,
        kept: KeptCheckpoint | None = None,
        contradicted: Callable[[bool], None] = lambda _: None,
        lease: timedelta = LEASE,
    ) -> None:
        self._transactions = transactions
        self._clock = clock
        self._origin = origin
        self._signers = tuple(signers)
        self._holder = holder
        self._every = every
        self._lease = max(lease, 3 * every)
        self._signed = signed
        self._kept = kept
        self._contradicted = contradicted
        self._last: Checkpoint | None = None
        self._refusing = False
        self._filled: dict[tuple[str, int], int] = {}
        self._told = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Anchor until ``stop`` is set, once more then, and leave it to others. What fails is told and tried again."""
        failing = False
        while True:
            last_round = stop.is_set()
            try:
                await self.anchor_once()
                failing = False
            except GatewayError as error:
                if not failing:
                    log.warning("record.not_anchored", check=error.check)
                failing = True
            except Exception as error:  # whatever it is, the next round may find it mended
                log.error("record.not_anchored", fault=type(error).__name__)
            if last_round:
                await self._let_go()
                return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), self._every.total_seconds())

    async def anchor_once(self) -> StoredCheckpoint | None:
        """Anchor what moved; answers the latest checkpoint, or None where there is none or another process anchors.

        Where nothing moved nothing is written. Raises ``Overloaded``, and ``RecordDamaged`` where the record does not
        follow from a checkpoint that was kept, or whether it does cannot be known.
        """
        holder, moved = await self._transactions.read(_state)
        now = self._clock()
        if not self._may_hold(now, *holder):
            self._contradicted(False)  # whoever holds it looks
            return None
        kept = await self._kept_before()
        if moved:
            await self.fill_subtrees()
            latest = await self._guarded(
                self._transactions.write_regardless(lambda tx: self._anchor(tx, self._clock(), kept))
            )
        else:
            latest = await self._guarded(self._transactions.read(lambda tx: _require_growth(tx, kept)))
        if latest is not None:
            self._last = parse_checkpoint(latest.note.text)
            if latest.size != self._told:
                log.info("record.checkpoint", size=latest.size)
                self._told = latest.size
            self._signed(latest)
        return latest

    async def _let_go(self) -> None:
        """The next process anchors at once. Where that cannot be written, it does when the lease has lapsed."""
        try:
            await self._transactions.write_regardless(lambda tx: tx.super_log.take(self._holder, NOBODY, LONG_AGO))
        except Exception as error:  # a process ends, whatever it is
            log.warning("record.lease_not_released", error=type(error).__name__)

    def _may_hold(self, now: datetime, holder: str, until: datetime) -> bool:
        """A lease further ahead than any is given was given by a clock that was wrong."""
        return holder == self._holder or not now <= until <= now + 2 * self._lease

    async def _kept_before(self) -> list[Checkpoint]:
        """What left the database, and what this process saw; under another name it is of a record that ended."""
        outside = await asyncio.to_thread(self._kept.latest) if self._kept is not None else None
        return [each for each in (outside, self._last) if each is not None and each.origin == self._origin]

    async def _guarded(self, work: Awaitable[ResultT]) -> ResultT:
        """``work``, and whether it was refused for what was kept is told: always to the metric, once to the log."""
        try:
            result = await work
        except _Contradicted as refused:
            if not self._refusing:
                log.error("record.checkpoint_refused", kept=refused.kept, size=refused.size)
            self._refusing = True
            self._contradicted(True)
            raise checkpoint_refused(
                "contradicted", "存证与此前签发的检查点矛盾，不再签发：请停止写入，核查数据库是否被恢复或改动"
            ) from None
        self._refusing = False
        self._contradicted(False)
        return result

    def _anchor(self, tx: SuperLogTransaction, now: datetime, kept: Sequence[Checkpoint]) -> StoredCheckpoint | None:
        head = tx.super_log.head()
        if not self._may_hold(now, head.holder, head.held_until):
            return None
        if not tx.super_log.take(head.holder, self._holder, now + self._lease):
            return None
        moved, before = tx.super_log.moved(), tx.super_log.head().frontier
        after = tx.super_log.append(before, moved) if moved else before
        latest = _require_growth(tx, kept)
        if not moved:
            return latest
        checkpoint = Checkpoint(self._origin, after.size, after.root)
        stored = StoredCheckpoint(after.size, after.root, now, sign_checkpoint(checkpoint, self._signers))
        tx.super_log.add_checkpoint(stored)
        return stored

    async def fill_subtrees(self) -> int:
        """Store the complete subtrees that are missing: of logs from before there were any, or by a writer that
        does not know them. Answers how many.
        """
        filled = 0
        for log_id, size in await self._transactions.read(lambda tx: tx.super_log.logs()):
            level = 1
            while complete := size >> (level * SUBTREE_BITS):
                filled += await self._fill(log_id, size, level, complete)
                level += 1
        if filled:
            log.info("record.subtrees_filled", count=filled)
        return filled

    async def _fill(self, log_id: str, size: int, level: int, complete: int) -> int:
        first = self._filled.get((log_id, level), 0)
        if first >= complete:
            return 0
        missing = await self._transactions.read(
            lambda tx: tx.super_log.missing_subtrees(log_id, level, first, complete)
        )
        for start in range(0, len(missing), FILLED_AT_ONCE):
            chosen = missing[start : start + FILLED_AT_ONCE]

            def compute(tx: SuperLogTransaction, chosen: Sequence[int] = chosen) -> list[Subtree]:
                tree = StoredTree(tx.super_log, log_id, size)
                return [Subtree(level, index, tree.subtree(level, index)) for index in chosen]

            try:
                computed = await self._transactions.read(compute)
            except TreeIncomplete:  # an entry is gone: its audit says so, and other logs are anchored all the same
                log.error("record.entry_missing", log_id=log_id)
                return start
            await self._transactions.write_regardless(
                lambda tx, computed=computed: tx.super_log.store_subtrees(log_id, computed)  # type: ignore[misc]
            )
        self._filled[log_id, level] = complete
        return len(missing)


class _Contradicted(Exception):
    """A checkpoint of ``kept`` leaves was kept that the record of ``size`` leaves does not follow from."""

    def __init__(self, kept: int, size: int) -> None:
        super().__init__(kept, size)
        self.kept, self.size = kept, size


def _require_growth(tx: SuperLogTransaction, kept: Sequence[Checkpoint]) -> StoredCheckpoint | None:
    """The latest checkpoint in the database. Raises ``_Contradicted`` unless the super log, as it stands in this
    unit of work, follows from that one and from ``kept``.
    """
    latest, grown = tx.super_log.latest_checkpoint(), tx.super_log.head().frontier
    tree = StoredTree(tx.super_log, SUPER_LOG, grown.size)
    before = {(each.size, each.root) for each in (*kept, *(() if latest is None else (latest,)))}
    for size, root in sorted(before):
        try:
            verify_consistency(size, grown.size, tree.consistency_proof(size), root, grown.root)
        except (ProofInvalid, TreeIncomplete):
            raise _Contradicted(size, grown.size) from None
    return latest


def _state(tx: SuperLogTransaction) -> tuple[tuple[str, datetime], bool]:
    head = tx.super_log.head()
    return (head.holder, head.held_until), bool(tx.super_log.moved())
