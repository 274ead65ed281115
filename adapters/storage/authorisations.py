"""Table and repository of authorisations."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Index, Table, Text, bindparam, select, update

from adapters.storage.constant import Constant
from adapters.storage.statements import Statements
from adapters.storage.tables import JsonDocument, UtcInstant, metadata
from adapters.storage.together import AddTogether
from gateway.authorisations.model import Authorisation

authorisations = Table(
    "authorisations",
    metadata,
    Column("authorisation_id", Text, primary_key=True),
    Column("application_id", Text, nullable=False, unique=True),
    Column("utility", Text, nullable=False),
    Column("kinds", JsonDocument, nullable=False),
    Column("purposes", JsonDocument, nullable=False),
    Column("holder_digest", Text, nullable=False),
    Column("statement_digest", Text, nullable=False),
    Column("granted_at", UtcInstant, nullable=False),
    Column("until", UtcInstant, nullable=False),
    Column("withdrawn_at", UtcInstant),
    Column("purged_at", UtcInstant),
    Column("purge_heard_at", UtcInstant),
    Column("purge_receipt", Text),
)
_WITHDRAWN = authorisations.c.withdrawn_at.is_not(None)
_UNPURGED = _WITHDRAWN & authorisations.c.purge_heard_at.is_(None)
Index(
    "ix_authorisations_withdrawn_at",
    authorisations.c.withdrawn_at,
    sqlite_where=_WITHDRAWN,
    postgresql_where=_WITHDRAWN,
)

_ADD = AddTogether(authorisations)
_IS_OWN = authorisations.c.application_id == bindparam("own")
_OWN = Constant(select(authorisations).where(_IS_OWN))
_OWN_FOR_USE = Constant(select(authorisations).where(_IS_OWN).with_for_update(read=True))


class SqlAuthorisations:
    """``gateway.authorisations.ports.AuthorisationRepository``."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    def add(self, authorisation: Authorisation) -> None:
        listed = {"kinds": sorted(authorisation.kinds), "purposes": sorted(authorisation.purposes)}
        self._statements.write(_ADD, [{**authorisation.__dict__, **listed}])

    def of_application(self, application_id: str) -> Authorisation | None:
        return self._one(_OWN, application_id)

    def of_application_for_use(self, application_id: str) -> Authorisation | None:
        return self._one(_OWN_FOR_USE, application_id)

    def _one(self, query: Constant, application_id: str) -> Authorisation | None:
        found = self._statements.ask(query, own=application_id)
        return authorisation_of(found[0]._asdict()) if found else None

    def find(self, authorisation_id: str) -> Authorisation | None:
        query = select(authorisations).where(authorisations.c.authorisation_id == authorisation_id)
        row = self._statements.execute(query).one_or_none()
        return None if row is None else authorisation_of(row._asdict())

    def unpurged(self, limit: int) -> Sequence[Authorisation]:
        query = select(authorisations).where(_UNPURGED).order_by(authorisations.c.withdrawn_at).limit(limit)
        return [authorisation_of(row._asdict()) for row in self._statements.execute(query)]

    def purged(self, authorisation_id: str, purged_at: datetime, heard_at: datetime, receipt: str) -> bool:
        own = (authorisations.c.authorisation_id == authorisation_id) & _UNPURGED
        values = {"purged_at": purged_at, "purge_heard_at": heard_at, "purge_receipt": receipt}
        return self._statements.execute(update(authorisations).where(own).values(**values)).rowcount == 1

    def withdraw(self, authorisation_id: str, at: datetime) -> bool:
        return self._change_standing(authorisation_id, withdrawn_at=at)

    def renew(self, authorisation_id: str, until: datetime, statement_digest: str) -> bool:
        return self._change_standing(authorisation_id, until=until, statement_digest=statement_digest)

    def _change_standing(self, authorisation_id: str, **values: Any) -> bool:
        standing = (authorisations.c.authorisation_id == authorisation_id) & authorisations.c.withdrawn_at.is_(None)
        return self._statements.execute(update(authorisations).where(standing).values(**values)).rowcount == 1


def authorisation_of(stored: Mapping[str, Any]) -> Authorisation:
    """What a row of ``authorisations`` says, by its columns."""
    return Authorisation(**{**stored, "kinds": frozenset(stored["kinds"]), "purposes": frozenset(stored["purposes"])})
