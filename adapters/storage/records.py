"""Tables and repositories of the tamper-evident record."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from uuid import uuid4

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    ForeignKey,
    Index,
    LargeBinary,
    Row,
    Table,
    Text,
    func,
    insert,
    select,
    update,
)

from adapters.storage.statements import Statements
from adapters.storage.tables import UtcInstant, metadata
from gateway.errors import Overloaded, Owner
from gateway.records.entries import RecordEntry, encode_entry
from gateway.records.log import LogHead, Seal, record_id
from gateway.records.merkle import Frontier, leaf_hash
from gateway.records.ports import StoredEntry

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


class LostLog(Exception):
    """Another process took this log over: what was about to be sealed must not be."""


class BatchRecords:
    """Entries of the units that are about to be committed together."""

    def __init__(self, head: LogHead) -> None:
        self._head = head
        self.entries: list[RecordEntry] = []
        self.leaves: list[bytes] = []

    def append(self, entry: RecordEntry) -> str:
        self.leaves.append(encode_entry(entry))
        self.entries.append(entry)
        return record_id(self._head.log_id, self._head.frontier.size + len(self.entries))

    def leaf_hashes(self) -> list[bytes]:
        """RFC 9162 leaf hashes, in order."""
        return [leaf_hash(leaf) for leaf in self.leaves]

    def truncate(self, length: int) -> None:
        """Forget entries beyond ``length``: those of a unit that failed."""
        del self.entries[length:], self.leaves[length:]


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
        peaks = tuple(taken.peaks[start : start + 32] for start in range(0, len(taken.peaks), 32))
        return LogHead(taken.log_id, taken.seals, Frontier(taken.size, peaks), taken.last_seal_hash)
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


def write_batch(connection: Connection, holder: str, batch: BatchRecords, seal: Seal, after: LogHead) -> None:
    """Store the batch and move the head. Raises ``LostLog`` where this process no longer holds the log."""
    move_head(connection, holder, seal.first_sequence - 1, after, seal.sealed_at)
    connection.execute(
        insert(record_entries),
        [
            {
                "log_id": seal.log_id,
                "sequence": sequence,
                "leaf_hash": leaf_hash(leaf),
                "leaf": leaf,
                "action": entry.action,
                "subject": entry.subject,
            }
            for sequence, (entry, leaf) in enumerate(zip(batch.entries, batch.leaves, strict=True), seal.first_sequence)
        ],
    )
    connection.execute(insert(record_seals).values(**seal.__dict__))


def move_head(connection: Connection, holder: str, size_before: int, after: LogHead, at: datetime) -> None:
    """Compare-and-set of the head, which also shows that this process is alive. Raises ``LostLog``."""
    moved = connection.execute(
        update(record_logs)
        .where(
            record_logs.c.log_id == after.log_id,
            record_logs.c.holder == holder,
            record_logs.c.size == size_before,
        )
        .values(
            held_until=at + HOLD,
            size=after.frontier.size,
            seals=after.seals,
            peaks=b"".join(after.frontier.peaks),
            last_seal_hash=after.last_seal_hash,
        )
    )
    if moved.rowcount != 1:
        raise LostLog(after.log_id)


def release_log(connection: Connection, holder: str, head: LogHead, at: datetime) -> None:
    """Let the next process continue this log at once."""
    connection.execute(
        update(record_logs)
        .where(record_logs.c.log_id == head.log_id, record_logs.c.holder == holder)
        .values(held_until=at - timedelta(microseconds=1))
    )


class SqlRecordReader:
    """``gateway.records.ports.RecordReader``."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    def log_ids(self) -> Sequence[str]:
        return [row.log_id for row in self._statements.execute(select(record_logs.c.log_id).order_by("log_id"))]

    def seals(self, log_id: str) -> Iterator[Seal]:
        number = 0
        while True:
            page = self._statements.execute(
                select(record_seals)
                .where(record_seals.c.log_id == log_id, record_seals.c.number > number)
                .order_by(record_seals.c.number)
                .limit(500)
            ).all()
            if not page:
                return
            for row in page:
                number = row.number
                yield Seal(**row._mapping)

    def entries(self, log_id: str, first: int, last: int) -> Sequence[StoredEntry]:
        rows = self._statements.execute(
            _stored_entries.where(record_entries.c.log_id == log_id, record_entries.c.sequence.between(first, last))
        )
        return [_stored_entry(row) for row in rows]

    def entry_count(self, log_id: str) -> int:
        count = select(func.count()).select_from(record_entries).where(record_entries.c.log_id == log_id)
        return int(self._statements.execute(count).scalar_one())

    def of_subject(self, subject: str, actions: Sequence[str]) -> Sequence[StoredEntry]:
        rows = self._statements.execute(
            _stored_entries.where(record_entries.c.subject == subject, record_entries.c.action.in_(actions))
        )
        return [_stored_entry(row) for row in rows]


_stored_entries = select(
    record_entries.c.log_id, record_entries.c.sequence, record_entries.c.leaf, record_entries.c.leaf_hash
).order_by(record_entries.c.log_id, record_entries.c.sequence)


def _stored_entry(row: Row[tuple[object, ...]]) -> StoredEntry:
    return StoredEntry(row.log_id, row.sequence, row.leaf, row.leaf_hash)


def record_unavailable(reason: str) -> Overloaded:
    """The refusal when nothing can be recorded, so nothing may be done."""
    return Overloaded(check=f"record.{reason}", owner=Owner.GATEWAY, remedy="请稍后重试；本次请求未产生任何效果")
