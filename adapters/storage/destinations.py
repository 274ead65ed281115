"""Receivers that fail or are disabled; of all others there is no row."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Column, Float, Row, Table, Text, select, update
from sqlalchemy.dialects.postgresql import insert as insert_or

from adapters.storage.plain import Plain
from adapters.storage.statements import Statements
from adapters.storage.tables import UtcInstant, metadata
from gateway.delivery.destinations import Destination

delivery_destinations = Table(
    "delivery_destinations",
    metadata,
    Column("code", Text, primary_key=True),
    Column("failing_since", UtcInstant),
    Column("failing_for_s", Float, nullable=False),
    Column("last_failure_at", UtcInstant),
    Column("last_reason", Text),
    Column("disabled_at", UtcInstant),
)
_WELL = {"failing_since": None, "failing_for_s": 0.0, "last_failure_at": None, "last_reason": None}

_SUCCEEDED_OF = (
    "UPDATE delivery_destinations SET failing_since = NULL, failing_for_s = 0.0, last_failure_at = NULL,"
    " last_reason = NULL WHERE failing_since IS NOT NULL AND code IN ({codes})"
    " RETURNING code"
)
_SUCCEEDED = Plain(
    _SUCCEEDED_OF.format(codes="SELECT json_extract(value, '$[0]') FROM json_each(?)"),
    _SUCCEEDED_OF.format(codes="SELECT unnest(?::text[])"),
)
"""As ``_WELL`` says."""


class SqlDestinations:
    """``gateway.delivery.destinations.Destinations``."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    def failing(self, codes: Sequence[str]) -> Mapping[str, Destination]:
        query = (
            select(delivery_destinations)
            .where(delivery_destinations.c.code.in_(codes))
            .order_by(delivery_destinations.c.code)
            .with_for_update()
        )
        return {row.code: _destination(row) for row in self._statements.execute(query)}

    def put(self, destination: Destination) -> None:
        values = {
            "failing_since": destination.failing_since,
            "failing_for_s": destination.failing_for.total_seconds(),
            "last_failure_at": destination.last_failure_at,
            "last_reason": destination.last_reason,
            "disabled_at": destination.disabled_at,
        }
        given = insert_or(delivery_destinations).values(code=destination.code, **values)
        self._statements.execute(
            given.on_conflict_do_update(index_elements=[delivery_destinations.c.code], set_=values)
        )

    def succeeded(self, codes: Sequence[str]) -> None:
        self._statements.say_for(_SUCCEEDED, [(code,) for code in codes])

    def enable(self, code: str) -> bool:
        disabled = (delivery_destinations.c.code == code, delivery_destinations.c.disabled_at.is_not(None))
        enabled = update(delivery_destinations).where(*disabled).values(**_WELL, disabled_at=None)
        return self._statements.execute(enabled).rowcount == 1

    def list(self) -> Sequence[Destination]:
        noted = (delivery_destinations.c.failing_since.is_not(None)) | (
            delivery_destinations.c.disabled_at.is_not(None)
        )
        query = select(delivery_destinations).where(noted).order_by(delivery_destinations.c.code)
        return [_destination(row) for row in self._statements.execute(query)]


def _destination(row: Row[Any]) -> Destination:
    return Destination(
        row.code,
        row.failing_since,
        timedelta(seconds=row.failing_for_s),
        row.last_failure_at,
        row.last_reason,
        row.disabled_at,
    )
