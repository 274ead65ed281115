"""Who a session's secret stands for, in whichever unit of work somebody asks."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from typing import Final, Protocol

from gateway.errors import Owner
from gateway.identity.errors import SessionRequired, VerificationFailed
from gateway.identity.model import SessionStatus, VerificationSession, VerifiedApplicant
from gateway.identity.ports import SessionRepository
from schemas.identity import ProviderFailure

FAILURE_REMEDIES: Final[Mapping[ProviderFailure, str]] = {
    ProviderFailure.MISMATCH: "比对不一致，请改用其他核验方式，或携证件到窗口办理",
    ProviderFailure.LIVENESS_FAILED: "未通过活体检测，请改用短信或窗口核验",
    ProviderFailure.LOCKED: "多次未通过，该方式已暂时锁定，请改用其他核验方式",
    ProviderFailure.TIME_OUT: "核验超时，请重新发起或改用其他核验方式",
}


class SeesSessions(Protocol):
    """A unit of work, as far as sessions are read in it."""

    @property
    def sessions(self) -> SessionRepository: ...


def digest_of(secret: str) -> str:
    """What a secret is found by: nothing that is kept tells it."""
    return sha256(secret.encode()).hexdigest()


def session_in(unit: SeesSessions, session_token: str, now: datetime) -> VerificationSession:
    """The session of the secret. Raises ``SessionRequired``."""
    session = unit.sessions.by_token(digest_of(session_token))
    if session is None or session.expires_at <= now:
        raise _session_required()
    return session


def applicant_in(unit: SeesSessions, session_token: str, now: datetime) -> VerifiedApplicant:
    """Who holds the secret. Raises ``SessionRequired``, or ``VerificationFailed`` with the ways that remain."""
    session = session_in(unit, session_token, now)
    if session.status is SessionStatus.FAILED and session.failure is not None:
        raise failed_verification(session, session.failure)
    if session.applicant is None:
        raise _session_required()
    return replace(session.applicant, assertion=session.assertion, session_id=session.session_id)


def failed_verification(session: VerificationSession, failure: ProviderFailure) -> VerificationFailed:
    """The refusal for a session that ended in ``failure``, with the ways that remain open."""
    return VerificationFailed(
        check=f"identity.{failure}",
        owner=Owner.APPLICANT,
        remedy=FAILURE_REMEDIES[failure],
        alternatives=list(session.alternatives),
    )


def _session_required() -> SessionRequired:
    return SessionRequired(
        check="identity.session", owner=Owner.APPLICANT, remedy="请先通过人脸、短信、窗口或电子营业执照完成身份核验"
    )
