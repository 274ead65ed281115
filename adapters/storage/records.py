"""Tables and repositories of the tamper-evident record."""

from collections.abc import Generator, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    ForeignKey,
    Index,
    LargeBinary,
    Row,
    Select,
    Table,
    Text,
    insert,
    select,
    type_coerce,
    union,
    update,
)
from sqlalchemy.types import NullType

from adapters.storage.plain import Plain, instant, is_postgresql
from adapters.storage.statements import Statements
from adapters.storage.tables import UtcInstant, metadata, read_instant
from gateway.errors import Overloaded, Owner
from gateway.records.entries import RecordEntry, encode_entry
from gateway.records.log import LogHead, Seal, record_id
from gateway.records.merkle import Frontier, leaf_hash
from gateway.records.ports import NotAsWritten, StoredEntry, StoredReference

record_logs = Table(
    "record_logs",
    metadata,
    Column("log_id", Text, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("held_until", UtcInstant, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("seals", BigInteger, nullable=False),
    Column("peaks", LargeBinary, nullable=False),
    Column("last_seal_hash", LargeBinary, nullable=False),
)

record_seals = Table(
    "record_seals",
    metadata,
    Column("log_id", Text, ForeignKey("record_logs.log_id"), primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("first_sequence", BigInteger, nullable=False),
    Column("last_sequence", BigInteger, nullable=False),
    Column("root", LargeBinary, nullable=False),
    Column("previous_hash", LargeBinary, nullable=False),
    Column("sealed_at", UtcInstant, nullable=False),
    Column("key_id", Text, nullable=False),
    Column("signature", LargeBinary, nullable=False),
)

record_entries = Table(
    "record_entries",
    metadata,
    Column("log_id", Text, ForeignKey("record_logs.log_id"), primary_key=True),
    Column("sequence", BigInteger, primary_key=True),
    Column("leaf_hash", LargeBinary, nullable=False),
    Column("leaf", LargeBinary, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text),
    Index("ix_record_entries_subject", "subject", "action"),
)

HOLD = timedelta(seconds=30)
"""How long a process keeps its log without a sign of life; any other may then continue it."""


PAGE = 1000
"""Rows that a stream fetches at a time."""


class LostLog(Exception):
    """Another process took this log over: what was about to be sealed must not be."""


class BatchRecords:
    """Entries of the units that are about to be committed together."""

    def __init__(self, head: LogHead) -> None:
        self._head = head
        self.entries: list[RecordEntry] = []
        self.leaves: list[bytes] = []
        self.leaf_hashes: list[bytes] = []
        """RFC 9162 leaf hashes, in order."""

    def append(self, entry: RecordEntry) -> str:
        leaf = encode_entry(entry)
        self.leaves.append(leaf)
        self.leaf_hashes.append(leaf_hash(leaf))
        self.entries.append(entry)
        return record_id(self._head.log_id, self._head.frontier.size + len(self.entries))

    def truncate(self, length: int) -> None:
        """Forget entries beyond ``length``: those of a unit that failed."""
        del self.entries[length:], self.leaves[length:], self.leaf_hashes[length:]


class ReadOnlyRecords:
    """Stands in for the appender where a unit only reads."""

    def append(self, entry: RecordEntry) -> str:
        raise RuntimeError(f"{entry.action} was to be recorded in a unit of work that only reads")


def take_log(connection: Connection, holder: str, at: datetime) -> LogHead:
    """Continue a log that nobody holds any more, or begin a new one. ``holder`` names this process's writer."""
    free = (
        select(record_logs.c.log_id)
        .where(record_logs.c.held_until < at)
        .order_by(record_logs.c.log_id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    taken = connection.execute(
        update(record_logs)
        .where(record_logs.c.log_id.in_(free))
        .values(holder=holder, held_until=at + HOLD)
        .returning(record_logs)
    ).one_or_none()
    if taken is not None:
        return LogHead(taken.log_id, taken.seals, Frontier(taken.size, cut_peaks(taken.peaks)), taken.last_seal_hash)
    head = LogHead(uuid4().hex[:12])
    connection.execute(
        insert(record_logs).values(
            log_id=head.log_id,
            holder=holder,
            held_until=at + HOLD,
            size=0,
            seals=0,
            peaks=b"",
            last_seal_hash=head.last_seal_hash,
        )
    )
    return head


_ADD_ENTRIES = Plain(
    "INSERT INTO record_entries (log_id, sequence, leaf_hash, leaf, action, subject) VALUES (?, ?, ?, ?, ?, ?)"
)
_ADD_SEAL = Plain(
    "INSERT INTO record_seals (log_id, number, first_sequence, last_sequence, root, previous_hash, sealed_at, key_id,"
    " signature) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_MOVE_HEAD = Plain(
    "UPDATE record_logs SET held_until = ?, size = ?, seals = ?, peaks = ?, last_seal_hash = ?"
    " WHERE log_id = ? AND holder = ? AND size = ?"
)
_ALL_AT_ONCE = Plain(
    "WITH moved AS (UPDATE record_logs SET held_until = ?, size = ?, seals = ?, peaks = ?, last_seal_hash = ?"
    " WHERE log_id = ? AND holder = ? AND size = ? RETURNING log_id),"
    " sealed AS (INSERT INTO record_seals (log_id, number, first_sequence, last_sequence, root, previous_hash,"
    " sealed_at, key_id, signature) SELECT log_id, ?::bigint, ?::bigint, ?::bigint, ?::bytea, ?::bytea,"
    " ?::timestamptz, ?::text, ?::bytea FROM moved),"
    " added AS (INSERT INTO record_entries (log_id, sequence, leaf_hash, leaf, action, subject)"
    " SELECT log_id, ?::bigint + nth, leaf_hash, leaf, action, subject FROM moved,"
    " unnest(?::bytea[], ?::bytea[], ?::text[], ?::text[])"
    " WITH ORDINALITY AS entry (leaf_hash, leaf, action, subject, nth))"
    " SELECT count(*) FROM moved"
)
"""Of PostgreSQL: head, seal and entries, or nothing of them where the head is not where it should be."""


def write_batch(connection: Connection, holder: str, batch: BatchRecords, seal: Seal, after: LogHead) -> None:
    """Store the batch and move the head by compare-and-set, which also shows that this process is alive.

    Raises ``LostLog`` where this process no longer holds the log.
    """
    before = seal.first_sequence - 1
    held_until = instant(connection, seal.sealed_at + HOLD)
    head = (held_until, after.frontier.size, after.seals, b"".join(after.frontier.peaks), after.last_seal_hash)
    moved = (*head, after.log_id, holder, before)
    of_seal = (seal.number, seal.first_sequence, seal.last_sequence, seal.root, seal.previous_hash)
    sealed = (*of_seal, instant(connection, seal.sealed_at), seal.key_id, seal.signature)
    actions, subjects = [entry.action for entry in batch.entries], [entry.subject for entry in batch.entries]
    if is_postgresql(connection):
        entries = (before, batch.leaf_hashes, batch.leaves, actions, subjects)
        if _ALL_AT_ONCE.rows(connection, (*moved, *sealed, *entries))[0][0] != 1:
            raise LostLog(after.log_id)
        return
    if _MOVE_HEAD.changed(connection, moved) != 1:
        raise LostLog(after.log_id)
    numbers = range(seal.first_sequence, seal.last_sequence + 1)
    logs = [seal.log_id] * len(numbers)
    _ADD_ENTRIES.write_columns(connection, (logs, numbers, batch.leaf_hashes, batch.leaves, actions, subjects))
    _ADD_SEAL.changed(connection, (seal.log_id, *sealed))


def release_log(connection: Connection, holder: str, head: LogHead, at: datetime) -> None:
    """Let the next process continue this log at once."""
    connection.execute(
        update(record_logs)
        .where(record_logs.c.log_id == head.log_id, record_logs.c.holder == holder)
        .values(held_until=at - timedelta(microseconds=1))
    )


class SqlRecordReader:
    """``gateway.records.ports.RecordReader``.

    Values are taken as they lie in the database and judged here: whoever can write to it can also write what no
    column type would convert, and an audit has to say so instead of failing.
    """

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    def log_ids(self) -> Sequence[str]:
        known = union(*(select(raw(table.c.log_id)) for table in (record_logs, record_seals, record_entries)))
        return sorted(as_text(log_id, "log_id of a log") for (log_id,) in self._statements.execute(known))

    def heads(self, log_id: str) -> Sequence[LogHead]:
        rows = self._statements.execute(all_raw(record_logs).where(record_logs.c.log_id == log_id)).all()
        return [_head(log_id, row) for row in rows]

    def seals(self, log_id: str) -> Generator[Seal]:
        for row in self._stream(all_raw(record_seals), record_seals.c.log_id == log_id, record_seals.c.number):
            yield _seal(log_id, row)

    def entries(self, log_id: str) -> Generator[StoredEntry]:
        for row in self._stream(all_raw(record_entries), record_entries.c.log_id == log_id, record_entries.c.sequence):
            yield stored_entry(row)

    def of_subject(self, subject: str, actions: Sequence[str]) -> Sequence[StoredEntry]:
        """Entries about ``subject`` with one of ``actions``, log by log, oldest first."""
        rows = self._statements.execute(
            all_raw(record_entries)
            .where(record_entries.c.subject == subject, record_entries.c.action.in_(actions))
            .order_by(record_entries.c.log_id, record_entries.c.sequence)
        )
        return [stored_entry(row) for row in rows]

    def references(self) -> Generator[StoredReference]:
        """Of every table that has a ``record_id``."""
        for table in metadata.sorted_tables:
            if "record_id" not in table.c:
                continue
            keys = [raw(column) for column in table.primary_key]
            named = raw(table.c.record_id)
            for row in self._stream(select(*keys, named), table.c.record_id.is_not(None), *keys):
                *parts, named_entry = tuple(row)
                key = "/".join(map(str, parts))
                yield StoredReference(table.name, key, as_text(named_entry, f"record_id of {table.name} {key}"))

    def _stream(
        self, query: Select[Any], condition: ColumnElement[bool], *order: ColumnElement[Any]
    ) -> Generator[Row[Any]]:
        ordered = query.where(condition).order_by(*order)
        with self._statements.execute(ordered.execution_options(yield_per=PAGE)) as rows:
            yield from rows


def raw(column: Column[Any]) -> ColumnElement[Any]:
    """The column as the driver answers it."""
    return type_coerce(column, NullType()).label(column.name)


def all_raw(table: Table) -> Select[Any]:
    return select(*(raw(column) for column in table.c))


def _head(log_id: str, row: Row[Any]) -> LogHead:
    named = f"of the head of {log_id}"
    peaks = as_bytes(row.peaks, f"peaks {named}")
    try:
        frontier = Frontier(as_whole(row.size, f"size {named}"), cut_peaks(peaks))
    except ValueError:
        raise NotAsWritten(f"the peaks {named} do not fit its size") from None
    return LogHead(
        log_id, as_whole(row.seals, f"seals {named}"), frontier, as_bytes(row.last_seal_hash, f"hash {named}")
    )


def _seal(log_id: str, row: Row[Any]) -> Seal:
    number = as_whole(row.number, f"number of a seal of {log_id}")
    named = f"of seal {number}"
    return Seal(
        log_id=log_id,
        number=number,
        first_sequence=as_whole(row.first_sequence, f"first_sequence {named}"),
        last_sequence=as_whole(row.last_sequence, f"last_sequence {named}"),
        root=as_bytes(row.root, f"root {named}"),
        previous_hash=as_bytes(row.previous_hash, f"previous_hash {named}"),
        sealed_at=_instant(row.sealed_at, f"sealed_at {named}"),
        key_id=as_text(row.key_id, f"key_id {named}"),
        signature=as_bytes(row.signature, f"signature {named}"),
    )


def stored_entry(row: Row[Any]) -> StoredEntry:
    log_id = as_text(row.log_id, "log_id of an entry")
    sequence = as_whole(row.sequence, f"sequence of an entry of {log_id}")
    named = f"of entry {sequence}"
    return StoredEntry(
        log_id,
        sequence,
        as_bytes(row.leaf, f"leaf {named}"),
        as_bytes(row.leaf_hash, f"leaf_hash {named}"),
        as_text(row.action, f"action {named}"),
        None if row.subject is None else as_text(row.subject, f"subject {named}"),
    )


def cut_peaks(peaks: bytes) -> tuple[bytes, ...]:
    """The 32 bytes of each peak."""
    return tuple(peaks[start : start + 32] for start in range(0, len(peaks), 32))


def as_bytes(value: object, what: str) -> bytes:
    if isinstance(value, bytes):
        return value
    raise NotAsWritten(f"the {what} is not bytes")


def as_whole(value: object, what: str) -> int:
    if isinstance(value, int):
        return value
    raise NotAsWritten(f"the {what} is not a whole number")


def as_text(value: object, what: str) -> str:
    if isinstance(value, str):
        return value
    raise NotAsWritten(f"the {what} is not text")


def _instant(value: object, what: str) -> datetime:
    try:
        return read_instant(value)
    except (ValueError, TypeError):
        raise NotAsWritten(f"the {what} is not a time") from None


def record_unavailable(reason: str) -> Overloaded:
    """The refusal when nothing can be recorded, so nothing may be done."""
    return Overloaded(check=f"record.{reason}", owner=Owner.GATEWAY, remedy="请稍后重试；本次请求未产生任何效果")
