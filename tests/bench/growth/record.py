"""A record in bulk: entries, seals, subtrees, leaves of the super log and checkpoints.

They are made as writer and anchoring make them. Every hash and signature is real, so that proofs prove and an audit
finds the record whole.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection, insert, update

from adapters.storage.record_trees import (
    record_checkpoints,
    record_subtrees,
    record_super_leaves,
    record_super_log,
)
from adapters.storage.records import record_entries, record_logs, record_seals
from adapters.storage.writer import MOST_UNITS
from gateway.records.checkpoints import Checkpoint, NoteSigner, sign_checkpoint
from gateway.records.entries import RecordEntry, encode_entry
from gateway.records.log import LogHead
from gateway.records.merkle import EMPTY, Subtree, leaf_hash
from gateway.records.notes import ED25519_TYPE, VerifierKey
from gateway.records.seal_key import SealSigner
from gateway.records.super_log import SUPER_LOG, SuperLeaf, encode_leaf
from tests.bench.growth.bulk import Bulk
from tests.support.anchoring import ORIGIN

SIGNER = SealSigner("seal-growth", Ed25519PrivateKey.from_private_bytes(b"a record that grows".ljust(32)))
"""The same in every process: a database that was filled once can be measured again."""
SEAL_KEYS = {SIGNER.key_id: SIGNER.private_key.public_key()}
NOTE_SIGNER = NoteSigner(
    VerifierKey(ORIGIN, ED25519_TYPE, SIGNER.private_key.public_key().public_bytes_raw()), SIGNER.sign
)
LOG_ID = "9f0a1b2c3d4e"

_TABLES = (record_entries, record_seals, record_subtrees, record_super_leaves, record_checkpoints)


class BulkRecord:
    """One log, sealed as often as the writer would at its fullest; each seal is anchored and has a checkpoint."""

    def __init__(self, bulk: Bulk, connection: Connection, began_at: datetime) -> None:
        self._bulk = bulk
        self._head = LogHead(LOG_ID)
        self._super = EMPTY
        self._waiting: list[RecordEntry] = []
        self._rows: dict[Any, list[dict[str, Any]]] = {table: [] for table in _TABLES}
        self._connection = connection
        connection.execute(insert(record_logs).values({**self._of_head(began_at), "log_id": LOG_ID}))

    @property
    def size(self) -> int:
        """Entries so far."""
        return self._head.frontier.size + len(self._waiting)

    def append(self, entry: RecordEntry) -> str:
        """Answers the record id."""
        self._waiting.append(entry)
        if len(self._waiting) == MOST_UNITS:
            self._seal(entry.at)
        return f"{LOG_ID}-{self.size}"

    def flush(self) -> None:
        """Write what was sealed."""
        for table, rows in self._rows.items():
            self._bulk.write(table, rows)
            rows.clear()

    def finish(self, at: datetime) -> None:
        """Seal the rest and store both heads; the log is free for the next writer."""
        if self._waiting:
            self._seal(at)
        self.flush()
        self._connection.execute(update(record_logs).values(self._of_head(at)))
        self._connection.execute(
            update(record_super_log)
            .where(record_super_log.c.name == SUPER_LOG)
            .values(size=self._super.size, peaks=b"".join(self._super.peaks))
        )

    def _of_head(self, at: datetime) -> dict[str, Any]:
        head = self._head
        return {
            "holder": "",
            "held_until": at - timedelta(minutes=1),
            "size": head.frontier.size,
            "seals": head.seals,
            "peaks": b"".join(head.frontier.peaks),
            "last_seal_hash": head.last_seal_hash,
        }

    def _seal(self, at: datetime) -> None:
        entries, self._waiting = self._waiting, []
        leaves = [encode_entry(entry) for entry in entries]
        hashes = [leaf_hash(leaf) for leaf in leaves]
        seal, self._head, completed = self._head.sealed(hashes, at, SIGNER.key_id, SIGNER.sign)
        self._rows[record_entries] += [
            {
                "log_id": LOG_ID,
                "sequence": sequence,
                "leaf_hash": hashed,
                "leaf": leaf,
                "action": entry.action,
                "subject": entry.subject,
            }
            for sequence, (entry, leaf, hashed) in enumerate(
                zip(entries, leaves, hashes, strict=True), seal.first_sequence
            )
        ]
        self._rows[record_seals].append(dict(seal.__dict__))
        self._take(LOG_ID, completed)
        self._anchor(SuperLeaf(LOG_ID, seal.last_sequence, seal.number, seal.root), at)

    def _anchor(self, leaf: SuperLeaf, at: datetime) -> None:
        data, position = encode_leaf(leaf), self._super.size
        self._super, completed = self._super.extended([leaf_hash(data)])
        self._take(SUPER_LOG, completed)
        filed = {"log_id": leaf.log_id, "last": leaf.last, "number": leaf.number}
        self._rows[record_super_leaves].append(
            {"position": position, "leaf_hash": leaf_hash(data), "leaf": data, **filed}
        )
        checkpoint = Checkpoint(ORIGIN, self._super.size, self._super.root)
        note = str(sign_checkpoint(checkpoint, [NOTE_SIGNER]))
        self._rows[record_checkpoints].append(
            {"size": checkpoint.size, "root": checkpoint.root, "signed_at": at, "note": note}
        )

    def _take(self, log_id: str, completed: Sequence[Subtree]) -> None:
        self._rows[record_subtrees] += [
            {"log_id": log_id, "level": each.level, "position": each.position, "root": each.root} for each in completed
        ]
