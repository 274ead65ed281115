"""Table and repository of verification sessions."""

from typing import Any

from sqlalchemy import Column, Index, Table, Text, bindparam, delete, insert, select, update

from adapters.storage.constant import Constant
from adapters.storage.sealed import SealedJson, SealedText
from adapters.storage.statements import Statements
from adapters.storage.tables import UtcInstant, metadata
from gateway.identity.model import SessionStatus, VerificationSession, VerifiedApplicant
from schemas.identity import ApplicantKind, ProviderFailure, VerificationMethod

verification_sessions = Table(
    "verification_sessions",
    metadata,
    Column("session_id", Text, primary_key=True),
    Column("applicant_kind", Text, nullable=False),
    Column("method", Text, nullable=False),
    Column("state_digest", Text, nullable=False, unique=True),
    Column("token_digest", Text, nullable=False, unique=True),
    Column("nonce", SealedText, nullable=False),
    Column("code_verifier", SealedText, nullable=False),
    Column("opened_at", UtcInstant, nullable=False),
    Column("expires_at", UtcInstant, nullable=False),
    Column("status", Text, nullable=False),
    Column("failure", Text),
    Column("applicant", SealedJson),
    Column("assertion", SealedText),
    Index("ix_verification_sessions_expires_at", "expires_at"),
)


_BY_STATE, _BY_TOKEN = (
    Constant(select(verification_sessions).where(column == bindparam("digest")))
    for column in (verification_sessions.c.state_digest, verification_sessions.c.token_digest)
)


class SqlSessions:
    """``gateway.identity.ports.SessionRepository``."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    def add(self, session: VerificationSession) -> None:
        sealed = self._statements.sealed(verification_sessions, _columns(session))
        self._statements.execute(insert(verification_sessions).values(**sealed))

    def put(self, session: VerificationSession) -> None:
        own = verification_sessions.c.session_id == session.session_id
        sealed = self._statements.sealed(verification_sessions, _columns(session))
        self._statements.execute(update(verification_sessions).where(own).values(**sealed))

    def by_state(self, state_digest: str) -> VerificationSession | None:
        return self._one(_BY_STATE, state_digest)

    def by_token(self, token_digest: str) -> VerificationSession | None:
        return self._one(_BY_TOKEN, token_digest)

    def remove(self, session_id: str) -> None:
        own = verification_sessions.c.session_id == session_id
        self._statements.execute(delete(verification_sessions).where(own))

    def _one(self, query: Constant, digest: str) -> VerificationSession | None:
        found = self._statements.ask(query, digest=digest)
        return _session(self._statements.opened(verification_sessions, found[0])) if found else None


def _columns(session: VerificationSession) -> dict[str, object]:
    return {
        **session.__dict__,
        "applicant_kind": session.applicant_kind.value,
        "method": session.method.value,
        "status": session.status.value,
        "failure": session.failure.value if session.failure else None,
        "applicant": session.applicant.to_json() if session.applicant else None,
    }


def _session(row: dict[str, Any]) -> VerificationSession:
    return VerificationSession(
        session_id=row["session_id"],
        applicant_kind=ApplicantKind(row["applicant_kind"]),
        method=VerificationMethod(row["method"]),
        state_digest=row["state_digest"],
        token_digest=row["token_digest"],
        nonce=row["nonce"],
        code_verifier=row["code_verifier"],
        opened_at=row["opened_at"],
        expires_at=row["expires_at"],
        status=SessionStatus(row["status"]),
        failure=ProviderFailure(row["failure"]) if row["failure"] else None,
        applicant=VerifiedApplicant.from_json(row["applicant"]) if row["applicant"] else None,
        assertion=row["assertion"],
    )
