"""Table and repository of idempotency keys: which request came under a key, and what it was answered."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Column, Index, Integer, Table, Text, delete, select, update
from sqlalchemy.dialects.postgresql import insert as insert_or

from adapters.storage.sealed import SealedBytes
from adapters.storage.statements import Statements
from adapters.storage.tables import UtcInstant, metadata

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("scope", Text, primary_key=True),
    Column("request_digest", Text, nullable=False),
    Column("holder", Text, nullable=False),
    Column("lease_until", UtcInstant, nullable=False),
    Column("expires_at", UtcInstant, nullable=False),
    Column("status", Integer),
    Column("media_type", Text),
    Column("body", SealedBytes),
    Index("ix_idempotency_keys_expires_at", "expires_at"),
)
"""``scope`` is a SHA-256 over caller, route and key. A row without ``status`` is a request still being worked on."""


@dataclass(frozen=True, slots=True)
class SqlKeptRequest:
    """``gateway.http.idempotency.KeptRequest``."""

    request_digest: str
    holder: str
    status: int | None
    media_type: str | None
    body: bytes | None


class SqlIdempotency:
    """``gateway.http.idempotency.IdempotencyKeys``."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    def reserve(
        self, scope: str, request_digest: str, holder: str, at: datetime, lease_until: datetime, expires_at: datetime
    ) -> SqlKeptRequest:
        self._statements.execute(delete(idempotency_keys).where(idempotency_keys.c.expires_at <= at))
        reservation = {"holder": holder, "lease_until": lease_until, "expires_at": expires_at}
        first = insert_or(idempotency_keys).values(scope=scope, request_digest=request_digest, **reservation)
        lapsed = (
            idempotency_keys.c.status.is_(None)
            & (idempotency_keys.c.lease_until <= at)
            & (idempotency_keys.c.request_digest == request_digest)
        )
        self._statements.execute(
            first.on_conflict_do_update(index_elements=[idempotency_keys.c.scope], set_=reservation, where=lapsed)
        )
        row = self._statements.execute(select(idempotency_keys).where(idempotency_keys.c.scope == scope)).one()
        kept = self._statements.opened(idempotency_keys, row)
        return SqlKeptRequest(row.request_digest, row.holder, row.status, row.media_type, kept["body"])

    def settle(self, scope: str, holder: str, status: int, media_type: str, body: bytes) -> None:
        held = (idempotency_keys.c.scope == scope) & (idempotency_keys.c.holder == holder)
        answer = {"status": status, "media_type": media_type, "body": body}
        sealed = self._statements.sealed(idempotency_keys, answer, scope=scope)
        self._statements.execute(update(idempotency_keys).where(held).values(**sealed))

    def release(self, scope: str, holder: str) -> None:
        held = (idempotency_keys.c.scope == scope) & (idempotency_keys.c.holder == holder)
        self._statements.execute(delete(idempotency_keys).where(held, idempotency_keys.c.status.is_(None)))
