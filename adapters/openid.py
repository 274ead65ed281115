"""A relying party of OpenID Connect: discovery, PKCE, ``private_key_jwt``, verified ID tokens. Both providers use it.

OpenID Connect Core 1.0, RFC 7636 (PKCE), RFC 7523 (client assertion). Provider metadata and keys are kept for ten
minutes; a key that is not among them is looked for once more, at most every thirty seconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol
from urllib.parse import urlencode

from adapters.http_client import HttpClient, HttpReply, HttpRequest
from gateway.crypto.errors import JoseRefused
from gateway.crypto.jwk import CurrentKey, VerificationKey, parse_jwk
from gateway.crypto.jws import JwsPolicy, sign_jws, verify_jws
from gateway.crypto.strict_json import parse_object
from gateway.errors import GatewayError, Malformed, PartnerUnavailable, Rejected
from gateway.ids import MakeId
from schemas.wire import Typ

METADATA_LIVES = timedelta(minutes=10)
KEYS_RELOADED_AT_MOST_EVERY = timedelta(seconds=30)
CLIENT_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
MAX_REPLY_BYTES = 64 * 1024


class OpenIdTroubles(Protocol):
    """The errors of a provider: what its tokens are refused with, and what it is when it does not answer as agreed."""

    @property
    def partner(self) -> str:
        """Its name in metrics and errors."""
        ...

    def refused(self, check: str, remedy: str) -> GatewayError: ...
    def unavailable(self, what: str) -> PartnerUnavailable: ...


@dataclass(frozen=True)
class OpenIdClientSettings:
    """Who the relying party is to the provider of ``issuer``; the provider sends browsers to ``redirect_uri``."""

    issuer: str
    client_id: str
    redirect_uri: str


@dataclass(frozen=True)
class _Metadata:
    """What discovery told, and the keys."""

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    keys: tuple[VerificationKey, ...]
    as_of: datetime


class OpenIdClient:
    """One relying party at one provider. Whatever it raises is made by ``troubles``."""

    def __init__(
        self,
        settings: OpenIdClientSettings,
        client_key: CurrentKey,
        http: HttpClient,
        make_id: MakeId,
        troubles: OpenIdTroubles,
    ) -> None:
        self.settings = settings
        self._client_key = client_key
        self._http = http
        self._make_id = make_id
        self._troubles = troubles
        self._metadata: _Metadata | None = None

    async def authorization_url(self, state: str, nonce: str, code_challenge: str, at: datetime, **more: str) -> str:
        """Where to send the browser; ``more`` are further parameters (``acr_values``)."""
        metadata = await self._discovered(at)
        query = {
            "response_type": "code",
            "client_id": self.settings.client_id,
            "redirect_uri": self.settings.redirect_uri,
            "scope": "openid",
            "state": state,
            "nonce": nonce,
            "code_challenge": code_challenge,
            "code_challenge_method": "S256",
            "prompt": "login",
            **more,
        }
        return f"{metadata.authorization_endpoint}?{urlencode(query)}"

    async def redeem(self, code: str, code_verifier: str, at: datetime) -> str:
        """The ID token for ``code``. A code is redeemed once; the request is never repeated."""
        metadata = await self._discovered(at)
        form = urlencode(
            {
                "grant_type": "authorization_code",
                "code": code,
                "redirect_uri": self.settings.redirect_uri,
                "code_verifier": code_verifier,
                "client_id": self.settings.client_id,
                "client_assertion_type": CLIENT_ASSERTION_TYPE,
                "client_assertion": self._assertion(metadata.token_endpoint, at),
            }
        )
        headers = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
        reply = await self._http.send(
            HttpRequest("POST", metadata.token_endpoint, headers, form.encode(), max_bytes=MAX_REPLY_BYTES),
            partner=self._troubles.partner,
        )
        if 400 <= reply.status < 500:
            raise self._troubles.refused("code", "授权码无效或已使用，请重新核验")
        token = self._object(reply).get("id_token")
        if not isinstance(token, str):
            raise self._troubles.unavailable("malformed")
        return token

    async def verified(self, token: str, policy: JwsPolicy, nonce: str, at: datetime) -> dict[str, Any]:
        """The claims of an ID token that ``policy`` lets through, for ``nonce``."""
        claims = await self._claims(token, policy, at)
        if claims.get("nonce") != nonce:
            raise self._troubles.refused("nonce", "核验凭据与本次会话不符，请重新核验")
        return claims

    async def published_keys(self, at: datetime) -> tuple[VerificationKey, ...]:
        """The keys with which the provider's tokens are checked now."""
        return (await self._discovered(at)).keys

    def _assertion(self, audience: str, at: datetime) -> str:
        now = int(at.timestamp())
        client_id = self.settings.client_id
        claims = {
            "iss": client_id,
            "sub": client_id,
            "aud": audience,
            "iat": now,
            "exp": now + 60,
            "jti": self._make_id("jti"),
        }
        return sign_jws(claims, self._client_key(), Typ.CLIENT_ASSERTION)

    async def _claims(self, token: str, policy: JwsPolicy, at: datetime) -> dict[str, Any]:
        metadata = await self._discovered(at)
        try:
            return verify_jws(token, metadata.keys, policy, at).claims
        except JoseRefused as error:
            if error.check != "jose.key_unknown" or at - metadata.as_of < KEYS_RELOADED_AT_MOST_EVERY:
                raise self._refused(error) from None
        metadata = self._metadata = await self._discover(at)
        try:
            return verify_jws(token, metadata.keys, policy, at).claims
        except JoseRefused as error:
            raise self._refused(error) from None

    def _refused(self, error: JoseRefused) -> GatewayError:
        return self._troubles.refused(error.check.removeprefix("jose."), error.remedy)

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
        told = await self._get(f"{self.settings.issuer.rstrip('/')}/.well-known/openid-configuration")
        endpoints = [told.get(name) for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")]
        if told.get("issuer") != self.settings.issuer or not all(isinstance(each, str) for each in endpoints):
            raise self._troubles.unavailable("metadata")
        authorization_endpoint, token_endpoint, jwks_uri = (str(each) for each in endpoints)
        published = (await self._get(jwks_uri)).get("keys")
        if not isinstance(published, list):
            raise self._troubles.unavailable("keys")
        keys = [key for jwk in published if isinstance(jwk, Mapping) and (key := _usable(jwk)) is not None]
        if not keys:
            raise self._troubles.unavailable("keys")
        return _Metadata(authorization_endpoint, token_endpoint, jwks_uri, tuple(keys), at)

    async def _get(self, url: str) -> dict[str, Any]:
        request = HttpRequest("GET", url, {"accept": "application/json"}, idempotent=True, max_bytes=MAX_REPLY_BYTES)
        return self._object(await self._http.send(request, partner=self._troubles.partner))

    def _object(self, reply: HttpReply) -> dict[str, Any]:
        if reply.status != 200 or reply.media_type != "application/json":
            raise self._troubles.unavailable("malformed")
        try:
            return parse_object(reply.body, max_bytes=MAX_REPLY_BYTES)
        except (Malformed, Rejected):
            raise self._troubles.unavailable("malformed") from None


def _usable(jwk: Mapping[str, Any]) -> VerificationKey | None:
    """A key of a kind spoken here; a set may hold others."""
    try:
        return parse_jwk(jwk)
    except JoseRefused:
        return None
