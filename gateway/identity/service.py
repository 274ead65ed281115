"""Verification sessions: sent to the identity provider, back with a single-use assertion, verified or told why not.

1. A session is opened: state, nonce and PKCE verifier are fresh; the applicant gets a secret that only they hold.
2. The provider verifies the applicant, by face or by another way, and sends them back with a code.
3. Whoever comes back must hold the secret of step 1 (else someone could be lured into another's session).
4. The code is redeemed for the assertion: signature, issuer, audience, times, nonce; verified now, not long ago.
5. The assertion is spent: its ``jti`` never counts again. The session is verified, and recorded, in one unit, and its
   holder gets a new secret: who knew the one from before the verification holds nothing (session fixation).
"""

import base64
import secrets
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256

from pydantic import ValidationError

from gateway.clock import Clock
from gateway.crypto.keyed_digest import KeyedDigest
from gateway.errors import Owner
from gateway.identity.errors import (
    AssertionRefused,
    CallbackNotOwn,
    MethodNotOffered,
    SessionSpent,
    SessionUnknown,
    VerificationUndetermined,
)
from gateway.identity.model import (
    OPEN_FOR,
    VERIFIED_FOR,
    SessionStatus,
    VerificationSession,
    VerifiedApplicant,
)
from gateway.identity.ports import IdentityProvider, IdentityTransaction
from gateway.identity.sessions import applicant_in, digest_of, session_in
from gateway.records.entries import Fact, RecordEntry, Result, digest
from gateway.records.refusals import refusals_recorded
from gateway.transaction import Transactions
from gateway.wording.phrases import Phrase, listed
from schemas.identity import (
    ASSERTION_LIFETIME_SECONDS,
    ApplicantKind,
    IdentityAssertion,
    ProviderFailure,
    VerificationMethod,
    methods_of,
)

CLOCK_SKEW = timedelta(seconds=30)
OAUTH_ERRORS = frozenset(
    {
        "access_denied",
        "invalid_request",
        "unauthorized_client",
        "unsupported_response_type",
        "invalid_scope",
        "server_error",
        "temporarily_unavailable",
        "login_required",
        "interaction_required",
        "consent_required",
    }
)
"""RFC 6749 §4.1.2.1 and OpenID Connect Core §3.1.2.6: what a provider may say when it sends somebody back."""


def new_secret() -> str:
    """256 random bits, URL-safe."""
    return secrets.token_urlsafe(32)


@dataclass(frozen=True)
class OpenedSession:
    """A session with the secrets that are told once: the applicant's token, and where to go."""

    session: VerificationSession
    session_token: str
    authorization_url: str


@dataclass(frozen=True)
class CompletedSession:
    """A verified session, with its new secret, told once."""

    session: VerificationSession
    session_token: str


