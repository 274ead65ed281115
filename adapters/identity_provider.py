"""An OpenID provider as the identity room sees it: discovery, PKCE, ``private_key_jwt``, and its signed assertion.

OpenID Connect Core 1.0, RFC 7636 (PKCE), RFC 7523 (client assertion). Provider metadata and keys are kept for ten
minutes; a key that is not among them is looked for once more, at most every thirty seconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from adapters.http_client import HttpClient, HttpReply, HttpRequest
from gateway.crypto.errors import JoseRefused
from gateway.crypto.jwk import CurrentKey, VerificationKey, parse_jwk
from gateway.crypto.jws import JwsPolicy, sign_jws, verify_jws
from gateway.crypto.strict_json import parse_object
from gateway.errors import Malformed, Owner, PartnerUnavailable, Rejected
from gateway.identity.errors import AssertionRefused
from gateway.ids import MakeId
from schemas.identity import ASSERTION_LIFETIME_SECONDS, VerificationMethod
from schemas.wire import Typ

PARTNER = "identity-provider"
METADATA_LIVES = timedelta(minutes=10)
KEYS_RELOADED_AT_MOST_EVERY = timedelta(seconds=30)
CLIENT_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
MAX_REPLY_BYTES = 64 * 1024
MAX_ASSERTION_BYTES = 32 * 1024
"""Room for an agent's authorisation, which is a signed document of its own."""


@dataclass(frozen=True)
class _Metadata:
    """What discovery told, and the keys."""

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    keys: tuple[VerificationKey, ...]
    as_of: datetime


