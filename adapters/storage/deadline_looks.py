"""When each open application has to be looked at for its deadlines again: a narrow row, so that no other is opened."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy import (
    Column,
    ForeignKey,
    Index,
    Table,
    Text,
    bindparam,
    column,
    delete,
    exists,
    literal,
    or_,
    select,
    table,
    update,
)
from sqlalchemy.dialects.postgresql import insert as insert_or

from adapters.storage.constant import Constant
from adapters.storage.statements import Statements
from adapters.storage.tables import UtcInstant, metadata

deadline_looks = Table(
    "deadline_looks",
    metadata,
    Column("application_id", Text, ForeignKey("applications.application_id"), primary_key=True),
    Column("look_at", UtcInstant, nullable=False),
    Column("looked_by", Text, nullable=False),
    Index("ix_deadline_looks_look_at", "look_at"),
    Index("ix_deadline_looks_looked_by", "looked_by"),
)

_NOBODY = ""
_DUE = insert_or(deadline_looks).values({name: bindparam(name) for name in ("application_id", "look_at", "looked_by")})
_LOOK_ANEW = Constant(
    _DUE.on_conflict_do_update(index_elements=["application_id"], set_={"look_at": _DUE.excluded.look_at})
)
_APPLICATIONS = table(
    "applications", column("application_id", Text), column("received_at", UtcInstant), column("closed_at", UtcInstant)
)


def look_anew(statements: Statements, application_id: str, since: datetime) -> None:
    """Its lifecycle is another now: it is due to be looked at, ``since`` being over."""
    statements.do(_LOOK_ANEW, {"application_id": application_id, "look_at": since, "looked_by": _NOBODY})


def look_no_more(statements: Statements, application_id: str) -> None:
    """It is closed."""
    statements.execute(delete(deadline_looks).where(deadline_looks.c.application_id == application_id))


class SqlDeadlineLooks:
    """``gateway.notices.ports.DeadlineLooks``."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    def due(self, at: datetime, rules: str, limit: int) -> Sequence[str]:
        own, found = deadline_looks.c, list[str]()
        # A search from end to end would be needed for "by other rules": two ranges of the index say the same.
        for condition, order in (
            (own.look_at <= at, own.look_at),
            (own.looked_by < rules, own.looked_by),
            (own.looked_by > rules, own.looked_by),
        ):
            if len(found) < limit:
                query = select(own.application_id).where(condition).order_by(order).limit(limit - len(found))
                found += self._statements.execute(query).scalars()
        return sorted(set(found))

    def hold(self, application_ids: Collection[str], at: datetime, rules: str) -> Sequence[str]:
        own = deadline_looks.c
        still = or_(own.look_at <= at, own.looked_by != rules)
        held = select(own.application_id).where(own.application_id.in_(application_ids), still)
        return list(self._statements.execute(held.order_by(own.application_id).with_for_update()).scalars())

    def put(self, again_at: Mapping[str, datetime], rules: str) -> None:
        own = deadline_looks.c.application_id == bindparam("own")
        looked = update(deadline_looks).where(own).values(look_at=bindparam("again_at"), looked_by=rules)
        if again_at:
            self._statements.execute(looked, [{"own": own, "again_at": at} for own, at in again_at.items()])

    def forget(self, application_id: str) -> None:
        look_no_more(self._statements, application_id)

    def adopt(self) -> int:
        own, known = _APPLICATIONS.c, deadline_looks.c.application_id
        missing = select(own.application_id, own.received_at, literal(_NOBODY)).where(
            own.closed_at.is_(None), ~exists().where(known == own.application_id)
        )
        taken = insert_or(deadline_looks).from_select(["application_id", "look_at", "looked_by"], missing)
        return self._statements.execute(taken.on_conflict_do_nothing(index_elements=["application_id"])).rowcount
