"""Closed days of a utility's events, and the reports that utilities make of them."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Date,
    Index,
    Integer,
    LargeBinary,
    Row,
    Table,
    Text,
    and_,
    case,
    exists,
    func,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import insert as insert_or

from adapters.storage.deliveries import delivery_attempts, outbox, outbox_counters, undigested
from adapters.storage.delivery_queue import SqlDeliveryQueue
from adapters.storage.sealed import SealedJson
from adapters.storage.statements import Statements
from adapters.storage.tables import UtcInstant, metadata
from gateway.crypto.sealing import StoredDataUnreadable
from gateway.delivery.ports import BODY_WITHOUT_POSITION, DeliveryState
from gateway.reconciliation.days import DayEvent, DayRange
from gateway.reconciliation.ports import StoredReport, Undigested

reconciliation_days = Table(
    "reconciliation_days",
    metadata,
    Column("utility", Text, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("first_position", BigInteger, nullable=False),
    Column("last_position", BigInteger, nullable=False),
    Column("closed_at", UtcInstant, nullable=False),
    Column("subjects", Integer),
    Column("root", LargeBinary),
    Column("record_id", Text),
)

reconciliation_reports = Table(
    "reconciliation_reports",
    metadata,
    Column("utility", Text, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("reported_at", UtcInstant, nullable=False),
    Column("agrees", Boolean, nullable=False),
    Column("body", SealedJson, nullable=False),
    Column("record_id", Text, nullable=False),
    Index("ix_reconciliation_reports_day", "day"),
)
"""The latest report on each day. The utility's words (ids that the gateway may not know) rest under seal."""

_LEAF = (
    outbox.c.position,
    outbox.c.event_id,
    outbox.c.type,
    outbox.c.subject,
    outbox.c.sequence,
    outbox.c.body_sha256,
    outbox.c.state,
    outbox.c.erased_at,
    outbox.c.unknown_since,
    outbox.c.body_form,
)


