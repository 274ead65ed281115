"""Cases as licences are answered from them, and the third parties that were asked for."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Column, Connection, ForeignKey, Table, Text, insert, select

from adapters.storage.applications import SqlApplications, application_parties, applications
from adapters.storage.authorisations import SqlAuthorisations, authorisations
from adapters.storage.plain import Plain
from adapters.storage.read_ahead import ReadAhead
from adapters.storage.statements import Statements
from adapters.storage.tables import UtcInstant, metadata
from gateway.licences.ports import CASE, Case

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


_THREE = (applications, authorisations, application_parties)
_JOINED = (
    "FROM applications"
    " JOIN authorisations ON authorisations.application_id = applications.application_id"
    " JOIN application_parties ON application_parties.application_id = applications.application_id"
    " WHERE applications.application_id"
)
_COLUMNS = ", ".join(f"{table.name}.{column.name}" for table in _THREE for column in table.c)
_VERSIONS = ", ".join(
    ["applications.application_id", *(f"{table.name}.xmin" for table in _THREE), "pg_postmaster_start_time()"]
)
_BY_COLUMNS, _BY_VERSIONS = f"SELECT {_COLUMNS} {_JOINED}", f"SELECT {_VERSIONS} {_JOINED}"
_CASE = Plain(f"{_BY_COLUMNS} = ?", f"{_BY_VERSIONS} = ?")
_FOR_USE = Plain(f"{_BY_COLUMNS} = ?", f"{_BY_VERSIONS} = ? FOR SHARE OF authorisations")
_FOR_USE_IF_FREE = Plain(
    f"{_BY_COLUMNS} IN (SELECT json_extract(value, '$[0]') FROM json_each(?))",  # noqa: S608
    f"{_BY_VERSIONS} = ANY (?::text[]) FOR SHARE OF authorisations SKIP LOCKED",
)
Stamp = tuple[object, ...]
"""What is the same only as long as not a byte of the three rows was changed, the application's number first.

SQLite: every column as it lies in the database, sealed values among them. PostgreSQL: which transaction made each row
what it is (``xmin``, which no two of them share within minutes), and when the server started: one that took over from
another, or was set back, counts its transactions anew.
"""


def read_cases_for_use(connection: Connection, wanted: Sequence[tuple[str, ...]]) -> Mapping[tuple[str, ...], Stamp]:
    """``adapters.storage.read_ahead.Reader`` of ``CASE``. What another process is about to change is left out."""
    return {(row[0],): row for row in _FOR_USE_IF_FREE.rows_for(connection, wanted)}


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
        look = (CASE, (application_id,))
        found = self._ahead.get(look) or self._stamp(application_id, for_use=True)
        if found is stamp:
            return found is not None
        if found is None or found != stamp:
            return False
        self._ahead.known_as(look, stamp)
        return True

    def _stamp(self, application_id: str, *, for_use: bool) -> Stamp | None:
        rows = self._statements.say(_FOR_USE if for_use else _CASE, (application_id,))
        return rows[0] if rows else None
