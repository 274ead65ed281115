"""Tables and repository of review tasks: nothing personal but the officer's own code, and a reason, which is sealed."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Column, ForeignKey, Index, Integer, Select, Table, Text, bindparam, insert, select, update

from adapters.storage.constant import Constant
from adapters.storage.sealed import SealedText
from adapters.storage.statements import Statements
from adapters.storage.tables import JsonDocument, UtcInstant, metadata
from gateway.applications.review_tasks import (
    Look,
    ReviewState,
    ReviewTask,
    Settlement,
    finding_from_json,
    finding_to_json,
)

review_tasks = Table(
    "review_tasks",
    metadata,
    Column("task_id", Text, primary_key=True),
    Column("intake_id", Text, nullable=False, unique=True),
    Column("holder_digest", Text, nullable=False),
    Column("region", Text, nullable=False),
    Column("customer_class", Text, nullable=False),
    Column("opened_at", UtcInstant, nullable=False),
    Column("expires_at", UtcInstant, nullable=False),
    Column("findings", JsonDocument, nullable=False),
    Column("record_id", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("settled_at", UtcInstant),
    Column("officer", Text),
    Column("settled_by", Text),
    Column("reason", SealedText),
    Column("application_id", Text),
    Column("forgotten", Integer),
    Index("ix_review_tasks_state_opened_at", "state", "opened_at"),
    Index("ix_review_tasks_holder_digest", "holder_digest"),
    Index("ix_review_tasks_application_id", "application_id"),
    Index("ix_review_tasks_opened_at", "opened_at", "task_id"),
)
"""``forgotten`` is NULL until nobody is left whom the certificates under review named."""
reviews_to_forget = review_tasks.c.forgotten.is_(None) & review_tasks.c.settled_at.is_not(None)
Index(
    "ix_review_tasks_to_forget",
    review_tasks.c.settled_at,
    sqlite_where=reviews_to_forget,
    postgresql_where=reviews_to_forget,
)

review_looks = Table(
    "review_looks",
    metadata,
    Column("record_id", Text, primary_key=True),
    Column("task_id", Text, ForeignKey("review_tasks.task_id"), nullable=False),
    Column("officer", Text, nullable=False),
    Column("looked_by", Text, nullable=False),
    Column("at", UtcInstant, nullable=False),
    Column("fields", JsonDocument, nullable=False),
    Index("ix_review_looks_task_id", "task_id"),
)


_OF_APPLICATION = Constant(select(review_tasks).where(review_tasks.c.application_id == bindparam("own")))
_OF_INTAKE = Constant(select(review_tasks).where(review_tasks.c.intake_id == bindparam("own")))
_LOOKS = Constant(
    select(review_looks)
    .where(review_looks.c.task_id == bindparam("own"))
    .order_by(review_looks.c.at, review_looks.c.record_id)
)


class SqlReviews:
    """``gateway.applications.ports.ReviewRepository``."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    def add(self, task: ReviewTask) -> None:
        columns = {**task.__dict__, "state": task.state.value, "findings": list(map(finding_to_json, task.findings))}
        self._statements.execute(insert(review_tasks).values(**self._statements.sealed(review_tasks, columns)))

    def find(self, task_id: str) -> ReviewTask | None:
        return self._one(select(review_tasks).where(review_tasks.c.task_id == task_id))

    def of_intake(self, intake_id: str) -> ReviewTask | None:
        return self._found(_OF_INTAKE, intake_id)

    def of_application(self, application_id: str) -> ReviewTask | None:
        return self._found(_OF_APPLICATION, application_id)

    def of_holder(self, holder_digest: str, limit: int) -> Sequence[ReviewTask]:
        own = select(review_tasks).where(review_tasks.c.holder_digest == holder_digest)
        return self._many(own.order_by(review_tasks.c.opened_at.desc(), review_tasks.c.task_id.desc()).limit(limit))

    def listed(self, state: ReviewState | None, limit: int) -> Sequence[ReviewTask]:
        oldest = (review_tasks.c.opened_at, review_tasks.c.task_id)
        query = select(review_tasks).order_by(*oldest)
        if state is not None:  # bounded and ordered as the index of states alone is
            alike = review_tasks.c.state.between(state.value, state.value)
            query = select(review_tasks).where(alike).order_by(review_tasks.c.state, *oldest)
        return self._many(query.limit(limit))

    def settle(self, task_id: str, settlement: Settlement) -> bool:
        still_open = (review_tasks.c.task_id == task_id) & (review_tasks.c.state == ReviewState.OPEN.value)
        values = {
            "state": settlement.state.value,
            "settled_at": settlement.at,
            "officer": settlement.officer,
            "settled_by": settlement.settled_by,
            "reason": settlement.reason,
            "application_id": settlement.application_id,
        }
        sealed = self._statements.sealed(review_tasks, values, task_id=task_id)
        return self._statements.execute(update(review_tasks).where(still_open).values(**sealed)).rowcount == 1

    def add_look(self, look: Look) -> None:
        self._statements.execute(insert(review_looks).values(**{**look.__dict__, "fields": list(look.fields)}))

    def looks(self, task_id: str) -> Sequence[Look]:
        rows = self._statements.ask(_LOOKS, own=task_id)
        return [Look(**{**row._asdict(), "fields": tuple(row.fields)}) for row in rows]

    def _found(self, query: Constant, own: str) -> ReviewTask | None:
        found = self._statements.ask(query, own=own)
        return _task(self._statements.opened(review_tasks, found[0])) if found else None

    def _one(self, query: Select[Any]) -> ReviewTask | None:
        row = self._statements.execute(query).one_or_none()
        return None if row is None else _task(self._statements.opened(review_tasks, row))

    def _many(self, query: Select[Any]) -> Sequence[ReviewTask]:
        return [_task(self._statements.opened(review_tasks, row)) for row in self._statements.execute(query)]


def _task(row: dict[str, Any]) -> ReviewTask:
    return ReviewTask(
        **{
            **{name: value for name, value in row.items() if name != "forgotten"},
            "state": ReviewState(row["state"]),
            "findings": tuple(finding_from_json(stored) for stored in row["findings"]),
        }
    )
