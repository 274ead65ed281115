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
    Table,
    Text,
    and_,
    bindparam,
    case,
    delete,
    func,
    literal,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import Insert
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


_AT, _FURTHEST = bindparam("at", type_=UtcInstant()), bindparam("furthest", type_=UtcInstant())


def _moment(at: datetime) -> dict[str, datetime]:
    """What ``_free`` and ``_due`` are asked for."""
    return {"at": at, "furthest": at + FURTHEST_AHEAD}


def _free(table: Table) -> ColumnElement[bool]:
    """No lease, a lapsed one, or one that a clock gave when it ran fast."""
    until = table.c.lease_until
    return or_(until.is_(None), until < _AT, until > _FURTHEST)


def _due(column: Column[datetime]) -> ColumnElement[bool]:
    """Nothing is ever put off further than ``FURTHEST_AHEAD``; what lies beyond was put there by a clock ahead."""
    return or_(column <= _AT, column > _FURTHEST)


def _queued(which: ColumnElement[bool]) -> Insert:
    """Asks for a look at the certificates ``which``, and merges that with what was asked for before."""
    hint, table = bindparam("hint", type_=UtcInstant()), application_certificates.c
    wanted = (
        select(
            table.application_id,
            table.kind,
            _AT,
            bindparam("why", type_=Text()),
            _AT,
            hint,
            literal(0),
            literal(1),
        )
        .where(which)
        .order_by(table.application_id, table.kind)
    )
    names = ["application_id", "kind", "due_at", "reason", "asked_at", "hinted_at", "attempts", "generation"]
    new = insert_or(rechecks_due).from_select(names, wanted)
    old, fresh = rechecks_due.c, new.excluded
    # A line that waits for its turn keeps its cause; one that was put off, or is being looked at, gets the new one.
    again = or_(fresh.due_at < old.due_at, old.lease_owner.is_not(None))
    changed = {name: case((again, fresh[name]), else_=old[name]) for name in ("due_at", "reason", "attempts")}
    later_hint = or_(old.hinted_at.is_(None), fresh.hinted_at > old.hinted_at)
    return new.on_conflict_do_update(
        index_elements=["application_id", "kind"],
        set_={
            **changed,
            "asked_at": fresh.asked_at,
            "hinted_at": case((later_hint, fresh.hinted_at), else_=old.hinted_at),
            "generation": old.generation + 1,
        },
    )


_ANY_DUE = select(rechecks_due.c.kind).where(_due(rechecks_due.c.due_at), _free(rechecks_due)).limit(1)
_LENT: dict[str, Any] = {"lease_owner": bindparam("owner"), "lease_until": bindparam("until")}
_FREED: dict[str, Any] = {"lease_owner": None, "lease_until": None}

_LINE = (rechecks_due.c.application_id, rechecks_due.c.kind)
_CLAIM = (
    update(rechecks_due)
    .where(
        tuple_(*_LINE).in_(
            select(*_LINE)
            .where(_due(rechecks_due.c.due_at), _free(rechecks_due))
            .order_by(rechecks_due.c.due_at, *_LINE)
            .limit(bindparam("most", type_=Integer()))
            .with_for_update(skip_locked=True)
        )
    )
    .values({**_LENT, "attempts": rechecks_due.c.attempts + 1})
    .returning(rechecks_due)
)
_MINE = and_(
    rechecks_due.c.application_id == bindparam("of_application"),
    rechecks_due.c.kind == bindparam("of_kind"),
    rechecks_due.c.lease_owner == bindparam("held_by"),
)
_SAME = and_(_MINE, rechecks_due.c.generation == bindparam("known"))
_HELD = select(rechecks_due.c.kind).where(_MINE).with_for_update()
_END = delete(rechecks_due).where(_SAME)
_PUT_OFF = update(rechecks_due).where(_SAME).values({**_FREED, "due_at": bindparam("again")})
_FREE = update(rechecks_due).where(_MINE).values(_FREED)

_OF_APPLICATION = application_certificates.c.application_id == bindparam("of_application")
_ASK_FOR_ALL = _queued(_OF_APPLICATION)
_ASK_FOR_ONE = _queued(and_(_OF_APPLICATION, application_certificates.c.kind == bindparam("of_kind")))

_KNOW_FEED = insert_or(change_feeds).on_conflict_do_nothing(index_elements=["source"])
_CLAIM_FEED = (
    update(change_feeds)
    .where(change_feeds.c.source == bindparam("of_source"), _due(change_feeds.c.next_pull_at), _free(change_feeds))
    .values(_LENT)
    .returning(change_feeds)
)


def _line(owner: str, due: DueRecheck) -> dict[str, str]:
    """What ``_MINE`` is asked for."""
    return {"of_application": due.application_id, "of_kind": due.kind, "held_by": owner}


class SqlRecheckQueue:
    """``gateway.rechecks.ports.RecheckQueue``, and what stage events ask of it."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    def ask_at_stage(self, application_id: str, at: datetime) -> int:
        asked = {"of_application": application_id, "why": Reason.STAGE.value, "at": at, "hint": None}
        return self._statements.execute(_ASK_FOR_ALL, asked).rowcount

    def ask(
        self, application_id: str, kind: str, reason: Reason, at: datetime, hinted_at: datetime | None = None
    ) -> None:
        asked = {"of_application": application_id, "of_kind": kind, "why": reason.value, "at": at, "hint": hinted_at}
        self._statements.execute(_ASK_FOR_ONE, asked)

    def any_due(self, at: datetime) -> bool:
        return self._statements.execute(_ANY_DUE, _moment(at)).first() is not None

    def claim(self, owner: str, at: datetime, lease: timedelta, limit: int) -> Sequence[DueRecheck]:
        lent = {**_moment(at), "most": limit, "owner": owner, "until": at + lease}
        rows = self._statements.execute(_CLAIM, lent).all()
        return [_due_recheck(row) for row in sorted(rows, key=lambda row: row.due_at)]

    def holds(self, owner: str, due: DueRecheck) -> bool:
        return self._statements.execute(_HELD, _line(owner, due)).first() is not None

    def settle(self, owner: str, due: DueRecheck, again_at: datetime | None) -> None:
        line = _line(owner, due)
        same = {**line, "known": due.generation}
        if again_at is None:
            ended = self._statements.execute(_END, same)
        else:
            ended = self._statements.execute(_PUT_OFF, {**same, "again": again_at})
        if not ended.rowcount:  # asked for once more meanwhile: it stays due as it was asked for then
            self._statements.execute(_FREE, line)

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
        new = {"source": source, "first_pulled_at": at, "next_pull_at": at, "failures": 0}
        self._statements.execute(_KNOW_FEED, new)
        lent = {**_moment(at), "of_source": source, "owner": owner, "until": at + lease}
        row = self._statements.execute(_CLAIM_FEED, lent).one_or_none()
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
