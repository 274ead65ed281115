"""Reads the whole record for its audit: values as they lie in the database, in streams."""

from collections.abc import Generator, Sequence
from typing import Any

from sqlalchemy import Row, func, select

from adapters.storage.record_trees import (
    record_checkpoints,
    record_cosignatures,
    record_subtrees,
    record_super_leaves,
    record_super_log,
    record_time_stamps,
)
from adapters.storage.records import SqlRecordReader, all_raw, as_bytes, as_text, as_whole, cut_peaks, raw, record_logs
from gateway.records.merkle import Frontier, Subtree
from gateway.records.ports import NotAsWritten, StoredSuperLeaf


class SqlAuditReader(SqlRecordReader):
    """``gateway.records.ports.AuditReader``."""

    def expected(self) -> int | None:
        """How many entries and leaves there should be, for a progress bar; None where that cannot be told."""
        sizes = (select(func.sum(table.c.size)) for table in (record_logs, record_super_log))
        try:
            return sum(int(self._statements.execute(query).scalar_one() or 0) for query in sizes)
        except (ValueError, TypeError):
            return None

    def super_heads(self) -> Sequence[Frontier]:
        heads = []
        for row in self._statements.execute(all_raw(record_super_log)):
            try:
                peaks = cut_peaks(as_bytes(row.peaks, "peaks of the super log"))
                heads.append(Frontier(as_whole(row.size, "size of the super log"), peaks))
            except ValueError:
                raise NotAsWritten("the peaks of the super log do not fit its size") from None
        return heads

    def super_leaves(self) -> Generator[StoredSuperLeaf]:
        place = record_super_leaves.c.position
        for row in self._stream(all_raw(record_super_leaves), place.is_not(None), place):
            yield _super_leaf(row)

    def super_leaves_of(self, log_id: str) -> Generator[StoredSuperLeaf]:
        own = record_super_leaves.c.log_id == log_id
        for row in self._stream(all_raw(record_super_leaves), own, record_super_leaves.c.last):
            yield _super_leaf(row)

    def checkpoints(self) -> Generator[tuple[int, bytes, str]]:
        place = record_checkpoints.c.size
        for row in self._stream(all_raw(record_checkpoints), place.is_not(None), place):
            size = as_whole(row.size, "size of a checkpoint")
            named = f"of checkpoint {size}"
            yield size, as_bytes(row.root, f"root {named}"), as_text(row.note, f"note {named}")

    def cosignatures(self, size: int) -> Sequence[tuple[str, str, str]]:
        rows = self._statements.execute(all_raw(record_cosignatures).where(record_cosignatures.c.size == size))
        named = f"of a cosignature of checkpoint {size}"
        return [
            (as_text(row.witness, f"witness {named}"), as_text(row.key_id, f"key {named}"), as_text(row.line, named))
            for row in rows
        ]

    def stored_time_stamps(self, size: int) -> Sequence[tuple[str, bytes]]:
        rows = self._statements.execute(all_raw(record_time_stamps).where(record_time_stamps.c.size == size))
        named = f"of a time stamp of checkpoint {size}"
        return [(as_text(row.authority, f"authority {named}"), as_bytes(row.token, f"token {named}")) for row in rows]

    def subtree_logs(self) -> Sequence[str]:
        rows = self._statements.execute(select(raw(record_subtrees.c.log_id)).distinct())
        return [as_text(log_id, "log_id of a subtree") for (log_id,) in rows]

    def subtree_levels(self, log_id: str) -> Sequence[int]:
        own = record_subtrees.c.log_id == log_id
        rows = self._statements.execute(select(raw(record_subtrees.c.level)).where(own).distinct())
        return [as_whole(level, f"level of a subtree of {log_id}") for (level,) in rows]

    def subtrees(self, log_id: str, level: int) -> Generator[Subtree]:
        own = (record_subtrees.c.log_id == log_id) & (record_subtrees.c.level == level)
        for row in self._stream(all_raw(record_subtrees), own, record_subtrees.c.position):
            position = as_whole(row.position, f"position of a subtree of {log_id}")
            yield Subtree(level, position, as_bytes(row.root, f"root of subtree {position} of {log_id}"))

    def unchecked(self) -> Sequence[tuple[str, int]]:
        there = select(record_checkpoints.c.size)
        found: list[tuple[str, int]] = []
        for table in (record_cosignatures, record_time_stamps):
            rows = self._statements.execute(select(raw(table.c.size)).where(table.c.size.not_in(there)).limit(1))
            found += [(table.name, as_whole(size, f"size of {table.name}")) for (size,) in rows]
        return found


def _super_leaf(row: Row[Any]) -> StoredSuperLeaf:
    values = row._mapping
    position = as_whole(values["position"], "position of a leaf of the super log")
    named = f"of leaf {position} of the super log"
    return StoredSuperLeaf(
        position,
        as_bytes(values["leaf_hash"], f"leaf_hash {named}"),
        as_bytes(values["leaf"], f"leaf {named}"),
        as_text(values["log_id"], f"log_id {named}"),
        as_whole(values["last"], f"last {named}"),
        as_whole(values["number"], f"number {named}"),
    )
