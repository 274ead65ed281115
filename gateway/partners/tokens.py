"""Access tokens: granted for a client assertion (``private_key_jwt``), bound to a DPoP key, short-lived.

Sources: RFC 6749 §4.4, RFC 7523 and draft-ietf-oauth-rfc7523bis (``aud`` is the issuer alone), RFC 9068 (``at+jwt``),
RFC 9449 (DPoP). A token dies at once when its partner is suspended or the key that earned it is revoked, because
each use asks the directory.
"""

import re
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from sys import intern
from typing import Any, Final, NamedTuple, Protocol

from gateway.caller import Caller, ProofUse
from gateway.crypto.errors import JoseRefused
from gateway.crypto.jwk import SigningKey, VerificationKey
from gateway.crypto.jws import JwsPolicy, VerifiedJws, read_jws, sign_jws, verify_jws
from gateway.crypto.strict_json import parse_object
from gateway.errors import Owner
from gateway.partners.directory import DirectorySnapshot, PartnerDirectory
from gateway.partners.dpop import PROOF_MEMORY, DpopProof, access_token_hash, verify_proof
from gateway.partners.errors import (
    GrantTypeUnsupported,
    ScopeRefused,
    TokenRequestMalformed,
    client_refused,
    proof_refused,
    token_refused,
)
from gateway.partners.model import SCOPES, KeyUse, Partner
from gateway.partners.ports import PartnersTransaction
from gateway.partners.proof_use import PROOF_USE, SharedProofUse
from gateway.partners.replay import ReplayMemory
from gateway.records.entries import RecordEntry
from gateway.rounds import Round
from gateway.transaction import Transactions
from schemas.partner_api import TokenResponse
from schemas.wire import Typ

ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_LIFETIME: Final = timedelta(seconds=60)
LEEWAY: Final = timedelta(seconds=5)
TOKEN_LIFETIME: Final = timedelta(minutes=5)
VERDICT_LIFETIME: Final = timedelta(seconds=60)
_ALGORITHMS: Final = frozenset({"ES256", "EdDSA"})
_MAX_TOKEN_BYTES: Final = 4096
_MAX_VERDICTS: Final = 10_000
_MAX_CODE: Final = 64
_TOKEN_ID: Final = re.compile(r"[A-Za-z0-9_.:~+/=-]{8,128}")


@dataclass(frozen=True, slots=True)
class TokenKeys:
    """``signing`` signs new tokens; ``retiring`` public keys still verify those signed before a rotation."""

    signing: SigningKey
    retiring: tuple[VerificationKey, ...] = ()

    @property
    def accepted(self) -> tuple[VerificationKey, ...]:
        return (self.signing.public(), *self.retiring)


class AnyTokenKeys(Protocol):
    """``TokenKeys``, or keys that change while the process runs."""

    @property
    def signing(self) -> SigningKey: ...
    @property
    def accepted(self) -> tuple[VerificationKey, ...]: ...


