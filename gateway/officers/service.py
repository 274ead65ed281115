"""Officers sign in, work, and sign out; each of it is on record under the officer's pseudonym.

1. A sign-in is begun: state, nonce and PKCE verifier are fresh, and the browser gets a secret of its own.
2. The provider signs the officer in and sends the browser back with a code.
3. Whoever comes back holds the secret of step 1 (else somebody could be lured into another's session).
4. The code is redeemed; the ID token's signature, issuer, audience, times and nonce hold.
5. It names exactly one role of ours. The sign-in is used up and the session begun, under a new secret, in one unit.
"""

import base64
import secrets
from collections.abc import Callable, Collection
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Final

from gateway.clock import Clock
from gateway.crypto.keyed_digest import KeyedDigest, Use
from gateway.errors import Owner
from gateway.officers.errors import (
    OfficerRoleMissing,
    OfficerSessionRequired,
    OfficerUnknown,
    SignInNotOwn,
    SignInUndetermined,
)
from gateway.officers.model import SIGN_IN_OPEN_FOR, Officer, OfficerRole, OfficerSession, SignIn
from gateway.officers.ports import OfficerClaims, OfficerProvider, OfficersTransaction
from gateway.records.entries import Fact, RecordEntry
from gateway.records.refusals import refusals_recorded
from gateway.transaction import Transactions
from gateway.wording.phrases import Phrase, listed

SIGNED_IN, SIGN_IN, SIGNED_OUT, OPENED = "officer.signed_in", "officer.sign_in", "officer.signed_out", "officer.opened"
NOBODY: Final = "console"
"""Actor of what is refused before it is known who is there."""


@dataclass(frozen=True)
class BegunSignIn:
    """Where to go, and the browser's secret, told once."""

    url: str = field(repr=False)
    browser_secret: str = field(repr=False)


@dataclass(frozen=True)
class SignedIn:
    """A session with its secret, told once, and where the officer wanted to go."""

    session: OfficerSession
    session_secret: str = field(repr=False)
    back: str