class IdentityService:
    """身份核验."""

    def __init__(
        self,
        transactions: Transactions[IdentityTransaction],
        provider: IdentityProvider,
        digests: KeyedDigest,
        clock: Clock,
        make_secret: Callable[[], str] = new_secret,
    ) -> None:
        self._transactions = transactions
        self._provider = provider
        self._digests = digests
        self._clock = clock
        self._make_secret = make_secret

    async def open(
        self, applicant_kind: ApplicantKind, method: VerificationMethod | None, bound_to: str | None = None
    ) -> OpenedSession:
        """Open a session. Raises ``MethodNotOffered``, ``PartnerUnavailable``.

        ``bound_to`` (a digest) ends the nonce after a dot, so that the assertion says what the verification was for.
        """
        chosen = method or methods_of(applicant_kind)[0]
        if chosen not in methods_of(applicant_kind):
            raise MethodNotOffered(
                check="identity.method",
                owner=Owner.APPLICANT,
                remedy=Phrase("可用方式：{methods}", methods=listed(methods_of(applicant_kind))),
            )
        now = self._clock()
        state, token, nonce, verifier = (self._make_secret() for _ in range(4))
        if bound_to is not None:
            nonce = f"{nonce}.{bound_to}"
        url = await self._provider.authorization_url(state, nonce, _challenge(verifier), chosen, now)
        session = VerificationSession(
            session_id="ses_" + self._make_secret()[:22],
            applicant_kind=applicant_kind,
            method=chosen,
            state_digest=digest_of(state),
            token_digest=digest_of(token),
            nonce=nonce,
            code_verifier=verifier,
            opened_at=now,
            expires_at=now + OPEN_FOR,
        )
        await self._transactions.write(lambda tx: tx.sessions.add(session))
        return OpenedSession(session, token, url)

    async def complete(self, state: str, code: str, session_token: str) -> CompletedSession:
        """The applicant is back with a code: steps 3 to 5. What is refused of a known session is recorded.

        Raises ``SessionUnknown``, ``CallbackNotOwn``, ``SessionSpent``, ``AssertionRefused``, ``PartnerUnavailable``.
        """
        now = self._clock()
        session = await self._opened(state, now)
        async with self._refusals_of(session):
            _require_own(session, session_token)
            return await self._established(session, code, now)

    async def _established(self, session: VerificationSession, code: str, now: datetime) -> CompletedSession:
        token = await self._provider.redeem(code, session.code_verifier, now)
        claims = await self._provider.read_assertion(token, session.nonce, now)
        try:
            assertion = IdentityAssertion.model_validate(claims)
        except ValidationError:
            raise _refused("claims", "身份提供方返回的内容不完整，请重新核验") from None
        self._check_assertion(assertion, session)
        new_token = self._make_secret()
        verified = replace(
            session,
            token_digest=digest_of(new_token),
            status=SessionStatus.VERIFIED,
            expires_at=now + VERIFIED_FOR,
            applicant=self._applicant(assertion, session),
            assertion=token,
        )
        await self._transactions.write(lambda tx: self._settle(tx, verified, assertion, now))
        return CompletedSession(verified, new_token)

    async def fail(self, state: str, failure: ProviderFailure, session_token: str) -> VerificationSession:
        """The applicant is back with the provider's no.

        Raises ``SessionUnknown``, ``CallbackNotOwn``, ``SessionSpent``.
        """
        now = self._clock()
        session = await self._opened(state, now)
        failed = replace(session, status=SessionStatus.FAILED, failure=failure)

        def settle(tx: IdentityTransaction) -> None:
            _require_open(tx.sessions.by_state(session.state_digest))
            tx.sessions.put(failed)
            tx.records.append(_entry(failed, now, "refused", failure))

        async with self._refusals_of(session):
            _require_own(session, session_token)
            await self._transactions.write(settle)
        return failed

    async def leave_open(self, state: str, error: str | None, session_token: str) -> VerificationSession:
        """The applicant is back and nothing was established: ``error`` is the provider's OAuth error code, if any.

        Always raises: ``VerificationUndetermined``, with the session as it was and no verdict made up, or as ``fail``.
        """
        session = await self._opened(state, self._clock())
        known = error if error in OAUTH_ERRORS else None
        async with self._refusals_of(session, {"provider_error": known or "unrecognised"}):
            _require_own(session, session_token)
            raise VerificationUndetermined(
                check="identity.undetermined",
                owner=Owner.APPLICANT if error == "access_denied" else Owner.GOVERNMENT,
                remedy=Phrase(
                    "身份核验未完成，未作任何认定；请重新核验，或改用：{methods}",
                    methods=listed(methods_of(session.applicant_kind)),
                ),
            )

    async def session(self, session_token: str) -> VerificationSession:
        """The session of the secret. Raises ``SessionRequired``."""
        now = self._clock()
        return await self._transactions.read(lambda tx: session_in(tx, session_token, now))

    async def applicant(self, session_token: str) -> VerifiedApplicant:
        """Who holds the secret. Raises ``SessionRequired``, or ``VerificationFailed`` with the ways that remain."""
        now = self._clock()
        return await self._transactions.read(lambda tx: applicant_in(tx, session_token, now))

    async def close(self, session_token: str) -> None:
        """Sign out: the session and what it established are removed. Raises ``SessionRequired``."""
        session = await self.session(session_token)

        def close(tx: IdentityTransaction) -> None:
            tx.sessions.remove(session.session_id)
            tx.records.append(RecordEntry("identity.closed", self._clock(), "applicant", session.session_id))

        await self._transactions.write(close)

    def _refusals_of(
        self, session: VerificationSession, facts: dict[str, Fact] | None = None
    ) -> AbstractAsyncContextManager[None]:
        return refusals_recorded(
            self._transactions, "identity.refused", self._clock, "applicant", session.session_id, facts or {}
        )

    async def _opened(self, state: str, now: datetime) -> VerificationSession:
        """The session of a state. Who comes with none that was ever given out is not known, and not recorded."""
        session = await self._transactions.read(lambda tx: tx.sessions.by_state(digest_of(state)))
        if session is None or session.expires_at <= now:
            raise SessionUnknown(
                check="identity.state", owner=Owner.APPLICANT, remedy="核验会话不存在或已过期，请重新发起核验"
            )
        return session

    def _check_assertion(self, assertion: IdentityAssertion, session: VerificationSession) -> None:
        if assertion.exp - assertion.iat > ASSERTION_LIFETIME_SECONDS:
            raise _refused("lifetime", "身份凭据的有效期超过五分钟，请联系身份提供方")
        if assertion.auth_time < int((session.opened_at - CLOCK_SKEW).timestamp()):
            raise _refused("auth_time", "这是之前的一次核验，请在本次会话中重新核验")
        if assertion.amr[0] is not session.method and assertion.amr[0] not in methods_of(session.applicant_kind):
            raise _refused("method", "实际核验方式与发起的不符，请重新核验")

    def _applicant(self, assertion: IdentityAssertion, session: VerificationSession) -> VerifiedApplicant:
        person, enterprise = assertion.person, assertion.enterprise
        name = enterprise.name if enterprise else person.name
        code = enterprise.unified_social_credit_code if enterprise else person.resident_identity_number
        return VerifiedApplicant(
            applicant_kind=session.applicant_kind,
            method=assertion.amr[0],
            holder_name=name,
            holder_code=code,
            person_name=person.name,
            person_code=person.resident_identity_number,
            role=enterprise.role if enterprise else None,
            holder_digest=self._digests.of("holder", code),
            authorisation=enterprise.agent_authorisation if enterprise else None,
        )

    def _settle(
        self, tx: IdentityTransaction, verified: VerificationSession, assertion: IdentityAssertion, now: datetime
    ) -> None:
        _require_open(tx.sessions.by_state(verified.state_digest))
        until = datetime.fromtimestamp(assertion.exp, now.tzinfo) + OPEN_FOR
        if not tx.spent_tokens.spend("identity_assertion", assertion.iss, assertion.jti, now, until):
            raise _refused("replayed", "身份凭据只能使用一次，请重新核验")
        tx.sessions.put(verified)
        tx.records.append(_entry(verified, now, "done"))


