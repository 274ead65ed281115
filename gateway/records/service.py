"""Proofs out of the database: of an entry, of the record's growth, and what an outside monitor follows it by."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import orjson

from gateway.caller import Caller, Role
from gateway.records.checkpoints import parse_checkpoint
from gateway.records.errors import RecordDamaged, RecordNotAnchored, no_checkpoint, record_unknown
from gateway.records.merkle import ProofInvalid, verify_consistency
from gateway.records.notes import VerifierKey
from gateway.records.ports import ProvingTransaction, StoredCheckpoint, StoredEntry, SuperLog, TimeStamp
from gateway.records.record_proof import RecordProof, verify_hashes
from gateway.records.stored_tree import StoredTree, TreeIncomplete
from gateway.records.super_log import SUPER_LOG, decode_leaf
from gateway.transaction import Transactions
from gateway.wording.phrases import Phrase

_RECORD_ID: Final = re.compile(r"([A-Za-z0-9_-]{1,64})-([1-9][0-9]{0,17})")
MAX_LEAVES: Final = 1000


@dataclass(frozen=True)
class Growth:
    """That the super log of ``new_size`` leaves begins with that of ``old_size``."""

    old_size: int
    new_size: int
    proof: Sequence[bytes]


@dataclass(frozen=True)
class LeafPage:
    """Leaves of the super log from the ``first`` on; ``size`` is how many the latest checkpoint has."""

    first: int
    size: int
    leaves: Sequence[bytes]


@dataclass(frozen=True)
class PublishedVerifierKeys:
    """Answers every key that signs checkpoints now or did so, retiring ones included."""

    now: Callable[[], tuple[VerifierKey, ...]]


class RecordProofs:
    """存证证明. What it answers was checked against the checkpoint that it answers with."""

    def __init__(self, transactions: Transactions[ProvingTransaction], wait_s: int) -> None:
        """``wait_s`` – seconds after which an entry that no checkpoint covers yet may have one."""
        self._transactions = transactions
        self._wait_s = wait_s

    async def for_partner(self, caller: Caller, record_id: str) -> tuple[RecordProof, Sequence[TimeStamp]]:
        """To operators and auditors of every entry, to others of their own and of those about their applications.

        Raises ``RecordUnknown``, ``RecordNotAnchored``, ``RecordDamaged``.
        """

        def may_know(tx: ProvingTransaction, entry: StoredEntry) -> bool:
            if caller.role in (Role.OPERATOR, Role.AUDITOR):
                return True
            if _actor(entry) == caller.partner_code:
                return True
            of_utility = caller.role is Role.UTILITY and entry.subject is not None
            return of_utility and tx.record_subjects.utility_of(str(entry.subject)) == caller.partner_code

        return await self._transactions.read(lambda tx: self._prove(tx, record_id, may_know))

    async def about(self, subject: str, record_id: str) -> tuple[RecordProof, Sequence[TimeStamp]]:
        """Of an entry about ``subject``, to whom that is the caller's to know. Raises as ``for_partner``."""
        return await self._transactions.read(
            lambda tx: self._prove(tx, record_id, lambda _, entry: entry.subject == subject)
        )

    async def of_any(self, record_id: str) -> tuple[RecordProof, Sequence[TimeStamp]]:
        """To officers of the console, who may know every entry: none tells a person. Raises as ``for_partner``."""
        return await self._transactions.read(lambda tx: self._prove(tx, record_id, lambda *_: True))

    async def checkpoints(self, limit: int) -> Sequence[tuple[StoredCheckpoint, Sequence[TimeStamp]]]:
        """The latest, newest first, each with what authorities stamped."""
        return await self._transactions.read(
            lambda tx: [(each, tx.super_log.time_stamps(each.size)) for each in tx.super_log.latest_checkpoints(limit)]
        )

    async def checkpoint(self) -> StoredCheckpoint:
        """The latest. Raises ``CheckpointUnknown`` before there is one."""
        return await self._transactions.read(lambda tx: _latest(tx.super_log))

    async def growth(self, old_size: int, new_size: int | None) -> Growth:
        """From ``old_size`` to ``new_size`` leaves, or to the latest checkpoint.

        Raises ``CheckpointUnknown`` for sizes that no checkpoint reaches or that shrink, ``RecordDamaged``.
        """

        def work(tx: ProvingTransaction) -> Growth:
            latest = _latest(tx.super_log).size
            upto = latest if new_size is None else new_size
            if not 0 <= old_size <= upto <= latest:
                raise no_checkpoint("size", Phrase("from 不得大于 to，to 不得大于最新检查点的 {latest}", latest=latest))
            newer, older = (StoredTree(tx.super_log, SUPER_LOG, size) for size in (upto, old_size))
            try:
                proof = newer.consistency_proof(old_size)
                verify_consistency(old_size, upto, proof, older.root(), newer.root())
            except (ProofInvalid, TreeIncomplete):
                raise RecordDamaged from None
            if any(tx.super_log.root_signed_at(each.size) not in (None, each.root()) for each in (older, newer)):
                raise RecordDamaged
            return Growth(old_size, upto, proof)

        return await self._transactions.read(work)

    async def leaves(self, first: int, count: int) -> LeafPage:
        """At most ``count`` (up to ``MAX_LEAVES``) leaves that the latest checkpoint covers."""

        def work(tx: ProvingTransaction) -> LeafPage:
            latest = tx.super_log.latest_checkpoint()
            size = latest.size if latest is not None else 0
            few = max(0, min(count, MAX_LEAVES, size - first))
            return LeafPage(first, size, tx.super_log.leaves(first, few) if few else [])

        return await self._transactions.read(work)

    def _prove(
        self,
        tx: ProvingTransaction,
        record_id: str,
        may_know: Callable[[ProvingTransaction, StoredEntry], bool],
    ) -> tuple[RecordProof, Sequence[TimeStamp]]:
        named = _RECORD_ID.fullmatch(record_id)
        entry = tx.super_log.entry(named[1], int(named[2])) if named else None
        if entry is None or not may_know(tx, entry):
            raise record_unknown()
        proof = prove_entry(tx.super_log, entry)
        if proof is None:
            raise RecordNotAnchored(retry_after=self._wait_s)
        return proof, tx.super_log.time_stamps(parse_checkpoint(proof.checkpoint.text).size)


def prove_entry(log: SuperLog, entry: StoredEntry) -> RecordProof | None:
    """The proof of ``entry``, checked; None while no checkpoint covers it. Raises ``RecordDamaged``."""
    index = log.leaf_covering(entry.log_id, entry.sequence)
    checkpoint = None if index is None else log.checkpoint_covering(index)
    if index is None or checkpoint is None:
        return None
    try:
        (leaf,) = log.leaves(index, 1)
        last = decode_leaf(leaf).last
        proof = RecordProof(
            entry.log_id,
            entry.sequence,
            entry.leaf,
            last,
            StoredTree(log, entry.log_id, last).inclusion_proof(entry.sequence - 1),
            leaf,
            index,
            StoredTree(log, SUPER_LOG, checkpoint.size).inclusion_proof(index),
            checkpoint.note,
        )
        verify_hashes(proof)
    except (ValueError, TreeIncomplete):
        raise RecordDamaged from None
    return proof


def _latest(log: SuperLog) -> StoredCheckpoint:
    latest = log.latest_checkpoint()
    if latest is None:
        raise no_checkpoint("no_checkpoint", "尚未签发任何检查点，请稍后重试")
    return latest


def _actor(entry: StoredEntry) -> str | None:
    said = orjson.loads(entry.leaf)
    return said.get("actor") if isinstance(said, dict) else None
