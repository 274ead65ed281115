"""Table and repository of idempotency keys: which request came under a key, and what it was answered."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Index, Integer, Table, Text, bindparam, delete, select, update
from sqlalchemy.dialects.postgresql import insert as insert_or

from adapters.storage.constant import Constant
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


_IS_OWN = idempotency_keys.c.scope == bindparam("own")
_IS_HELD = _IS_OWN & (idempotency_keys.c.holder == bindparam("held_by"))
_FORGET = Constant(delete(idempotency_keys).where(idempotency_keys.c.expires_at <= bindparam("now", type_=UtcInstant)))
_OWN = Constant(select(idempotency_keys).where(_IS_OWN))
_HOLDING = ("holder", "lease_until", "expires_at")
_FIRST = insert_or(idempotency_keys).values({name: bindparam(name) for name in ("scope", "request_digest", *_HOLDING)})
_RESERVE = Constant(
    _FIRST.on_conflict_do_update(
        index_elements=[idempotency_keys.c.scope],
        set_={name: _FIRST.excluded[name] for name in _HOLDING},
        where=idempotency_keys.c.status.is_(None)
        & (idempotency_keys.c.lease_until <= bindparam("now", type_=UtcInstant))
        & (idempotency_keys.c.request_digest == _FIRST.excluded.request_digest),
    )
)
_ANSWER = ("status", "media_type", "body")
_SETTLE = Constant(update(idempotency_keys).where(_IS_HELD).values({name: bindparam(name) for name in _ANSWER}))
_RELEASE = Constant(delete(idempotency_keys).where(_IS_HELD, idempotency_keys.c.status.is_(None)))


class SqlIdempotency:
    """``gateway.http.idempotency.IdempotencyKeys``."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    def look(self, scope: str, request_digest: str, at: datetime) -> SqlKeptRequest | None:
        for row in self._statements.ask(_OWN, own=scope):
            lapsed = row.status is None and row.lease_until <= at and row.request_digest == request_digest
            if row.expires_at > at and not lapsed:
                return self._kept(row)
        return None

    def reserve(
        self, scope: str, request_digest: str, holder: str, at: datetime, lease_until: datetime, expires_at: datetime
    ) -> SqlKeptRequest:
        self._statements.do(_FORGET, {"now": at})
        wanted = {"scope": scope, "request_digest": request_digest, "holder": holder}
        if self._statements.do(_RESERVE, {**wanted, "lease_until": lease_until, "expires_at": expires_at, "now": at}):
            return SqlKeptRequest(request_digest, holder, None, None, None)
        (row,) = self._statements.ask(_OWN, own=scope)
        return self._kept(row)

    def _kept(self, row: Any) -> SqlKeptRequest:
        body = self._statements.opened(idempotency_keys, row)["body"]
        return SqlKeptRequest(row.request_digest, row.holder, row.status, row.media_type, body)

    def settle(self, scope: str, holder: str, status: int, media_type: str, body: bytes) -> None:
        answer = {"status": status, "media_type": media_type, "body": body}
        sealed = self._statements.sealed(idempotency_keys, answer, scope=scope)
        self._statements.do(_SETTLE, {**sealed, "own": scope, "held_by": holder})

    def release(self, scope: str, holder: str) -> None:
        self._statements.do(_RELEASE, {"own": scope, "held_by": holder})
