"""What operators list, newest first: along an index, so that a page costs no more than a page for each receiver."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, select, tuple_

from adapters.storage.deliveries import destinations_with, outbox
from adapters.storage.delivery_rows import SUMMARY, in_state, summary_of
from adapters.storage.statements import Statements
from gateway.delivery.ports import DeliveryState, DeliveryView


def newest(
    statements: Statements, destination: str | None, state: DeliveryState | None, limit: int, before: str | None
) -> Sequence[DeliveryView]:
    """See ``gateway.delivery.ports.DeliveryQueue.list``."""
    if state is not None and state is not DeliveryState.DELIVERED:
        rows = _few(statements, destination, state, limit, before)
    else:
        rows = _most(statements, destination, state, limit, before)
    return [summary_of(row) for row in rows]


def _few(
    statements: Statements, destination: str | None, state: DeliveryState, limit: int, before: str | None
) -> Sequence[Row[Any]]:
    """Of a state that has an index of its own by receiver and id: receiver by receiver, then the newest of all."""
    # Ordered as that index alone is: along others lies whatever is in no such state.
    query = select(*SUMMARY).where(in_state(state)).limit(limit)
    query = query.order_by(outbox.c.destination.desc(), outbox.c.event_id.desc())
    codes: Sequence[str] = [] if destination is None else [destination]
    if destination is None:
        codes = statements.execute(select(destinations_with(in_state(state)).c.code)).scalars().all()
    rows = [row for code in codes for row in statements.execute(query.where(*_own(code, before)))]
    return sorted(rows, key=lambda row: str(row.event_id), reverse=True)[:limit]


def _own(code: str, before: str | None) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    if before is None:
        return outbox.c.destination >= code, outbox.c.destination <= code
    return outbox.c.destination >= code, tuple_(outbox.c.destination, outbox.c.event_id) < tuple_(code, before)


def _most(
    statements: Statements, destination: str | None, state: DeliveryState | None, limit: int, before: str | None
) -> Sequence[Row[Any]]:
    """Of all, by id, or of one receiver, by position: what is not in ``state`` is passed over."""
    query = select(*SUMMARY).limit(limit)
    if state is not None:
        query = query.where(in_state(state))
    if destination is None:
        query = query.order_by(outbox.c.event_id.desc())
        return statements.execute(query if before is None else query.where(outbox.c.event_id < before)).all()
    query = query.where(outbox.c.destination == destination).order_by(outbox.c.position.desc())
    if before is not None:
        known = select(outbox.c.position).where(outbox.c.event_id == before, outbox.c.destination == destination)
        query = query.where(outbox.c.position < known.scalar_subquery())
    return statements.execute(query).all()