class TokenService:
    """Grants access tokens. ``issuer`` is the gateway's issuer identifier, ``token_uri`` the token endpoint's address.

    ``new_id`` answers a fresh, unguessable identifier.
    """

    def __init__(
        self,
        transactions: Transactions[PartnersTransaction],
        directory: PartnerDirectory,
        keys: AnyTokenKeys,
        *,
        issuer: str,
        token_uri: str,
        new_id: Callable[[], str],
    ) -> None:
        self._transactions = transactions
        self._directory = directory
        self._keys = keys
        self._issuer = issuer
        self._token_uri = token_uri
        self._new_id = new_id

    async def grant(self, form: Mapping[str, str], proofs: Sequence[str], at: datetime) -> TokenResponse:
        """A DPoP-bound token for the partner that signed the client assertion.

        Raises ``TokenRequestMalformed``, ``GrantTypeUnsupported``, ``ClientRefused``, ``ProofRefused`` or
        ``ScopeRefused``.
        """
        # 1 the grant
        assertion = _client_assertion(form)
        # 2 the client: assertion signed by a registered key, for us, now
        snapshot = await self._directory.snapshot()
        partner, verified = self._authenticate(assertion, snapshot, at)
        if form.get("client_id", partner.code) != partner.code:
            raise client_refused("client_id", "client_id 须与断言的签发者一致")
        # 3 the key that the token is bound to
        if len(proofs) != 1:
            raise proof_refused("missing", "须以恰好一个 DPoP 请求头出示持有证明")
        proof = verify_proof(proofs[0], method="POST", uri=self._token_uri, at=at)
        # 4 the scope
        scope = _granted_scope(form.get("scope"), partner)
        # 5 assertion and proof are used up, and the grant recorded, in one transaction
        claims = self._claims(partner, verified.key_id, proof, scope, at)
        token_id, until = verified.claims["jti"], at + ASSERTION_LIFETIME + 2 * LEEWAY
        entry = RecordEntry(
            action="token.granted",
            at=at,
            actor=partner.code,
            subject=partner.code,
            facts={"key": verified.key_id, "dpop_key": proof.thumbprint, "scope": scope, "token_id": claims["jti"]},
        )

        def spend(transaction: PartnersTransaction) -> None:
            spent = transaction.spent_tokens
            if not spent.spend("client_assertion", partner.code, token_id, at, until):
                raise client_refused("replayed", "客户端断言只能使用一次，请重新签发")
            if not spent.spend(PROOF_USE, proof.thumbprint, proof.token_id, at, at + PROOF_MEMORY):
                raise proof_refused("replayed", "DPoP 证明只能使用一次，请重新签发")
            transaction.records.append(entry)

        await self._transactions.write(spend)
        token = sign_jws(claims, self._keys.signing, Typ.ACCESS_TOKEN)
        return TokenResponse(access_token=token, expires_in=int(TOKEN_LIFETIME.total_seconds()), scope=scope)

    def _authenticate(self, assertion: str, snapshot: DirectorySnapshot, at: datetime) -> tuple[Partner, VerifiedJws]:
        try:
            claimed = _claimed_issuer(assertion)
            keys = snapshot.verification_keys(claimed, KeyUse.CLIENT_AUTH, at)
            verified = verify_jws(assertion, keys, _assertion_policy(self._issuer, claimed), at)
        except JoseRefused as refusal:
            raise client_refused(refusal.check.removeprefix("jose."), refusal.remedy) from None
        claims = verified.claims
        if claims["sub"] != claimed:
            raise client_refused("subject", "断言的 sub 须与 iss 相同")
        if claims["aud"] not in (self._issuer, [self._issuer]):
            raise client_refused("audience", "断言的 aud 须仅为本平台的签发者标识")
        if not _TOKEN_ID.fullmatch(claims["jti"]):
            raise client_refused("jti", "jti 须为 8 至 128 个可见 ASCII 字符")
        return snapshot.partners[claimed], verified

    def _claims(self, partner: Partner, key_id: str, proof: DpopProof, scope: str, at: datetime) -> dict[str, Any]:
        issued = int(at.timestamp())
        return {
            "iss": self._issuer,
            "sub": partner.code,
            "aud": self._issuer,
            "client_id": partner.code,
            "cnf": {"jkt": proof.thumbprint},
            "scope": scope,
            "jti": self._new_id(),
            "iat": issued,
            "exp": issued + int(TOKEN_LIFETIME.total_seconds()),
            "client_key": key_id,
            "epoch": partner.token_epoch,
        }


class _TokenVerdict(NamedTuple):
    """What a token says, kept by its digest so that its signature is not checked again for a minute.

    What many say alike is in memory once. ``ath`` is the digest as proofs spell it.
    """

    ath: str
    partner_code: str
    client_key: str
    epoch: int
    key_thumbprint: str
    scopes: frozenset[str]
    until: datetime


