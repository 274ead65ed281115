"""Cases as licences are answered from them, and the third parties that were asked for."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Column, Connection, ForeignKey, Table, Text, bindparam, insert, select

from adapters.storage.applications import SqlApplications, application_parties, applications
from adapters.storage.authorisations import SqlAuthorisations, authorisations
from adapters.storage.read_ahead import ReadAhead
from adapters.storage.records import raw
from adapters.storage.statements import Statements
from adapters.storage.tables import UtcInstant, metadata
from gateway.licences.ports import CASE, Case
from gateway.transaction import Look

asked_holders = Table(
    "asked_holders",
    metadata,
    Column("application_id", Text, ForeignKey("applications.application_id"), primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("holder_digest", Text, primary_key=True),
    Column("asked_at", UtcInstant, nullable=False),
)


class SqlAskedHolders:
    """``gateway.licences.ports.AskedHolders``."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    def of(self, application_id: str, kind: str) -> frozenset[str]:
        own = (asked_holders.c.application_id == application_id) & (asked_holders.c.kind == kind)
        return frozenset(self._statements.execute(select(asked_holders.c.holder_digest).where(own)).scalars())

    def add(self, application_id: str, kind: str, holder_digest: str, at: datetime) -> None:
        self._statements.execute(
            insert(asked_holders).values(
                application_id=application_id, kind=kind, holder_digest=holder_digest, asked_at=at
            )
        )


_EVERYTHING = [
    raw(column).label(f"{column.table.name}_{column.name}")
    for table in (applications, authorisations, application_parties)
    for column in table.c
]
_CASES = (
    select(*_EVERYTHING)
    .join(authorisations, authorisations.c.application_id == applications.c.application_id)
    .join(application_parties, application_parties.c.application_id == applications.c.application_id)
    .where(applications.c.application_id.in_(bindparam("wanted", expanding=True)))
)
_FOR_USE = _CASES.with_for_update(read=True, of=authorisations)
_FOR_USE_IF_FREE = _CASES.with_for_update(read=True, of=authorisations, skip_locked=True)
Stamp = tuple[object, ...]
"""Every column of the three rows as it lies in the database, sealed values among them."""


def read_cases_for_use(connection: Connection, wanted: Sequence[tuple[str, ...]]) -> Mapping[tuple[str, ...], Stamp]:
    """``adapters.storage.read_ahead.Reader`` of ``CASE``. What another process is about to change is left out."""
    rows = connection.execute(_FOR_USE_IF_FREE, {"wanted": [application_id for (application_id,) in wanted]})
    return {(row[0],): tuple(row) for row in rows}


class SqlCases:
    """``gateway.licences.ports.Cases``: the same rows are the same case."""

    def __init__(
        self, statements: Statements, applications: SqlApplications, authorisations: SqlAuthorisations, ahead: ReadAhead
    ) -> None:
        self._statements, self._ahead = statements, ahead
        self._applications, self._authorisations = applications, authorisations

    def read(self, application_id: str) -> Case:
        return Case(
            self._applications.find(application_id),
            self._authorisations.of_application(application_id),
            self._applications.party(application_id),
            self._stamp(application_id, for_use=False),
        )

    def stands(self, application_id: str, stamp: object) -> bool:
        found = self._ahead.get(Look(CASE, (application_id,))) or self._stamp(application_id, for_use=True)
        return found is not None and found == stamp

    def _stamp(self, application_id: str, *, for_use: bool) -> Stamp | None:
        query = _FOR_USE if for_use else _CASES
        row = self._statements.execute(query, {"wanted": [application_id]}).one_or_none()
        return None if row is None else tuple(row)
