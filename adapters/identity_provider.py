"""The applicants' OpenID provider (统一身份认证) as the identity room sees it, and its signed assertion."""

from datetime import datetime, timedelta

from adapters.http_client import HttpClient
from adapters.openid import OpenIdClient, OpenIdClientSettings
from gateway.crypto.jwk import CurrentKey, VerificationKey
from gateway.crypto.jws import JwsPolicy
from gateway.errors import Owner, PartnerUnavailable
from gateway.identity.errors import AssertionRefused
from gateway.ids import MakeId
from schemas.identity import ASSERTION_LIFETIME_SECONDS, VerificationMethod
from schemas.wire import Typ

PARTNER = "identity-provider"
MAX_ASSERTION_BYTES = 32 * 1024
"""Room for an agent's authorisation, which is a signed document of its own."""


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
        settings = OpenIdClientSettings(issuer, client_id, redirect_uri)
        self._client = OpenIdClient(settings, client_key, http, make_id, _Troubles())

    @property
    def issuer(self) -> str:
        return self._client.settings.issuer

    @property
    def client_id(self) -> str:
        return self._client.settings.client_id

    async def authorization_url(
        self, state: str, nonce: str, code_challenge: str, method: VerificationMethod, at: datetime
    ) -> str:
        """As the port says."""
        return await self._client.authorization_url(state, nonce, code_challenge, at, acr_values=method.value)

    async def redeem(self, code: str, code_verifier: str, at: datetime) -> str:
        """As the port says. A code is redeemed once; the request is never repeated."""
        return await self._client.redeem(code, code_verifier, at)

    async def read_assertion(self, token: str, nonce: str, at: datetime) -> dict[str, object]:
        """As the port says."""
        policy = JwsPolicy(
            typ=frozenset({Typ.IDENTITY_ASSERTION}),
            audience=frozenset({self.client_id}),
            issuer=self.issuer,
            required=frozenset({"jti", "nonce", "sub", "amr"}),
            max_age=timedelta(seconds=ASSERTION_LIFETIME_SECONDS),
            max_lifetime=timedelta(seconds=ASSERTION_LIFETIME_SECONDS),
            max_bytes=MAX_ASSERTION_BYTES,
        )
        return await self._client.verified(token, policy, nonce, at)

    async def published_keys(self, at: datetime) -> tuple[VerificationKey, ...]:
        """The keys with which the provider's assertions are checked now. Raises ``PartnerUnavailable``."""
        return await self._client.published_keys(at)


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


class _Troubles:
    """``adapters.openid.OpenIdTroubles``."""

    partner = PARTNER

    def refused(self, check: str, remedy: str) -> AssertionRefused:
        return AssertionRefused(check=f"identity.assertion.{check}", owner=Owner.GOVERNMENT, remedy=remedy)

    def unavailable(self, what: str) -> PartnerUnavailable:
        return PartnerUnavailable(
            check=f"identity_provider.{what}",
            owner=Owner.GOVERNMENT,
            remedy="身份核验服务应答异常，请稍后再试或改用窗口办理",
            partner=PARTNER,
        )


def _not_configured() -> PartnerUnavailable:
    return PartnerUnavailable(
        check="identity_provider.not_configured",
        owner=Owner.GATEWAY,
        remedy="请运营方以 BANDIAN_IDENTITY_PROVIDER 配置身份核验服务",
        partner=PARTNER,
    )
