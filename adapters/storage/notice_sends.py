"""Tables and repository of how applicants want to be told, sealed, and of the queue of what is to be sent."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import (
    Column,
    ColumnElement,
    Float,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    delete,
    exists,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert as insert_or

from adapters.storage.notices import notices, read_notice
from adapters.storage.plain import Plain
from adapters.storage.sealed import SealedText
from adapters.storage.statements import Statements
from adapters.storage.tables import UtcInstant, metadata
from adapters.storage.together import AddFound
from gateway.delivery.backoff import tried
from gateway.notices.preferences import Preference, SendBacklog, SendState, Waiting, Way
from gateway.notices.words import Tongue

notice_preferences = Table(
    "notice_preferences",
    metadata,
    Column("application_id", Text, primary_key=True),
    Column("way", Text, nullable=False),
    Column("address", SealedText, nullable=False),
    Column("tongue", Text, nullable=False),
    Column("at", UtcInstant, nullable=False),
)

notice_sends = Table(
    "notice_sends",
    metadata,
    Column("notice_key", Text, ForeignKey("notices.notice_key"), primary_key=True),
    Column("application_id", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("due_at", UtcInstant, nullable=False),
    Column("since", UtcInstant, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("tried_s", Float, nullable=False),
    Column("lease_owner", Text),
    Column("lease_until", UtcInstant),
    Column("settled_at", UtcInstant),
    Index("ix_notice_sends_state_due_at", "state", "due_at"),
    Index("ix_notice_sends_application_id", "application_id"),
)

_LINE = notice_sends.c
_WAITING = _LINE.state == SendState.WAITING.value


_WAITS = (
    "INSERT INTO notice_sends (notice_key, application_id, state, due_at, since, attempts, tried_s)"
    " SELECT given.notice_key, chosen.application_id, 'waiting', given.due_at, given.due_at, 0, 0.0 FROM {given}"
    " JOIN notice_preferences AS chosen ON chosen.application_id = given.application_id"
)
_WAIT = AddFound(
    notice_sends,
    ("notice_key", "application_id", "due_at"),
    Plain(
        _WAITS.format(
            given="(SELECT json_extract(value, '$[0]') AS notice_key, json_extract(value, '$[1]') AS application_id,"
            " json_extract(value, '$[2]') AS due_at FROM json_each(?)) AS given"
        ),
        _WAITS.format(
            given="unnest(?::text[], ?::text[], ?::timestamptz[]) AS given (notice_key, application_id, due_at)"
        ),
    ),
)


class SqlNoticeSends:
    """``gateway.notices.ports.NoticeSends``."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    def choose(self, preference: Preference) -> None:
        columns = {**preference.__dict__, "way": preference.way.value, "tongue": preference.tongue.value}
        sealed = self._statements.sealed(notice_preferences, columns)
        changed = {name: value for name, value in sealed.items() if name != "application_id"}
        put = insert_or(notice_preferences).values(**sealed)
        self._statements.execute(put.on_conflict_do_update(index_elements=["application_id"], set_=changed))

    def chosen(self, application_id: str) -> Preference | None:
        own = select(notice_preferences).where(notice_preferences.c.application_id == application_id)
        row = self._statements.execute(own).one_or_none()
        if row is None:
            return None
        opened = self._statements.opened(notice_preferences, row)
        return Preference(**{**opened, "way": Way(opened["way"]), "tongue": Tongue(opened["tongue"])})

    def forget(self, application_id: str) -> bool:
        return forget_ways(self._statements, [application_id]) > 0

    def add(self, key: str, application_id: str, at: datetime) -> None:
        """The notice waits to be sent, where its applicant chose a way."""
        self._statements.defer(_WAIT, {"notice_key": key, "application_id": application_id, "due_at": at})

    def any_due(self, at: datetime) -> bool:
        return bool(self._statements.execute(select(exists().where(_due(at)))).scalar_one())

    def claim(self, owner: str, at: datetime, lease: timedelta, limit: int) -> Sequence[Waiting]:
        due = select(_LINE.notice_key).where(_due(at)).order_by(_LINE.due_at, _LINE.notice_key).limit(limit)
        rows = self._statements.execute(
            select(notice_sends).where(_LINE.notice_key.in_(due)).with_for_update(skip_locked=True)
        ).all()
        claimed = []
        for row in rows:
            preference = self.chosen(row.application_id)
            assert preference is not None, "what waits goes with the way"
            took = row.tried_s + tried(row.since, row.due_at, at).total_seconds()
            values = {"lease_owner": owner, "lease_until": at + lease, "attempts": row.attempts + 1, "tried_s": took}
            own = _LINE.notice_key == row.notice_key
            self._statements.execute(update(notice_sends).where(own).values(**values, since=at, due_at=at))
            notice = self._statements.execute(select(notices).where(notices.c.notice_key == row.notice_key)).one()
            claimed.append(Waiting(read_notice(notice), preference, row.attempts + 1, took))
        return claimed

    def put_off(self, owner: str, key: str, due_at: datetime, at: datetime) -> None:
        values = {"lease_owner": None, "lease_until": None, "due_at": due_at, "since": at}
        self._statements.execute(update(notice_sends).where(_held(owner, key)).values(**values))

    def settle(self, owner: str, key: str, state: SendState, at: datetime) -> bool:
        values = {"lease_owner": None, "lease_until": None, "state": state.value, "settled_at": at}
        return self._statements.execute(update(notice_sends).where(_held(owner, key)).values(**values)).rowcount == 1

    def backlog(self) -> SendBacklog:
        count = func.count().label("many")
        unsent = _LINE.state.in_([SendState.WAITING.value, SendState.DEAD.value])
        counted = select(_LINE.state, count).where(unsent).group_by(_LINE.state)
        found = {row.state: row.many for row in self._statements.execute(counted)}
        return SendBacklog(found.get(SendState.WAITING.value, 0), found.get(SendState.DEAD.value, 0))


def forget_ways(statements: Statements, application_ids: Sequence[str]) -> int:
    """Remove how these applicants are reached, and what still waits to be sent to them; answers how many chose one."""
    waits = delete(notice_sends).where(_LINE.application_id.in_(application_ids), _WAITING)
    statements.execute(waits)
    gone = delete(notice_preferences).where(notice_preferences.c.application_id.in_(application_ids))
    return statements.execute(gone).rowcount


def _due(at: datetime) -> ColumnElement[bool]:
    free = or_(_LINE.lease_until.is_(None), _LINE.lease_until <= at)
    return _WAITING & (_LINE.due_at <= at) & free


def _held(owner: str, key: str) -> ColumnElement[bool]:
    return (_LINE.notice_key == key) & (_LINE.lease_owner == owner) & _WAITING
