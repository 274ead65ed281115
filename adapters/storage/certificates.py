"""Table and repository of the certificate copies at hand."""

from collections.abc import Sequence

from sqlalchemy import Column, LargeBinary, Table, Text, delete, func, select
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

    def forget(self, holder_code: str) -> int:
        """Remove every copy of the holder's; answers how many."""
        gone = delete(certificate_copies).where(certificate_copies.c.holder_code == holder_code)
        return self._statements.execute(gone).rowcount
