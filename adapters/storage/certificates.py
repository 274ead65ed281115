"""Table and repository of the certificate copies at hand."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Column, Index, LargeBinary, Table, Text, delete, func, select
from sqlalchemy.dialects.postgresql import insert as insert_or

from adapters.storage.statements import Statements
from adapters.storage.tables import UtcInstant, metadata
from gateway.certificates.ports import CertificateCopy

certificate_copies = Table(
    "certificate_copies",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("holder_code", Text, primary_key=True),
    Column("digest", Text, primary_key=True),
    Column("identifier", Text, nullable=False),
    Column("envelope", LargeBinary, nullable=False),
    Column("source", Text, nullable=False),
    Column("level", Text, nullable=False),
    Column("fetched_at", UtcInstant, nullable=False),
    Index("ix_certificate_copies_kind_fetched_at", "kind", "fetched_at"),
)


class SqlCertificateCopies:
    """``gateway.certificates.ports.CertificateCopies``."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    def put(self, copy: CertificateCopy) -> None:
        columns = {name: getattr(copy, name) for name in certificate_copies.c.keys()}  # noqa: SIM118
        # ``insert_or`` compiles to the same ON CONFLICT on SQLite.
        self._statements.execute(
            insert_or(certificate_copies)
            .values(**columns)
            .on_conflict_do_update(
                index_elements=["kind", "holder_code", "digest"],
                set_={"fetched_at": copy.fetched_at, "source": copy.source, "level": copy.level},
            )
        )

    def latest(self, kind: str, holder_code: str) -> Sequence[CertificateCopy]:
        own = (certificate_copies.c.kind == kind) & (certificate_copies.c.holder_code == holder_code)
        newest = select(func.max(certificate_copies.c.fetched_at)).where(own).scalar_subquery()
        rows = self._statements.execute(
            select(certificate_copies)
            .where(own, certificate_copies.c.fetched_at == newest)
            .order_by(certificate_copies.c.digest)
        )
        return [CertificateCopy(**row._mapping) for row in rows]

    def forget(self, holder_code: str, kind: str | None = None) -> int:
        own = certificate_copies.c.holder_code == holder_code
        if kind is not None:
            own &= certificate_copies.c.kind == kind
        return self._statements.execute(delete(certificate_copies).where(own)).rowcount

    def forget_older_than(self, kind: str, before: datetime) -> int:
        old = (certificate_copies.c.kind == kind) & (certificate_copies.c.fetched_at < before)
        return self._statements.execute(delete(certificate_copies).where(old)).rowcount