class OfficerService:
    """工作人员登录."""

    def __init__(
        self,
        transactions: Transactions[OfficersTransaction],
        provider: OfficerProvider,
        digests: KeyedDigest,
        clock: Clock,
        make_secret: Callable[[], str] = lambda: secrets.token_urlsafe(32),
    ) -> None:
        self._transactions = transactions
        self._provider = provider
        self._digests = digests
        self._clock = clock
        self._make_secret = make_secret

    async def begin(self, back: str) -> BegunSignIn:
        """Step 1. ``back`` is a path of ours. Raises ``PartnerUnavailable``."""
        now = self._clock()
        state, browser, nonce, verifier = (self._make_secret() for _ in range(4))
        url = await self._provider.authorization_url(state, nonce, _challenge(verifier), now)
        begun = SignIn(_digest(state), _digest(browser), nonce, verifier, back, now + SIGN_IN_OPEN_FOR)

        def work(tx: OfficersTransaction) -> None:
            tx.officers.clear(now)
            tx.officers.add_sign_in(begun)

        await self._transactions.write(work)
        return BegunSignIn(url, browser)

    async def complete(self, state: str, code: str | None, browser_secret: str, former_secret: str | None) -> SignedIn:
        """Steps 3 to 5. The session of ``former_secret``, if there is one, ends. A refusal is recorded.

        Raises ``SignInNotOwn``, ``SignInUndetermined`` where there is no ``code``, ``OfficerTokenRefused``,
        ``OfficerUnknown``, ``PartnerUnavailable``.
        """
        now = self._clock()
        begun = await self._begun(state, now)
        async with self._refusals(NOBODY, SIGN_IN):
            _require_own(begun, browser_secret)
            if code is None:
                raise SignInUndetermined(
                    check="officer.provider_declined", owner=Owner.CALLER, remedy="登录服务未确认您的身份，请重新登录"
                )
            claims = await self._provider.claims(code, begun.code_verifier, begun.nonce, now)
        subject = self._pseudonym(claims)
        async with self._refusals(f"officer:{subject}", SIGN_IN):
            role = _one_role(claims.roles)
            secret = self._make_secret()
            session = OfficerSession(
                f"ofs_{self._make_secret()[:22]}", _digest(secret), subject, claims.name, role, now, now
            )
            await self._transactions.write(lambda tx: self._settle(tx, begun, session, former_secret))
        return SignedIn(session, secret, begun.back)

    def _settle(self, tx: OfficersTransaction, begun: SignIn, session: OfficerSession, former: str | None) -> None:
        if not tx.officers.take_sign_in(begun.state_digest):
            raise _not_own()
        before = tx.officers.by_token(_digest(former)) if former else None
        if before is not None:
            tx.officers.remove(before.session_id)
        tx.officers.add(session)
        facts: dict[str, Fact] = {"role": session.role.value, "provider": self._provider.issuer}
        actor = session.officer.actor
        tx.records.append(RecordEntry(SIGNED_IN, session.signed_in_at, actor, session.session_id, facts=facts))

    async def admit(self, secret: str | None, roles: Collection[OfficerRole], page: str, method: str) -> Officer:
        """The officer of ``secret``, for a click on ``page`` (a template, never an address), which is recorded.

        Raises ``OfficerSessionRequired``, and ``OfficerRoleMissing`` for one whose role is not among ``roles``.
        """
        now = self._clock()
        session = await self._session(secret, now)
        facts: dict[str, Fact] = {"page": page, "method": method, "role": session.role.value}
        if session.role not in roles:
            async with self._refusals(session.officer.actor, OPENED, session.session_id, facts):
                raise OfficerRoleMissing(
                    check="officer.role",
                    owner=Owner.CALLER,
                    remedy=Phrase(
                        "此页面限以下角色使用：{roles}",
                        roles=listed(Phrase(role.chinese_title) for role in sorted(roles)),
                    ),
                )

        def work(tx: OfficersTransaction) -> None:
            if session.seen(now) != session:
                tx.officers.put_seen(session.seen(now))
            entry = RecordEntry(OPENED, now, session.officer.actor, session.session_id, facts=facts)
            tx.records.append(entry)

        await self._transactions.write(work)
        return session.officer

    async def sign_out(self, secret: str | None) -> None:
        """The session is removed, and recorded once. Raises ``OfficerSessionRequired``."""
        now = self._clock()
        session = await self._session(secret, now)

        def work(tx: OfficersTransaction) -> None:
            if tx.officers.by_token(session.token_digest) is None:
                return  # the other click of two was here first
            tx.officers.remove(session.session_id)
            tx.records.append(RecordEntry(SIGNED_OUT, now, session.officer.actor, session.session_id))

        await self._transactions.write(work)

    async def _session(self, secret: str | None, now: datetime) -> OfficerSession:
        digest = _digest(secret) if secret else None
        session = await self._transactions.read(lambda tx: tx.officers.by_token(digest)) if digest else None
        if session is None or session.ends_at <= now:
            raise OfficerSessionRequired(
                check="officer.session", owner=Owner.CALLER, remedy="您尚未登录，或登录已过期，请重新登录"
            )
        return session

    async def _begun(self, state: str, now: datetime) -> SignIn:
        """Who comes with a state that was never given out is not known, and not recorded."""
        begun = await self._transactions.read(lambda tx: tx.officers.sign_in(_digest(state)))
        if begun is None or begun.expires_at <= now:
            raise _not_own()
        return begun

    def _pseudonym(self, claims: OfficerClaims) -> str:
        return "off_" + self._digests.of(Use.OFFICER, f"{self._provider.issuer}\n{claims.subject}")[:20]

    def _refusals(
        self, actor: str, action: str, subject: str | None = None, facts: dict[str, Fact] | None = None
    ) -> AbstractAsyncContextManager[None]:
        return refusals_recorded(self._transactions, action, self._clock, actor, subject, facts or {})


def _digest(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()


def _challenge(code_verifier: str) -> str:
    """RFC 7636 §4.2, S256."""
    return base64.urlsafe_b64encode(sha256(code_verifier.encode()).digest()).rstrip(b"=").decode()


def _require_own(begun: SignIn, browser_secret: str) -> None:
    if not secrets.compare_digest(begun.browser_digest, _digest(browser_secret)):
        raise _not_own()


def _one_role(told: Collection[str]) -> OfficerRole:
    """Several roles in one person would undo what they are separated for."""
    known = [role for role in OfficerRole if role.value in told]
    if len(known) != 1:
        raise OfficerUnknown(
            check="officer.no_role" if not known else "officer.several_roles",
            owner=Owner.GATEWAY,
            remedy="请联系平台管理员：登录服务须恰好为您指定一个角色（operator、reviewer、auditor 或 authority）",
        )
    return known[0]


def _not_own() -> SignInNotOwn:
    return SignInNotOwn(
        check="officer.sign_in", owner=Owner.CALLER, remedy="登录已过期，或不是在此浏览器中发起的，请重新登录"
    )