def _challenge(code_verifier: str) -> str:
    """RFC 7636 §4.2, S256."""
    return base64.urlsafe_b64encode(sha256(code_verifier.encode()).digest()).rstrip(b"=").decode()


def _require_own(session: VerificationSession, session_token: str) -> None:
    _require_open(session)
    if not secrets.compare_digest(session.token_digest, digest_of(session_token)):
        raise CallbackNotOwn(
            check="identity.session_token",
            owner=Owner.APPLICANT,
            remedy="请在发起核验的同一浏览器或客户端中完成核验",
        )


def _require_open(session: VerificationSession | None) -> None:
    if session is None or session.status is not SessionStatus.OPEN:
        raise SessionSpent(
            check="identity.session_spent", owner=Owner.APPLICANT, remedy="该核验会话已使用，请重新发起核验"
        )


def _refused(check: str, remedy: str) -> AssertionRefused:
    return AssertionRefused(check=f"identity.assertion.{check}", owner=Owner.GOVERNMENT, remedy=remedy)


def _entry(
    session: VerificationSession, at: datetime, result: Result, failure: ProviderFailure | None = None
) -> RecordEntry:
    return RecordEntry(
        action="identity.verified" if result == "done" else "identity.failed",
        at=at,
        actor="applicant",
        subject=session.session_id,
        result=result,
        facts={
            "applicant_kind": session.applicant_kind.value,
            "method": (session.applicant.method if session.applicant else session.method).value,
            "failure": failure.value if failure else None,
            "holder_digest": session.applicant.holder_digest if session.applicant else None,
            "assertion_sha256": digest(session.assertion) if session.assertion else None,
        },
    )
