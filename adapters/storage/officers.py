"""Tables and repository of officers' sessions: digests of secrets, and the officer's name sealed."""

from datetime import datetime
from typing import Any

from sqlalchemy import Column, Index, Table, Text, delete, insert, select, update

from adapters.storage.sealed import SealedText
from adapters.storage.statements import Statements
from adapters.storage.tables import UtcInstant, metadata
from gateway.officers.model import LONGEST, OfficerRole, OfficerSession, SignIn

officer_sign_ins = Table(
    "officer_sign_ins",
    metadata,
    Column("state_digest", Text, primary_key=True),
    Column("browser_digest", Text, nullable=False),
    Column("nonce", SealedText, nullable=False),
    Column("code_verifier", SealedText, nullable=False),
    Column("back", Text, nullable=False),
    Column("expires_at", UtcInstant, nullable=False),
    Index("ix_officer_sign_ins_expires_at", "expires_at"),
)

officer_sessions = Table(
    "officer_sessions",
    metadata,
    Column("session_id", Text, primary_key=True),
    Column("token_digest", Text, nullable=False, unique=True),
    Column("subject", Text, nullable=False),
    Column("name", SealedText, nullable=False),
    Column("role", Text, nullable=False),
    Column("signed_in_at", UtcInstant, nullable=False),
    Column("seen_at", UtcInstant, nullable=False),
    Index("ix_officer_sessions_signed_in_at", "signed_in_at"),
)

_CLEARED_AT_ONCE = 100


class SqlOfficers:
    """``gateway.officers.ports.OfficerSessions``."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    def add_sign_in(self, sign_in: SignIn) -> None:
        sealed = self._statements.sealed(officer_sign_ins, {**sign_in.__dict__})
        self._statements.execute(insert(officer_sign_ins).values(**sealed))

    def sign_in(self, state_digest: str) -> SignIn | None:
        own = officer_sign_ins.c.state_digest == state_digest
        row = self._statements.execute(select(officer_sign_ins).where(own)).one_or_none()
        return None if row is None else SignIn(**self._statements.opened(officer_sign_ins, row))

    def take_sign_in(self, state_digest: str) -> bool:
        own = officer_sign_ins.c.state_digest == state_digest
        return self._statements.execute(delete(officer_sign_ins).where(own)).rowcount == 1

    def add(self, session: OfficerSession) -> None:
        columns = {**session.__dict__, "role": session.role.value}
        self._statements.execute(insert(officer_sessions).values(**self._statements.sealed(officer_sessions, columns)))

    def put_seen(self, session: OfficerSession) -> None:
        own = officer_sessions.c.session_id == session.session_id
        self._statements.execute(update(officer_sessions).where(own).values(seen_at=session.seen_at))

    def by_token(self, token_digest: str) -> OfficerSession | None:
        own = officer_sessions.c.token_digest == token_digest
        row = self._statements.execute(select(officer_sessions).where(own)).one_or_none()
        return None if row is None else _session(self._statements.opened(officer_sessions, row))

    def remove(self, session_id: str) -> None:
        self._statements.execute(delete(officer_sessions).where(officer_sessions.c.session_id == session_id))

    def clear(self, at: datetime) -> None:
        lapsed = officer_sign_ins.c.expires_at < at
        some = select(officer_sign_ins.c.state_digest).where(lapsed).limit(_CLEARED_AT_ONCE)
        self._statements.execute(delete(officer_sign_ins).where(officer_sign_ins.c.state_digest.in_(some)))
        old = officer_sessions.c.signed_in_at < at - LONGEST
        ended = select(officer_sessions.c.session_id).where(old).limit(_CLEARED_AT_ONCE)
        self._statements.execute(delete(officer_sessions).where(officer_sessions.c.session_id.in_(ended)))


def _session(row: dict[str, Any]) -> OfficerSession:
    return OfficerSession(**{**row, "role": OfficerRole(row["role"])})
