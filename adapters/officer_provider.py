"""The officers' OpenID provider as the officers' room sees it: an ID token with a name and roles."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from adapters.http_client import HttpClient
from adapters.openid import OpenIdClient, OpenIdClientSettings
from gateway.crypto.jwk import CurrentKey
from gateway.crypto.jws import JwsPolicy
from gateway.errors import Owner, PartnerUnavailable
from gateway.ids import MakeId
from gateway.officers.errors import OfficerTokenRefused
from gateway.officers.ports import OfficerClaims

PARTNER = "officer-provider"
TOKEN_IS_FRESH_FOR = timedelta(minutes=5)
MOST_ROLES, LONGEST_TEXT = 200, 200


class OfficerOpenIdProvider:
    """``gateway.officers.ports.OfficerProvider``. ``roles_claim`` names the claim with the roles: a text or a list."""

    def __init__(
        self,
        settings: OpenIdClientSettings,
        roles_claim: str,
        *,
        client_key: CurrentKey,
        http: HttpClient,
        make_id: MakeId,
    ) -> None:
        self._client = OpenIdClient(settings, client_key, http, make_id, _Troubles())
        self._roles_claim = roles_claim

    @property
    def issuer(self) -> str:
        return self._client.settings.issuer

    async def authorization_url(self, state: str, nonce: str, code_challenge: str, at: datetime) -> str:
        """As the port says."""
        return await self._client.authorization_url(state, nonce, code_challenge, at, scope="openid profile")

    async def claims(self, code: str, code_verifier: str, nonce: str, at: datetime) -> OfficerClaims:
        """As the port says (OpenID Connect Core §3.1.3.7)."""
        settings = self._client.settings
        policy = JwsPolicy(
            typ=frozenset({"JWT"}),
            algorithms=frozenset({"ES256", "EdDSA", "PS256", "RS256"}),
            typ_optional=True,
            audience=frozenset({settings.client_id}),
            issuer=settings.issuer,
            required=frozenset({"sub", "nonce", "exp"}),
            max_age=TOKEN_IS_FRESH_FOR,
        )
        token = await self._client.redeem(code, code_verifier, at)
        told = await self._client.verified(token, policy, nonce, at)
        subject, name = told.get("sub"), told.get("name")
        if told.get("azp", settings.client_id) != settings.client_id:
            raise _Troubles().refused("azp", "登录凭据是给另一系统的，请重新登录")
        if not isinstance(subject, str) or not 0 < len(subject) <= LONGEST_TEXT:
            raise _Troubles().refused("claims", "登录服务返回的内容不完整，请联系平台管理员")
        shown = name if isinstance(name, str) and name.strip() and len(name) <= LONGEST_TEXT else "—"
        return OfficerClaims(subject, shown, _roles(told, self._roles_claim))


class NoOfficerProvider:
    """Stands in where none is configured: everything but the console works."""

    issuer = ""

    async def authorization_url(self, state: str, nonce: str, code_challenge: str, at: datetime) -> str:
        """Raises ``PartnerUnavailable``."""
        raise _not_configured()

    async def claims(self, code: str, code_verifier: str, nonce: str, at: datetime) -> OfficerClaims:
        """Raises ``PartnerUnavailable``."""
        raise _not_configured()


class _Troubles:
    """``adapters.openid.OpenIdTroubles``."""

    partner = PARTNER

    def refused(self, check: str, remedy: str) -> OfficerTokenRefused:
        return OfficerTokenRefused(check=f"officer.token.{check}", owner=Owner.GATEWAY, remedy=remedy)

    def unavailable(self, what: str) -> PartnerUnavailable:
        return PartnerUnavailable(
            check=f"officer_provider.{what}",
            owner=Owner.GATEWAY,
            remedy="工作人员登录服务应答异常，请稍后再试",
            partner=PARTNER,
        )


def _roles(told: Mapping[str, Any], claim: str) -> tuple[str, ...]:
    """Roles as a text or a list of them; whatever else the claim holds gives none."""
    found = told.get(claim)
    listed = [found] if isinstance(found, str) else found
    if not isinstance(listed, list) or len(listed) > MOST_ROLES:
        return ()
    return tuple(each for each in listed if isinstance(each, str))


def _not_configured() -> PartnerUnavailable:
    return PartnerUnavailable(
        check="officer_provider.not_configured",
        owner=Owner.GATEWAY,
        remedy="请平台管理员以 BANDIAN_OFFICER_PROVIDER 配置工作人员登录服务",
        partner=PARTNER,
    )
