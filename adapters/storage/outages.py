"""Tables and repository of outages: how each stands, and the events that told of it. All of it is published."""

from collections.abc import Collection, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Index, Row, Table, Text, or_, select, update
from sqlalchemy.dialects.postgresql import insert as insert_or

from adapters.storage.statements import Statements
from adapters.storage.tables import JsonDocument, UtcInstant, metadata
from gateway.outages.model import Outage, OutageEvent
from schemas.outages import OutageKind

outages = Table(
    "outages",
    metadata,
    Column("utility", Text, primary_key=True),
    Column("outage_id", Text, primary_key=True),
    Column("event_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("cause", Text),
    Column("region", Text, nullable=False),
    Column("area", Text, nullable=False),
    Column("begins_at", UtcInstant, nullable=False),
    Column("expected_end_at", UtcInstant),
    Column("said_at", UtcInstant, nullable=False),
    Column("counted_at", UtcInstant, nullable=False),
    Column("text", Text, nullable=False),
    Column("shown_until", UtcInstant, nullable=False),
    Index("ix_outages_shown_until", "shown_until"),
)

outage_events = Table(
    "outage_events",
    metadata,
    Column("utility", Text, primary_key=True),
    Column("event_id", Text, primary_key=True),
    Column("outage_id", Text, nullable=False),
    Column("content_digest", Text, nullable=False),
    Column("said_at", UtcInstant, nullable=False),
    Column("flags", JsonDocument, nullable=False),
    Column("heard_at", UtcInstant, nullable=False),
    Column("record_id", Text, nullable=False),
    Column("notified", JsonDocument),
    Index("ix_outage_events_utility_outage_id", "utility", "outage_id"),
)


class SqlOutages:
    """``gateway.outages.ports.Outages``."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    def hold(self, first: Outage) -> Outage | None:
        key = [outages.c.utility, outages.c.outage_id]
        added = insert_or(outages).values(**_row(first)).on_conflict_do_nothing(index_elements=key)
        if self._statements.execute(added.returning(outages.c.outage_id)).one_or_none() is not None:
            return None
        held = select(outages).where(_is(first)).with_for_update()
        return _outage(self._statements.execute(held).one())

    def put(self, outage: Outage) -> None:
        self._statements.execute(update(outages).where(_is(outage)).values(**_row(outage)))

    def find_event(self, utility: str, event_id: str) -> OutageEvent | None:
        own = outage_events.c
        row = self._statements.execute(
            select(outage_events).where(own.utility == utility, own.event_id == event_id)
        ).one_or_none()
        if row is None:
            return None
        return OutageEvent(**{**row._mapping, "flags": tuple(row.flags), "notified": tuple(row.notified or ())})

    def add_event(self, event: OutageEvent) -> bool:
        key = [outage_events.c.utility, outage_events.c.event_id]
        added = insert_or(outage_events).values(**asdict(event)).on_conflict_do_nothing(index_elements=key)
        return self._statements.execute(added.returning(outage_events.c.event_id)).one_or_none() is not None

    def shown(
        self, at: datetime, below: str, above: Collection[str], limit: int, open_of: str | None = None
    ) -> Sequence[Outage]:
        own = outages.c
        wanted = select(outages).where(own.shown_until > at)
        if below:
            wanted = wanted.where(or_(own.region.startswith(below, autoescape=True), own.region.in_(sorted(above))))
        if open_of is not None:
            wanted = wanted.where(own.utility == open_of, own.kind != OutageKind.RESTORED.value)
        ordered = wanted.order_by(own.region, own.begins_at, own.utility, own.outage_id).limit(limit)
        return [_outage(row) for row in self._statements.execute(ordered)]


def _is(outage: Outage) -> Any:
    return (outages.c.utility == outage.utility) & (outages.c.outage_id == outage.outage_id)


def _row(outage: Outage) -> dict[str, Any]:
    return asdict(outage) | {"kind": outage.kind.value, "cause": outage.cause and outage.cause.value}


def _outage(row: Row[Any]) -> Outage:
    cause = None if row.cause is None else OutageKind(row.cause)
    return Outage(**{**row._mapping, "kind": OutageKind(row.kind), "cause": cause})
