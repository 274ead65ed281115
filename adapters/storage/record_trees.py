"""Tables and repository of the super log: complete subtrees of all logs, leaves, checkpoints, what others signed."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Select,
    Table,
    Text,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert as insert_or

from adapters.storage.applications import applications
from adapters.storage.records import cut_peaks, record_entries, record_logs, record_seals, stored_entry
from adapters.storage.statements import Statements
from adapters.storage.tables import UtcInstant, metadata
from gateway.records.checkpoints import Cosignature
from gateway.records.merkle import Frontier, Subtree, leaf_hash
from gateway.records.notes import parse_note, parse_signature_lines
from gateway.records.ports import StoredCheckpoint, StoredEntry, SuperHead, TimeStamp
from gateway.records.super_log import SUPER_LOG, SuperLeaf, encode_leaf

record_subtrees = Table(
    "record_subtrees",
    metadata,
    Column("log_id", Text, primary_key=True),
    Column("level", Integer, primary_key=True),
    Column("position", BigInteger, primary_key=True),
    Column("root", LargeBinary, nullable=False),
)

record_super_log = Table(
    "record_super_log",
    metadata,
    Column("name", Text, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("held_until", UtcInstant, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("peaks", LargeBinary, nullable=False),
)

record_super_leaves = Table(
    "record_super_leaves",
    metadata,
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("leaf_hash", LargeBinary, nullable=False),
    Column("leaf", LargeBinary, nullable=False),
    Column("log_id", Text, nullable=False),
    Column("last", BigInteger, nullable=False),
    Column("number", BigInteger, nullable=False),
    Index("ix_record_super_leaves_log_id", "log_id", "last"),
)

record_checkpoints = Table(
    "record_checkpoints",
    metadata,
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("root", LargeBinary, nullable=False),
    Column("signed_at", UtcInstant, nullable=False),
    Column("note", Text, nullable=False),
)

record_cosignatures = Table(
    "record_cosignatures",
    metadata,
    Column("size", BigInteger, ForeignKey("record_checkpoints.size"), primary_key=True),
    Column("witness", Text, primary_key=True),
    Column("key_id", Text, primary_key=True),
    Column("line", Text, nullable=False),
    Column("seen_at", UtcInstant, nullable=False),
)

record_time_stamps = Table(
    "record_time_stamps",
    metadata,
    Column("size", BigInteger, ForeignKey("record_checkpoints.size"), primary_key=True),
    Column("authority", Text, primary_key=True),
    Column("token", LargeBinary, nullable=False),
    Column("stamped_at", UtcInstant, nullable=False),
    Index("ix_record_time_stamps_authority", "authority", "stamped_at"),
)


def store_subtrees(connection: Connection, log_id: str, subtrees: Sequence[Subtree]) -> None:
    """Subtrees that have just become complete: one insert for 256 entries."""
    connection.execute(
        insert(record_subtrees),
        [{"log_id": log_id, "level": each.level, "position": each.position, "root": each.root} for each in subtrees],
    )


_SUPER_HEAD = select(record_super_log).where(record_super_log.c.name == SUPER_LOG)


class SqlSuperLog:
    """``gateway.records.ports.SuperLog``."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    def head(self) -> SuperHead:
        row = self._statements.execute(_SUPER_HEAD).one()
        return SuperHead(row.holder, row.held_until, Frontier(row.size, cut_peaks(row.peaks)))

    def moved(self) -> Sequence[SuperLeaf]:
        covered = _covered(func.max(record_super_leaves.c.last))
        rows = self._statements.execute(
            select(record_logs)
            .where(record_logs.c.size > func.coalesce(covered.scalar_subquery(), 0))
            .order_by(record_logs.c.log_id)
        )
        return [
            SuperLeaf(row.log_id, row.size, row.seals, Frontier(row.size, cut_peaks(row.peaks)).root) for row in rows
        ]

    def unanchored_since(self) -> datetime | None:
        # Log by log, each by its indexes: the leaf that goes furthest is the one of the last seal.
        furthest = record_super_leaves.c.last.desc()
        sealed = _covered(record_super_leaves.c.number).order_by(furthest).limit(1).scalar_subquery()
        next_seal = select(record_seals.c.sealed_at).where(
            record_seals.c.log_id == record_logs.c.log_id, record_seals.c.number == func.coalesce(sealed, 0) + 1
        )
        oldest = select(func.min(next_seal.correlate(record_logs).scalar_subquery())).select_from(record_logs)
        found: datetime | None = self._statements.execute(oldest).scalar_one()
        return found

    def take(self, former: str, holder: str, until: datetime) -> bool:
        taken = self._statements.execute(
            update(record_super_log)
            .where(record_super_log.c.name == SUPER_LOG, record_super_log.c.holder == former)
            .values(holder=holder, held_until=until)
        )
        return taken.rowcount == 1

    def append(self, before: Frontier, leaves: Sequence[SuperLeaf]) -> Frontier:
        encoded = [encode_leaf(leaf) for leaf in leaves]
        after, completed = before.extended(map(leaf_hash, encoded))
        self._statements.execute(
            update(record_super_log)
            .where(record_super_log.c.name == SUPER_LOG)
            .values(size=after.size, peaks=b"".join(after.peaks))
        )
        rows = [
            {
                "position": position,
                "leaf_hash": leaf_hash(data),
                "leaf": data,
                "log_id": leaf.log_id,
                "last": leaf.last,
                "number": leaf.number,
            }
            for position, (leaf, data) in enumerate(zip(leaves, encoded, strict=True), before.size)
        ]
        self._statements.execute(insert(record_super_leaves), rows)
        self.store_subtrees(SUPER_LOG, completed)
        return after

    def add_checkpoint(self, checkpoint: StoredCheckpoint) -> None:
        self._statements.execute(
            insert(record_checkpoints).values(
                size=checkpoint.size,
                root=checkpoint.root,
                signed_at=checkpoint.signed_at,
                note=str(checkpoint.note),
            )
        )

    def latest_checkpoint(self) -> StoredCheckpoint | None:
        return self._checkpoint(select(record_checkpoints))

    def latest_checkpoints(self, limit: int) -> Sequence[StoredCheckpoint]:
        newest = select(record_checkpoints.c.size).order_by(record_checkpoints.c.size.desc()).limit(limit)
        sizes = self._statements.execute(newest).scalars().all()
        found = (
            self._checkpoint(select(record_checkpoints).where(record_checkpoints.c.size == size)) for size in sizes
        )
        return [each for each in found if each is not None]

    def checkpoint_covering(self, index: int) -> StoredCheckpoint | None:
        covering = select(record_checkpoints).where(record_checkpoints.c.size > index)
        cosigned = self._statements.execute(
            select(func.max(record_cosignatures.c.size)).where(record_cosignatures.c.size > index)
        ).scalar_one()
        if cosigned is not None:
            covering = covering.where(record_checkpoints.c.size == cosigned)
        return self._checkpoint(covering)

    def _checkpoint(self, query: Select[Any]) -> StoredCheckpoint | None:
        row = self._statements.execute(query.order_by(record_checkpoints.c.size.desc()).limit(1)).one_or_none()
        if row is None:
            return None
        lines = self._statements.execute(
            select(record_cosignatures.c.line)
            .where(record_cosignatures.c.size == row.size)
            .order_by(record_cosignatures.c.witness, record_cosignatures.c.key_id)
        ).scalars()
        cosigned = [line for text in lines for line in parse_signature_lines(text)]
        note = parse_note(row.note.encode()).also_signed(cosigned)
        return StoredCheckpoint(row.size, row.root, row.signed_at, note)

    def stamped_checkpoint(self, size: int) -> StoredCheckpoint | None:
        own = record_time_stamps.c.size
        covering = select(func.min(own)).where(own >= size).scalar_subquery()
        newest = select(func.max(own)).scalar_subquery()
        found = self._statements.execute(select(func.coalesce(covering, newest))).scalar_one()
        return self._checkpoint(select(record_checkpoints).where(record_checkpoints.c.size == found))

    def root_signed_at(self, size: int) -> bytes | None:
        found: bytes | None = self._statements.execute(
            select(record_checkpoints.c.root).where(record_checkpoints.c.size == size)
        ).scalar_one_or_none()
        return found

    def add_cosignatures(self, size: int, cosignatures: Sequence[Cosignature]) -> None:
        for each in cosignatures:
            key = {"size": size, "witness": each.witness, "key_id": each.line.key_id.hex()}
            values = {"line": str(each.line), "seen_at": each.seen_at}
            self._statements.execute(
                insert_or(record_cosignatures)
                .values(**key, **values)
                .on_conflict_do_update(index_elements=list(key), set_=values)
            )

    def add_time_stamp(self, size: int, stamp: TimeStamp) -> None:
        values = {"token": stamp.token, "stamped_at": stamp.stamped_at}
        self._statements.execute(
            insert_or(record_time_stamps)
            .values(size=size, authority=stamp.authority, **values)
            .on_conflict_do_update(index_elements=["size", "authority"], set_=values)
        )

    def time_stamps(self, size: int) -> Sequence[TimeStamp]:
        rows = self._statements.execute(
            select(record_time_stamps).where(record_time_stamps.c.size == size).order_by(record_time_stamps.c.authority)
        )
        return [TimeStamp(row.authority, row.stamped_at, row.token) for row in rows]

    def last_time_stamp(self, authority: str) -> datetime | None:
        own = record_time_stamps.c.authority == authority
        found: datetime | None = self._statements.execute(
            select(func.max(record_time_stamps.c.stamped_at)).where(own)
        ).scalar_one()
        return found

    def leaves(self, first: int, count: int) -> Sequence[bytes]:
        place = record_super_leaves.c.position
        page = select(record_super_leaves.c.leaf).where(place >= first).order_by(place).limit(count)
        return self._statements.execute(page).scalars().all()

    def leaf_covering(self, log_id: str, sequence: int) -> int | None:
        found: int | None = self._statements.execute(
            select(record_super_leaves.c.position)
            .where(record_super_leaves.c.log_id == log_id, record_super_leaves.c.last >= sequence)
            .order_by(record_super_leaves.c.last)
            .limit(1)
        ).scalar_one_or_none()
        return found

    def entry(self, log_id: str, sequence: int) -> StoredEntry | None:
        own = (record_entries.c.log_id == log_id) & (record_entries.c.sequence == sequence)
        row = self._statements.execute(select(record_entries).where(own)).one_or_none()
        return None if row is None else stored_entry(row)

    def logs(self) -> Sequence[tuple[str, int]]:
        rows = self._statements.execute(select(record_logs.c.log_id, record_logs.c.size).order_by(record_logs.c.log_id))
        return [*((row.log_id, row.size) for row in rows), (SUPER_LOG, self.head().frontier.size)]

    def nodes(self, log_id: str, level: int, first: int, count: int) -> Sequence[bytes | None]:
        if level:
            own = (record_subtrees.c.log_id == log_id) & (record_subtrees.c.level == level)
            query = _nodes(record_subtrees.c.position, record_subtrees.c.root, first, count).where(own)
        elif log_id == SUPER_LOG:
            query = _nodes(record_super_leaves.c.position, record_super_leaves.c.leaf_hash, first, count)
        else:
            query = _nodes(record_entries.c.sequence, record_entries.c.leaf_hash, first + 1, count)
            query = query.where(record_entries.c.log_id == log_id)
        found: Mapping[int, bytes] = {row.offset: row.node for row in self._statements.execute(query)}
        return [found.get(offset) for offset in range(count)]

    def missing_subtrees(self, log_id: str, level: int, first: int, complete: int) -> Sequence[int]:
        place = record_subtrees.c.position
        own = (record_subtrees.c.log_id == log_id) & (record_subtrees.c.level == level)
        stored = self._statements.execute(select(place).where(own, place >= first, place < complete)).scalars()
        present = set(stored)
        return [position for position in range(first, complete) if position not in present]

    def store_subtrees(self, log_id: str, subtrees: Sequence[Subtree]) -> None:
        if not subtrees:
            return
        rows = [
            {"log_id": log_id, "level": each.level, "position": each.position, "root": each.root} for each in subtrees
        ]
        self._statements.execute(insert_or(record_subtrees).on_conflict_do_nothing(), rows)


class SqlRecordSubjects:
    """``gateway.records.ports.RecordSubjects``."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    def utility_of(self, subject: str) -> str | None:
        own = select(applications.c.utility).where(applications.c.application_id == subject)
        found: str | None = self._statements.execute(own).scalar_one_or_none()
        return found


def _nodes(place: Column[Any], node: Column[Any], first: int, count: int) -> Select[Any]:
    chosen = select((place - first).label("offset"), node.label("node"))
    return chosen.where(place >= first, place < first + count)


def _covered(what: Any) -> Select[Any]:
    """``what`` over the leaves of the log of the query around it."""
    return select(what).where(record_super_leaves.c.log_id == record_logs.c.log_id).correlate(record_logs)
