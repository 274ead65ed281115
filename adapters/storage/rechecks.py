"""Tables and repositories of re-checks: the queue of certificates to look at, and positions in change feeds."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    ForeignKey,
    Index,
    Integer,
    Row,
    Select,
    Table,
    Text,
    case,
    delete,
    func,
    literal,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import insert as insert_or

from adapters.storage.application_certificates import application_certificates
from adapters.storage.statements import Statements
from adapters.storage.tables import UtcInstant, metadata
from gateway.rechecks.model import DueRecheck, Reason
from gateway.rechecks.pacing import FURTHEST_AHEAD
from gateway.rechecks.ports import FeedState, QueueState

rechecks_due = Table(
    "rechecks_due",
    metadata,
    Column("application_id", Text, ForeignKey("applications.application_id"), primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("due_at", UtcInstant, nullable=False),
    Column("reason", Text, nullable=False),
    Column("asked_at", UtcInstant, nullable=False),
    Column("hinted_at", UtcInstant),
    Column("attempts", Integer, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("lease_owner", Text),
    Column("lease_until", UtcInstant),
    Index("ix_rechecks_due_due_at", "due_at"),
)

change_feeds = Table(
    "change_feeds",
    metadata,
    Column("source", Text, primary_key=True),
    Column("position", Text),
    Column("first_pulled_at", UtcInstant, nullable=False),
    Column("caught_up_at", UtcInstant),
    Column("next_pull_at", UtcInstant, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("lease_owner", Text),
    Column("lease_until", UtcInstant),
)

SEVERAL_ATTEMPTS = 3
"""A re-check that could not be decided so often is worth telling whoever is on call."""


def _free(table: Table, at: datetime) -> ColumnElement[bool]:
    """No lease, a lapsed one, or one that a clock gave when it ran fast."""
    until = table.c.lease_until
    return or_(until.is_(None), until < at, until > at + FURTHEST_AHEAD)


def _due(column: Column[datetime], at: datetime) -> ColumnElement[bool]:
    """Nothing is ever put off further than ``FURTHEST_AHEAD``; what lies beyond was put there by a clock ahead."""
    return or_(column <= at, column > at + FURTHEST_AHEAD)


class SqlRecheckQueue:
    """``gateway.rechecks.ports.RecheckQueue``, and what stage events ask of it."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    def ask_at_stage(self, application_id: str, at: datetime) -> int:
        return self._ask(application_certificates.c.application_id == application_id, Reason.STAGE, at, None)

    def ask(
        self, application_id: str, kind: str, reason: Reason, at: datetime, hinted_at: datetime | None = None
    ) -> None:
        table = application_certificates.c
        self._ask((table.application_id == application_id) & (table.kind == kind), reason, at, hinted_at)

    def _ask(self, which: ColumnElement[bool], reason: Reason, at: datetime, hinted_at: datetime | None) -> int:
        instant = UtcInstant()
        wanted: Select[Any] = (
            select(
                application_certificates.c.application_id,
                application_certificates.c.kind,
                literal(at, instant),
                literal(reason.value),
                literal(at, instant),
                literal(hinted_at, instant),
                literal(0),
                literal(1),
            )
            .where(which)
            .order_by(application_certificates.c.application_id, application_certificates.c.kind)
        )
        names = ["application_id", "kind", "due_at", "reason", "asked_at", "hinted_at", "attempts", "generation"]
        new = insert_or(rechecks_due).from_select(names, wanted)
        old, fresh = rechecks_due.c, new.excluded
        # A line that waits for its turn keeps its cause; one that was put off, or is being looked at, gets the new one.
        again = or_(fresh.due_at < old.due_at, old.lease_owner.is_not(None))
        changed = {name: case((again, fresh[name]), else_=old[name]) for name in ("due_at", "reason", "attempts")}
        later_hint = or_(old.hinted_at.is_(None), fresh.hinted_at > old.hinted_at)
        merged = new.on_conflict_do_update(
            index_elements=["application_id", "kind"],
            set_={
                **changed,
                "asked_at": fresh.asked_at,
                "hinted_at": case((later_hint, fresh.hinted_at), else_=old.hinted_at),
                "generation": old.generation + 1,
            },
        )
        return self._statements.execute(merged).rowcount

    def any_due(self, at: datetime) -> bool:
        some = select(rechecks_due.c.kind).where(_due(rechecks_due.c.due_at, at), _free(rechecks_due, at)).limit(1)
        return self._statements.execute(some).first() is not None

    def claim(self, owner: str, at: datetime, lease: timedelta, limit: int) -> Sequence[DueRecheck]:
        key = (rechecks_due.c.application_id, rechecks_due.c.kind)
        due = (
            select(*key)
            .where(_due(rechecks_due.c.due_at, at), _free(rechecks_due, at))
            .order_by(rechecks_due.c.due_at, *key)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        rows = self._statements.execute(
            update(rechecks_due)
            .where(tuple_(*key).in_(due))
            .values(lease_owner=owner, lease_until=at + lease, attempts=rechecks_due.c.attempts + 1)
            .returning(rechecks_due)
        ).all()
        return [_due_recheck(row) for row in sorted(rows, key=lambda row: row.due_at)]

    def holds(self, owner: str, due: DueRecheck) -> bool:
        line = select(rechecks_due.c.kind).where(_held_by(owner, due)).with_for_update()
        return self._statements.execute(line).first() is not None

    def settle(self, owner: str, due: DueRecheck, again_at: datetime | None) -> None:
        held = _held_by(owner, due)
        same = held & (rechecks_due.c.generation == due.generation)
        freed: dict[str, Any] = {"lease_owner": None, "lease_until": None}
        if again_at is None:
            ended = self._statements.execute(delete(rechecks_due).where(same))
        else:
            ended = self._statements.execute(update(rechecks_due).where(same).values(due_at=again_at, **freed))
        if not ended.rowcount:  # asked for once more meanwhile: it stays due as it was asked for then
            self._statements.execute(update(rechecks_due).where(held).values(**freed))

    def state(self) -> QueueState:
        undecided = func.count().filter(rechecks_due.c.attempts >= SEVERAL_ATTEMPTS)
        row = self._statements.execute(
            select(
                func.count().label("waiting"),
                func.min(rechecks_due.c.due_at).label("oldest"),
                undecided.label("undecided"),
            ).select_from(rechecks_due)
        ).one()
        return QueueState(row.waiting, row.oldest, row.undecided)


class SqlFeedPositions:
    """``gateway.rechecks.ports.FeedPositions``."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    def claim(self, source: str, owner: str, at: datetime, lease: timedelta) -> FeedState | None:
        self._statements.execute(
            insert_or(change_feeds)
            .values(source=source, first_pulled_at=at, next_pull_at=at, failures=0)
            .on_conflict_do_nothing(index_elements=["source"])
        )
        row = self._statements.execute(
            update(change_feeds)
            .where(change_feeds.c.source == source, _due(change_feeds.c.next_pull_at, at), _free(change_feeds, at))
            .values(lease_owner=owner, lease_until=at + lease)
            .returning(change_feeds)
        ).one_or_none()
        return None if row is None else _feed_state(row)

    def advance(
        self, source: str, owner: str, position: str, at: datetime, lease: timedelta, *, caught_up: bool
    ) -> bool:
        changed: dict[str, Any] = {"position": position, "failures": 0, "lease_until": at + lease}
        return self._held(source, owner, changed | ({"caught_up_at": at} if caught_up else {}))

    def release(self, source: str, owner: str, next_pull_at: datetime, *, failed: bool) -> None:
        failures = change_feeds.c.failures + 1 if failed else change_feeds.c.failures
        freed = {"lease_owner": None, "lease_until": None, "next_pull_at": next_pull_at, "failures": failures}
        self._held(source, owner, freed)

    def _held(self, source: str, owner: str, changed: dict[str, Any]) -> bool:
        held = (change_feeds.c.source == source) & (change_feeds.c.lease_owner == owner)
        return self._statements.execute(update(change_feeds).where(held).values(**changed)).rowcount == 1

    def states(self) -> Sequence[FeedState]:
        return [
            _feed_state(row) for row in self._statements.execute(select(change_feeds).order_by(change_feeds.c.source))
        ]


def _held_by(owner: str, due: DueRecheck) -> ColumnElement[bool]:
    line = rechecks_due.c
    own = (line.application_id == due.application_id) & (line.kind == due.kind)
    return own & (line.lease_owner == owner)


def _due_recheck(row: Row[Any]) -> DueRecheck:
    return DueRecheck(
        row.application_id,
        row.kind,
        Reason(row.reason),
        row.asked_at,
        row.hinted_at,
        row.attempts,
        row.generation,
    )


def _feed_state(row: Row[Any]) -> FeedState:
    return FeedState(row.source, row.position, row.caught_up_at, row.failures, row.first_pulled_at)