@dataclass(slots=True)
class AccessGate:
    """Admits requests that carry one of our tokens and a fresh DPoP proof by the key it is bound to.

    ``shared`` is the database in which proofs are spent where several processes serve; without it, this process's
    memory alone knows them.
    """

    directory: PartnerDirectory
    keys: AnyTokenKeys
    issuer: str
    shared: Transactions[PartnersTransaction] | None = None
    _seen: ReplayMemory = field(default_factory=lambda: ReplayMemory(PROOF_MEMORY))
    _round: Round = field(default_factory=Round)
    _verdicts: OrderedDict[bytes, _TokenVerdict] = field(default_factory=OrderedDict)
    _standing: tuple[DirectorySnapshot, dict[tuple[str, str, int], Partner]] = field(
        default_factory=lambda: (DirectorySnapshot(0), {})
    )
    """Whose tokens, keys and epochs stand by the directory that was seen last: that is all it takes."""

    async def authenticate(
        self, authorizations: Sequence[str], proofs: Sequence[str], method: str, uri: str, at: datetime
    ) -> Caller:
        """Who makes this request. ``uri`` is its public address. Raises ``AccessTokenRefused`` or ``ProofRefused``."""
        caller, use = await self.authenticate_unspent(authorizations, proofs, method, uri, at)
        if use is not None:
            await use.spend()
        return caller

    async def authenticate_unspent(
        self, authorizations: Sequence[str], proofs: Sequence[str], method: str, uri: str, at: datetime
    ) -> tuple[Caller, ProofUse | None]:
        """As ``authenticate``, but that other processes do not know the proof yet: whoever answers spends it first.

        None where there is nobody else to know it.
        """
        snapshot = self.directory.at_hand() or await self.directory.snapshot()
        caller, proof = await self._round.run(self._admit, snapshot, authorizations, proofs, method, uri, at)
        return caller, None if self.shared is None else SharedProofUse(self.shared, proof, at)

    def _admit(
        self,
        snapshot: DirectorySnapshot,
        authorizations: Sequence[str],
        proofs: Sequence[str],
        method: str,
        uri: str,
        at: datetime,
    ) -> tuple[Caller, DpopProof]:
        # 1 one token, under the DPoP scheme: a bound token shown as a bearer token is refused (RFC 9449 §7.2)
        token = _presented_token(authorizations)
        # 2 the token is ours, of this type, for us and current
        verdict = self._verdict(token, at)
        # 3 its partner is still active, and the key that earned it is not revoked
        partner = self._standing_partner(snapshot, verdict)
        # 4 the request is signed by the key that the token is bound to
        if len(proofs) != 1:
            raise proof_refused("missing", "须以恰好一个 DPoP 请求头出示持有证明")
        proof = verify_proof(proofs[0], method=method, uri=uri, at=at, token_hash=verdict.ath)
        if proof.thumbprint != verdict.key_thumbprint:
            raise proof_refused("jkt", "证明的密钥不是令牌所绑定的密钥")
        # 5 and was not made before
        if not self._seen.first_seen(proof.thumbprint, proof.token_id, at):
            raise proof_refused("replayed", "DPoP 证明只能使用一次，请重新签发")
        return Caller(partner.code, partner.role, proof.thumbprint, verdict.scopes, partner.regions), proof

    def _standing_partner(self, snapshot: DirectorySnapshot, verdict: _TokenVerdict) -> Partner:
        if self._standing[0] is not snapshot:
            self._standing = (snapshot, {})
        known, asked = self._standing[1], (verdict.partner_code, verdict.client_key, verdict.epoch)
        partner = known.get(asked)
        if partner is None:
            partner = known[asked] = _standing_partner(snapshot, verdict)
        return partner

    def _verdict(self, token: str, at: datetime) -> _TokenVerdict:
        digest = sha256(token.encode()).digest()
        known = self._verdicts.get(digest)
        if known is not None and at < known.until:
            return known
        verdict = self._verdicts[digest] = self._verify(token, access_token_hash(digest), at)
        self._verdicts.move_to_end(digest)
        self._forget_old(at)
        return verdict

    def _forget_old(self, at: datetime) -> None:
        """One after the other, as long as the oldest is over or too many are there."""
        while self._verdicts:
            oldest = next(iter(self._verdicts))
            if len(self._verdicts) <= _MAX_VERDICTS and self._verdicts[oldest].until > at:
                return
            del self._verdicts[oldest]

    def _verify(self, token: str, ath: str, at: datetime) -> _TokenVerdict:
        try:
            claims = verify_jws(token, self.keys.accepted, _token_policy(self.issuer), at).claims
        except JoseRefused as refusal:
            raise token_refused(refusal.check.removeprefix("jose."), refusal.remedy) from None
        expires_at = datetime.fromtimestamp(claims["exp"], UTC)
        return _TokenVerdict(
            ath=ath,
            partner_code=intern(claims["sub"]),
            client_key=intern(claims["client_key"]),
            epoch=claims["epoch"],
            key_thumbprint=claims["cnf"]["jkt"],
            scopes=_scopes_of(claims["scope"]),
            until=min(expires_at, at + VERDICT_LIFETIME),
        )


