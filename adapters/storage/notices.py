"""Table and repository of notices, and what makes one of a recorded fact in the fact's own unit of work."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import Column, Index, Row, Table, Text, select
from sqlalchemy.dialects.postgresql import insert as insert_or

from adapters.storage.statements import Statements
from adapters.storage.tables import JsonDocument, UtcInstant, metadata
from adapters.storage.together import AddTogether
from gateway.notices.model import Notice, NoticeKind
from gateway.notices.rules import notice_of
from gateway.records.entries import RecordEntry
from gateway.records.ports import RecordAppender

notices = Table(
    "notices",
    metadata,
    Column("notice_key", Text, primary_key=True),
    Column("application_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("at", UtcInstant, nullable=False),
    Column("facts", JsonDocument, nullable=False),
    Index("ix_notices_application_id_at", "application_id", "at"),
)


class Queue(Protocol):
    """Where a notice goes that is to be sent."""

    def add(self, key: str, application_id: str, at: datetime) -> None: ...

    def forget(self, application_id: str) -> bool: ...


_ADD = AddTogether(notices)


def _columns(notice: Notice) -> dict[str, Any]:
    return {
        "notice_key": notice.key,
        "application_id": notice.application_id,
        "kind": notice.kind.value,
        "at": notice.at,
        "facts": dict(notice.facts),
    }


class SqlNotices:
    """``gateway.notices.ports.NoticeRepository``."""

    def __init__(self, statements: Statements, queue: Queue) -> None:
        self._statements = statements
        self._queue = queue

    def add(self, notice: Notice) -> bool:
        once = insert_or(notices).values(**_columns(notice))
        once = once.on_conflict_do_nothing(index_elements=[notices.c.notice_key])
        if self._statements.execute(once.returning(notices.c.notice_key)).one_or_none() is None:
            return False
        if notice.kind is NoticeKind.WITHDRAWN:  # with it the consent to be reached; the page acknowledges it
            self._queue.forget(notice.application_id)
        self._queue.add(notice.key, notice.application_id, notice.at)
        return True

    def add_with_entry(self, notice: Notice) -> None:
        """Keep what is known by an entry of this very unit of work, and is therefore new."""
        if notice.kind is NoticeKind.WITHDRAWN:
            self.add(notice)
            return
        self._statements.defer(_ADD, _columns(notice))
        self._queue.add(notice.key, notice.application_id, notice.at)

    def known(self, keys: Collection[str]) -> set[str]:
        if not keys:
            return set()
        found = select(notices.c.notice_key).where(notices.c.notice_key.in_(keys))
        return set(self._statements.execute(found).scalars())

    def of_application(self, application_id: str, limit: int) -> Sequence[Notice]:
        own = select(notices).where(notices.c.application_id == application_id)
        newest_first = own.order_by(notices.c.at.desc(), notices.c.notice_key.desc()).limit(limit)
        rows = self._statements.execute(newest_first)
        return [read_notice(row) for row in rows]


def read_notice(row: Row[Any]) -> Notice:
    """A row of ``notices``."""
    return Notice(row.notice_key, row.application_id, NoticeKind(row.kind), row.at, row.facts)


class NoticingRecords:
    """The record of a unit of work; what it takes that the applicant is told of becomes a notice beside it."""

    def __init__(self, records: RecordAppender, notices: SqlNotices) -> None:
        self._records = records
        self._notices = notices

    def append(self, entry: RecordEntry) -> str:
        """See ``RecordAppender``."""
        record_id = self._records.append(entry)
        notice = notice_of(entry, record_id)
        if notice is not None:
            self._notices.add_with_entry(notice)
        return record_id