class SqlDayBook:
    """``gateway.reconciliation.ports.DayBook``."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    def last_closed(self, utility: str, before: date | None = None) -> DayRange | None:
        query = select(reconciliation_days).where(reconciliation_days.c.utility == utility)
        if before is not None:
            query = query.where(reconciliation_days.c.day < before)
        latest = query.order_by(reconciliation_days.c.day.desc()).limit(1)
        return _day(self._statements.execute(latest).one_or_none())

    def closed(self, utility: str, day: date) -> DayRange | None:
        query = select(reconciliation_days).where(_of(reconciliation_days, utility, day))
        return _day(self._statements.execute(query).one_or_none())

    def hold(self, utility: str) -> int:
        counter = select(outbox_counters.c.last).where(_positions_of(utility)).with_for_update()
        return int(self._statements.execute(counter).scalar_one_or_none() or 0)

    def last_position(self, utility: str) -> int:
        counter = select(outbox_counters.c.last).where(_positions_of(utility))
        return int(self._statements.execute(counter).scalar_one_or_none() or 0)

    def next_at(self, utility: str, after: int) -> datetime | None:
        query = select(outbox.c.at).where(outbox.c.destination == utility, outbox.c.position > after)
        found = self._statements.execute(query.order_by(outbox.c.position).limit(1)).one_or_none()
        return None if found is None else found.at

    def last_before(self, utility: str, after: int, at: datetime) -> int | None:
        later = select(func.min(outbox.c.position)).where(
            outbox.c.destination == utility, outbox.c.position > after, outbox.c.at >= at
        )
        first = self._statements.execute(later).scalar_one()
        return None if first is None else int(first) - 1

    def close(self, day: DayRange) -> None:
        closed = insert_or(reconciliation_days).values(
            utility=day.utility,
            day=day.day,
            first_position=day.first,
            last_position=day.last,
            closed_at=day.closed_at,
        )
        self._statements.execute(closed.on_conflict_do_nothing(index_elements=_key(reconciliation_days)))

    def anchor(self, utility: str, day: date, subjects: int, root: bytes, record_id: str) -> None:
        self._statements.execute(
            update(reconciliation_days)
            .where(_of(reconciliation_days, utility, day), reconciliation_days.c.root.is_(None))
            .values(subjects=subjects, root=root, record_id=record_id)
        )

    def count(self, utility: str, first: int, last: int) -> int:
        counted = select(func.count()).where(outbox.c.destination == utility, outbox.c.position.between(first, last))
        return int(self._statements.execute(counted).scalar_one())

    def nth(self, utility: str, after: int, number: int) -> int:
        query = select(outbox.c.position).where(outbox.c.destination == utility, outbox.c.position > after)
        found = query.order_by(outbox.c.position).offset(number - 1).limit(1)
        return int(self._statements.execute(found).scalar_one())

    def events(self, utility: str, after: int, last: int, limit: int) -> Sequence[DayEvent]:
        rows = self._statements.execute(
            select(*_LEAF)
            .where(outbox.c.destination == utility, outbox.c.position > after, outbox.c.position <= last)
            .order_by(outbox.c.position)
            .limit(limit)
        )
        return [_day_event(row) for row in rows]

    def find(self, utility: str, event_ids: Sequence[str]) -> Sequence[DayEvent]:
        if not event_ids:
            return []
        rows = self._statements.execute(
            select(*_LEAF).where(outbox.c.destination == utility, outbox.c.event_id.in_(event_ids))
        )
        return [_day_event(row) for row in rows]

    def undigested(self, limit: int, after: tuple[str, int] = ("", 0)) -> Sequence[Undigested]:
        receipted = exists().where(
            delivery_attempts.c.event_id == outbox.c.event_id, delivery_attempts.c.receipt.is_not(None)
        )
        place = tuple_(outbox.c.destination, outbox.c.position)
        page = (
            select(outbox.c.event_id, outbox.c.destination, outbox.c.position)
            .where(undigested, or_(outbox.c.erased_at.is_(None), receipted))
            .order_by(outbox.c.destination, outbox.c.position)
            .limit(limit)
        )
        # By pages: an upgrade finds every event that there ever was.
        found: list[Undigested] = []
        while len(found) < limit:
            rows = self._statements.execute(page.where(place > tuple_(*after))).all()
            opened = [each for row in rows if (each := self._undigested(row.event_id)) is not None]
            found += opened[: limit - len(found)]
            if len(rows) < limit:
                break
            after = rows[-1].destination, rows[-1].position
        return found

    def keep_digest(self, event_id: str, body_sha256: str) -> None:
        self._statements.execute(
            update(outbox)
            .where(outbox.c.event_id == event_id, undigested)
            .values(
                body_sha256=body_sha256,
                body_form=case(
                    (outbox.c.attempts > 0, func.coalesce(outbox.c.body_form, BODY_WITHOUT_POSITION)),
                    else_=outbox.c.body_form,
                ),
            )
        )

    def keep_report(self, report: StoredReport) -> None:
        values = self._statements.sealed(reconciliation_reports, dict(report.__dict__))
        given = insert_or(reconciliation_reports).values(**values)
        said = {name: given.excluded[name] for name in ("reported_at", "agrees", "body", "record_id")}
        self._statements.execute(given.on_conflict_do_update(index_elements=_key(reconciliation_reports), set_=said))

    def reports(self, utility: str | None, *, only_differing: bool, limit: int) -> Sequence[StoredReport]:
        query = select(reconciliation_reports)
        if utility is not None:
            query = query.where(reconciliation_reports.c.utility == utility)
        if only_differing:
            query = query.where(~reconciliation_reports.c.agrees)
        newest_first = (reconciliation_reports.c.day.desc(), reconciliation_reports.c.utility)
        rows = self._statements.execute(query.order_by(*newest_first).limit(limit)).all()
        return [self._report(row) for row in rows]

    def report(self, utility: str, day: date) -> StoredReport | None:
        query = select(reconciliation_reports).where(_of(reconciliation_reports, utility, day))
        row = self._statements.execute(query).one_or_none()
        return None if row is None else self._report(row)

    def _undigested(self, event_id: str) -> Undigested | None:
        """None where it cannot be opened: it waits for somebody to mend that, and holds up no other."""
        try:
            view = SqlDeliveryQueue(self._statements).find(event_id)
        except StoredDataUnreadable:
            return None
        if view is None:
            return None
        receipts = [attempt.receipt.document for attempt in view.history if attempt.receipt is not None]
        return Undigested(view.event, receipts[0] if receipts else None)

    def _report(self, row: Row[Any]) -> StoredReport:
        return StoredReport(**self._statements.opened(reconciliation_reports, row))


def _key(table: Table) -> list[Column[Any]]:
    return list(table.primary_key)


def _of(table: Table, utility: str, day: date) -> ColumnElement[bool]:
    return and_(table.c.utility == utility, table.c.day == day)


def _positions_of(utility: str) -> ColumnElement[bool]:
    return and_(outbox_counters.c.destination == utility, outbox_counters.c.subject == "")


def _day(row: Row[Any] | None) -> DayRange | None:
    if row is None:
        return None
    return DayRange(
        row.utility,
        row.day,
        row.first_position,
        row.last_position,
        row.closed_at,
        row.subjects,
        row.root,
        row.record_id,
    )


def _day_event(row: Row[Any]) -> DayEvent:
    state = DeliveryState(row.state)
    return DayEvent(
        row.position,
        row.event_id,
        row.type,
        row.subject,
        row.sequence,
        row.body_sha256,
        DeliveryState.UNKNOWN if state.under_way and row.unknown_since is not None else state,
        row.erased_at is not None,
        row.body_form is not None and row.body_sha256 is not None,
    )