def _client_assertion(form: Mapping[str, str]) -> str:
    grant_type, assertion_type = form.get("grant_type"), form.get("client_assertion_type")
    if grant_type is None:
        raise _malformed("grant_type", "缺少参数 grant_type")
    if grant_type != "client_credentials":
        raise GrantTypeUnsupported(
            check="token_request.grant_type", owner=Owner.CALLER, remedy="grant_type 须为 client_credentials"
        )
    if assertion_type != ASSERTION_TYPE or "client_secret" in form:
        raise _malformed("client_assertion_type", "须且仅须以 private_key_jwt（jwt-bearer 断言）证明身份")
    assertion = form.get("client_assertion")
    if not assertion:
        raise _malformed("client_assertion", "缺少参数 client_assertion")
    return assertion


def claimed_client(form: Mapping[str, str]) -> str:
    """Whom a token request says it is by, for counting alone: nothing is proved, and unreadable is nobody (empty)."""
    try:
        return _claimed_issuer(form.get("client_assertion", ""))[:_MAX_CODE]
    except JoseRefused:
        return ""


def _claimed_issuer(assertion: str) -> str:
    """Who the assertion says it is by. Proves nothing; it only selects whose keys are tried."""
    read = read_jws(assertion, _ASSERTION_SHAPE)
    issuer = parse_object(read.payload, max_bytes=_MAX_TOKEN_BYTES).get("iss")
    return issuer if isinstance(issuer, str) else ""


def _granted_scope(requested: str | None, partner: Partner) -> str:
    allowed = SCOPES[partner.role]
    asked = allowed if requested is None else frozenset(requested.split(" "))
    if not asked <= allowed:
        raise ScopeRefused(
            check="token_request.scope", owner=Owner.CALLER, remedy="请只申请与接入角色相符的 scope，或省略该参数"
        )
    return " ".join(sorted(asked))


def _presented_token(authorizations: Sequence[str]) -> str:
    if len(authorizations) != 1:
        raise token_refused("missing", "须以恰好一个 Authorization 请求头出示 DPoP 访问令牌")
    scheme, _, token = authorizations[0].partition(" ")
    if scheme.lower() != "dpop" or not token or not token.isascii() or " " in token:
        raise token_refused("scheme", "访问令牌须以 DPoP 方案出示")
    return token


@lru_cache(64)
def _scopes_of(scope: str) -> frozenset[str]:
    return frozenset(scope.split())


def _standing_partner(snapshot: DirectorySnapshot, verdict: _TokenVerdict) -> Partner:
    partner = snapshot.active_partner(verdict.partner_code)
    if partner is None or partner.token_epoch != verdict.epoch:
        raise token_refused("withdrawn", "令牌已失效，请重新申请；若接入单位被停用请联系平台运营方")
    held = (held.registered for held in snapshot.keys.get(partner.code, ()))
    if not any(key.kid == verdict.client_key and key.revoked_at is None for key in held):
        raise token_refused("key_revoked", "换取此令牌的密钥已被吊销，请用有效密钥重新申请")
    return partner


def _malformed(check: str, remedy: str) -> TokenRequestMalformed:
    return TokenRequestMalformed(check=f"token_request.{check}", owner=Owner.CALLER, remedy=remedy)


_ASSERTION_SHAPE: Final = JwsPolicy(
    typ=frozenset({Typ.CLIENT_ASSERTION}), algorithms=_ALGORITHMS, max_bytes=_MAX_TOKEN_BYTES
)


def _assertion_policy(issuer: str, client: str) -> JwsPolicy:
    return JwsPolicy(
        typ=_ASSERTION_SHAPE.typ,
        algorithms=_ALGORITHMS,
        max_bytes=_MAX_TOKEN_BYTES,
        audience=frozenset({issuer}),
        issuer=client,
        required=frozenset({"iss", "sub", "aud", "jti", "iat", "exp"}),
        max_lifetime=ASSERTION_LIFETIME,
        max_age=ASSERTION_LIFETIME,
        leeway=LEEWAY,
    )


@lru_cache(16)
def _token_policy(issuer: str) -> JwsPolicy:
    return JwsPolicy(
        typ=frozenset({Typ.ACCESS_TOKEN}),
        algorithms=_ALGORITHMS,
        max_bytes=_MAX_TOKEN_BYTES,
        audience=frozenset({issuer}),
        issuer=issuer,
        required=frozenset({"sub", "client_id", "cnf", "scope", "jti", "iat", "exp", "client_key", "epoch"}),
        max_lifetime=TOKEN_LIFETIME,
        leeway=timedelta(0),
    )