class OpenIdProvider:
    """``gateway.identity.ports.IdentityProvider``."""

    def __init__(
        self,
        *,
        issuer: str,
        client_id: str,
        redirect_uri: str,
        client_key: CurrentKey,
        http: HttpClient,
        make_id: MakeId,
    ) -> None:
        self._issuer = issuer
        self._client_id = client_id
        self._redirect_uri = redirect_uri
        self._client_key = client_key
        self._http = http
        self._make_id = make_id
        self._metadata: _Metadata | None = None

    @property
    def issuer(self) -> str:
        return self._issuer

    @property
    def client_id(self) -> str:
        return self._client_id

    async def authorization_url(
        self, state: str, nonce: str, code_challenge: str, method: VerificationMethod, at: datetime
    ) -> str:
        """As the port says."""
        metadata = await self._discovered(at)
        query = {
            "response_type": "code",
            "client_id": self._client_id,
            "redirect_uri": self._redirect_uri,
            "scope": "openid",
            "state": state,
            "nonce": nonce,
            "code_challenge": code_challenge,
            "code_challenge_method": "S256",
            "acr_values": method.value,
            "prompt": "login",
        }
        return f"{metadata.authorization_endpoint}?{urlencode(query)}"

    async def redeem(self, code: str, code_verifier: str, at: datetime) -> str:
        """As the port says. A code is redeemed once; the request is never repeated."""
        metadata = await self._discovered(at)
        now = int(at.timestamp())
        assertion = sign_jws(
            {
                "iss": self._client_id,
                "sub": self._client_id,
                "aud": metadata.token_endpoint,
                "iat": now,
                "exp": now + 60,
                "jti": self._make_id("jti"),
            },
            self._client_key(),
            Typ.CLIENT_ASSERTION,
        )
        form = urlencode(
            {
                "grant_type": "authorization_code",
                "code": code,
                "redirect_uri": self._redirect_uri,
                "code_verifier": code_verifier,
                "client_id": self._client_id,
                "client_assertion_type": CLIENT_ASSERTION_TYPE,
                "client_assertion": assertion,
            }
        )
        headers = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
        reply = await self._http.send(
            HttpRequest("POST", metadata.token_endpoint, headers, form.encode(), max_bytes=MAX_REPLY_BYTES),
            partner=PARTNER,
        )
        if 400 <= reply.status < 500:
            raise _refused("code", "授权码无效或已使用，请重新核验")
        token = self._object(reply).get("id_token")
        if not isinstance(token, str):
            raise _unavailable("identity_provider.malformed")
        return token

    async def read_assertion(self, token: str, nonce: str, at: datetime) -> dict[str, object]:
        """As the port says."""
        policy = JwsPolicy(
            typ=frozenset({Typ.IDENTITY_ASSERTION}),
            audience=frozenset({self._client_id}),
            issuer=self._issuer,
            required=frozenset({"jti", "nonce", "sub", "amr"}),
            max_age=timedelta(seconds=ASSERTION_LIFETIME_SECONDS),
            max_lifetime=timedelta(seconds=ASSERTION_LIFETIME_SECONDS),
            max_bytes=MAX_ASSERTION_BYTES,
        )
        claims = await self._verified(token, policy, at)
        if claims.get("nonce") != nonce:
            raise _refused("nonce", "核验凭据与本次会话不符，请重新核验")
        return claims

    async def published_keys(self, at: datetime) -> tuple[VerificationKey, ...]:
        """The keys with which the provider's assertions are checked now. Raises ``PartnerUnavailable``."""
        return (await self._discovered(at)).keys

    async def _verified(self, token: str, policy: JwsPolicy, at: datetime) -> dict[str, Any]:
        metadata = await self._discovered(at)
        try:
            return verify_jws(token, metadata.keys, policy, at).claims
        except JoseRefused as error:
            if error.check != "jose.key_unknown" or at - metadata.as_of < KEYS_RELOADED_AT_MOST_EVERY:
                raise _refused(error.check.removeprefix("jose."), error.remedy) from None
        metadata = self._metadata = await self._discover(at)
        try:
            return verify_jws(token, metadata.keys, policy, at).claims
        except JoseRefused as error:
            raise _refused(error.check.removeprefix("jose."), error.remedy) from None

    async def _discovered(self, at: datetime) -> _Metadata:
        """Metadata and keys, at most ten minutes old; older ones serve while the provider does not answer."""
        known = self._metadata
        if known is not None and at - known.as_of < METADATA_LIVES:
            return known
        try:
            self._metadata = await self._discover(at)
        except PartnerUnavailable:
            if known is None:
                raise
            return known
        return self._metadata

    async def _discover(self, at: datetime) -> _Metadata:
        told = await self._get(f"{self._issuer.rstrip('/')}/.well-known/openid-configuration")
        endpoints = [told.get(name) for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")]
        if told.get("issuer") != self._issuer or not all(isinstance(each, str) for each in endpoints):
            raise _unavailable("identity_provider.metadata")
        authorization_endpoint, token_endpoint, jwks_uri = (str(each) for each in endpoints)
        published = (await self._get(jwks_uri)).get("keys")
        if not isinstance(published, list):
            raise _unavailable("identity_provider.keys")
        keys = [key for jwk in published if isinstance(jwk, Mapping) and (key := _usable(jwk)) is not None]
        if not keys:
            raise _unavailable("identity_provider.keys")
        return _Metadata(authorization_endpoint, token_endpoint, jwks_uri, tuple(keys), at)

    async def _get(self, url: str) -> dict[str, Any]:
        request = HttpRequest("GET", url, {"accept": "application/json"}, idempotent=True, max_bytes=MAX_REPLY_BYTES)
        return self._object(await self._http.send(request, partner=PARTNER))

    def _object(self, reply: HttpReply) -> dict[str, Any]:
        if reply.status != 200 or reply.media_type != "application/json":
            raise _unavailable("identity_provider.malformed")
        try:
            return parse_object(reply.body, max_bytes=MAX_REPLY_BYTES)
        except (Malformed, Rejected):
            raise _unavailable("identity_provider.malformed") from None


class NoIdentityProvider:
    """Stands in where none is configured: everything but verifying applicants works."""

    issuer = ""
    client_id = ""

    async def authorization_url(
        self, state: str, nonce: str, code_challenge: str, method: VerificationMethod, at: datetime
    ) -> str:
        """Raises ``PartnerUnavailable``."""
        raise _not_configured()

    async def redeem(self, code: str, code_verifier: str, at: datetime) -> str:
        """Raises ``PartnerUnavailable``."""
        raise _not_configured()

    async def read_assertion(self, token: str, nonce: str, at: datetime) -> dict[str, object]:
        """Raises ``PartnerUnavailable``."""
        raise _not_configured()

    async def published_keys(self, at: datetime) -> tuple[VerificationKey, ...]:
        """None: there is no provider."""
        return ()


def _usable(jwk: Mapping[str, Any]) -> VerificationKey | None:
    """A key of a kind spoken here; a set may hold others."""
    try:
        return parse_jwk(jwk)
    except JoseRefused:
        return None


def _refused(check: str, remedy: str) -> AssertionRefused:
    return AssertionRefused(check=f"identity.assertion.{check}", owner=Owner.GOVERNMENT, remedy=remedy)


def _unavailable(check: str) -> PartnerUnavailable:
    return PartnerUnavailable(
        check=check, owner=Owner.GOVERNMENT, remedy="身份核验服务应答异常，请稍后再试或改用窗口办理", partner=PARTNER
    )


def _not_configured() -> PartnerUnavailable:
    return PartnerUnavailable(
        check="identity_provider.not_configured",
        owner=Owner.GATEWAY,
        remedy="请运营方以 BANDIAN_IDENTITY_PROVIDER 配置身份核验服务",
        partner=PARTNER,
    )
