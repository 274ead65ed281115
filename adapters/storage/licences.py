"""Table and repository of the third parties that were asked for."""

from datetime import datetime

from sqlalchemy import Column, ForeignKey, Table, Text, insert, select

from adapters.storage.statements import Statements
from adapters.storage.tables import UtcInstant, metadata

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
