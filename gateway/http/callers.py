"""Who is calling: a DPoP-bound access token and a proof for this very request (RFC 9449 §7)."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from urllib.parse import quote

from fastapi import Request
from fastapi.openapi.models import HTTPBase
from fastapi.security.base import SecurityBase
from starlette.types import Scope

from gateway.caller import Caller, ProofUse, Role
from gateway.clock import Clock
from gateway.errors import Owner
from gateway.http.errors import RoleRefused
from gateway.http.services import services_of

CALLER_KEY = "bandian.caller"
"""Where the scope of a request keeps its caller, for the access log."""


class CallerGate(Protocol):
    """Admits a request; the partners room implements it."""

    async def authenticate(
        self, authorizations: Sequence[str], proofs: Sequence[str], method: str, uri: str, at: datetime
    ) -> Caller:
        """Raises a subclass of ``Unauthenticated``. The lists hold each header field line as it came."""
        ...

    async def authenticate_unspent(
        self, authorizations: Sequence[str], proofs: Sequence[str], method: str, uri: str, at: datetime
    ) -> tuple[Caller, ProofUse | None]:
        """The same for whoever spends the proof itself, where there is one to spend, before anybody is answered."""
        ...


@dataclass(frozen=True, slots=True)
class Doorkeeper:
    """Authenticates requests. ``public_url`` is how callers address the gateway: scheme, host and any path prefix.

    ``admitted`` is told of each authenticated request, and may refuse it (``RateLimited``).
    """

    gate: CallerGate
    clock: Clock
    public_url: str
    admitted: Callable[[Caller], None] | None = None

    async def caller_of(self, scope: Scope) -> Caller:
        """Who makes the request of this raw ASGI ``scope``; asked again for the same request it answers the same.

        Raises a subclass of ``Unauthenticated``, ``RateLimited``, or ``Overloaded`` when it cannot be looked up.
        """
        known: Caller | None = scope.get(CALLER_KEY)
        if known is not None:
            return known
        return self._told(scope, await self.gate.authenticate(*self._shown(scope), self.clock()))

    async def admit(self, scope: Scope, *roles: Role, scope_name: str | None = None) -> Caller:
        """``caller_of`` with a requirement. No role named is a refusal. Raises ``RoleRefused`` too."""
        caller = await self.caller_of(scope)
        _require(caller, roles, scope_name)
        return caller

    async def admit_unspent(
        self, scope: Scope, *roles: Role, scope_name: str | None = None
    ) -> tuple[Caller, ProofUse | None]:
        """``admit`` for a service that spends the proof with what it writes: nobody was asked for this ``scope``."""
        caller, use = await self.gate.authenticate_unspent(*self._shown(scope), self.clock())
        _require(self._told(scope, caller), roles, scope_name)
        return caller, use

    def _shown(self, scope: Scope) -> tuple[list[str], list[str], str, str]:
        """Tokens, proofs, method and address of a request."""
        authorizations: list[str] = []
        proofs: list[str] = []
        for name, value in scope["headers"]:
            if name == b"authorization":
                authorizations.append(value.decode("latin-1"))
            elif name == b"dpop":
                proofs.append(value.decode("latin-1"))
        return authorizations, proofs, scope["method"], self.public_url.rstrip("/") + _raw_path(scope)

    def _told(self, scope: Scope, caller: Caller) -> Caller:
        scope[CALLER_KEY] = caller
        if self.admitted is not None:
            self.admitted(caller)
        return caller


def _require(caller: Caller, roles: Sequence[Role], scope_name: str | None) -> None:
    if caller.role not in roles or (scope_name is not None and scope_name not in caller.scopes):
        raise RoleRefused(check="caller.role", owner=Owner.CALLER, remedy="请使用具备相应角色与 scope 的接入身份调用")


class RequiredRole(SecurityBase):
    """A dependency that answers the caller, and shows in OpenAPI as a security requirement."""

    def __init__(self, roles: Sequence[Role], scope_name: str | None) -> None:
        self.model = HTTPBase(scheme="dpop", description="DPoP 绑定的访问令牌（RFC 9449）")
        self.scheme_name = "dpop"
        self._roles = tuple(roles)
        self._scope_name = scope_name

    async def __call__(self, request: Request) -> Caller:
        keeper = services_of(request.app).get(Doorkeeper)
        return await keeper.admit(request.scope, *self._roles, scope_name=self._scope_name)


def require_role(*roles: Role | str, scope: str | None = None) -> Callable[[Request], Awaitable[Caller]]:
    """A dependency: the caller, who has one of ``roles`` and, if given, ``scope``. No roles: ``ValueError``."""
    if not roles:
        raise ValueError("a requirement names at least one role")
    return RequiredRole([Role(role) for role in roles], scope)


async def now(request: Request) -> datetime:
    """A dependency: the aware UTC instant at which this request is judged."""
    return services_of(request.app).get(Doorkeeper).clock()


def _raw_path(scope: Scope) -> str:
    raw = scope.get("raw_path")
    path = raw.decode("latin-1") if raw is not None else quote(scope["path"], safe="/!$&'()*+,;=:@-._~")
    return path.split("?", 1)[0]
