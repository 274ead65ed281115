"""How much and how often. Both limits are this process's own; a proxy in front may set tighter ones."""

import math
import time
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from fastapi import Request
from limits import RateLimitItem, parse
from limits.strategies import SlidingWindowCounterRateLimiter
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.caller import Caller
from gateway.errors import Owner
from gateway.http.counts import WindowCounts
from gateway.http.errors import RateLimited, body_too_large
from gateway.http.languages import language_of
from gateway.http.problems import error_response
from gateway.http.services import services_of

MAX_BODY_BYTES: Final = 256 * 1024
_PARTNER: Final = "partner"
PARTNER_LIMIT: Final = 6000
"""Requests a minute that one partner may make, unless the operator sets another number."""


class BodyLimit:
    """ASGI middleware: no body beyond ``limit`` bytes, whether its length was announced or not."""

    def __init__(self, app: ASGIApp, limit: int = MAX_BODY_BYTES) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if any(name == b"content-length" and not self._announced_fits(value) for name, value in scope["headers"]):
            await error_response(body_too_large(self._limit), language_of(scope))(scope, receive, send)
            return
        received = 0

        async def counted_receive() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._limit:
                raise HTTPException(413)
            return message

        await self._app(scope, counted_receive, send)

    def _announced_fits(self, value: bytes) -> bool:
        return value.isdigit() and len(value) <= 12 and int(value) <= self._limit


class RateLimits:
    """Counts requests in memory over a sliding window; ``limits`` reads the time itself.

    ``partner_limit`` is how many requests of one partner are let in a minute, over all routes. ``set_for`` has how many
    a minute the operator set for single uses, in place of what their routes say.
    """

    def __init__(self, partner_limit: int = PARTNER_LIMIT, set_for: Mapping[str, int] | None = None) -> None:
        self._counts = WindowCounts()
        self._limiter = SlidingWindowCounterRateLimiter(self._counts)
        self._partner_limit = parse(f"{partner_limit}/minute")
        self._partner_expiry = self._partner_limit.get_expiry()
        self._set_for = {use: parse(f"{limit}/minute") for use, limit in (set_for or {}).items()}

    def admit(self, caller: Caller) -> None:
        """Count one request of an authenticated partner. Raises ``RateLimited``."""
        limit, code = self._partner_limit, caller.partner_code
        # What ``self._limiter.hit`` does, but for spelling out the partner's key with each request.
        if not self._counts.count(_partner_key(limit, code), limit.amount, self._partner_expiry):
            raise self._refused(limit, _PARTNER, code)

    def limit_of(self, use: str, otherwise: RateLimitItem) -> RateLimitItem:
        """What was set for ``use``, or ``otherwise``."""
        return self._set_for.get(use, otherwise)

    def count(self, limit: RateLimitItem, use: str, who: str) -> None:
        """Count without a refusal: ``require`` refuses later."""
        self._limiter.hit(limit, use, who)

    def require(self, limit: RateLimitItem, use: str, who: str) -> None:
        """Raises ``RateLimited`` where ``who`` has nothing left of ``limit``; counts nothing."""
        if not self._counts.has_room(limit.key_for(use, who), limit.amount, limit.get_expiry()):
            raise self._refused(limit, use, who)

    def hit(self, limit: RateLimitItem, use: str, who: str) -> None:
        """Count one request of ``who``. Raises ``RateLimited`` beyond ``limit``."""
        if not self._limiter.hit(limit, use, who):
            raise self._refused(limit, use, who)

    def _refused(self, limit: RateLimitItem, use: str, who: str) -> RateLimited:
        wait = self._limiter.get_window_stats(limit, use, who).reset_time - time.time()
        return RateLimited(
            check="request.rate",
            owner=Owner.CALLER,
            remedy="请降低请求频率，并按 Retry-After 等待后重试",
            retry_after=max(1, math.ceil(wait)),
            limit=f"{limit.amount}/{limit.GRANULARITY.name}",
        )


@lru_cache(1024)
def _partner_key(limit: RateLimitItem, code: str) -> str:
    """Of partners alone: the address of anybody else is remembered no longer than it counts."""
    return limit.key_for(_PARTNER, code)


class RateLimit:
    """A dependency: at most ``limit`` (``600/minute``) requests of ``use`` from one address, unless another is set.

    Many people may share an address (a service hall, an office behind one router), so such limits are generous.
    """

    def __init__(self, use: str, limit: str) -> None:
        self._use = use
        self._limit = parse(limit)

    async def __call__(self, request: Request) -> None:
        limits = services_of(request.app).get(RateLimits)
        limits.hit(limits.limit_of(self._use, self._limit), self._use, address_of(request))


def address_of(request: Request) -> str:
    """Where the request comes from: the peer, or whom a trusted proxy names (``BANDIAN_TRUSTED_PROXIES``)."""
    return peer_of(request.scope)


def peer_of(scope: Scope) -> str:
    """See ``address_of``."""
    client = scope.get("client")
    return str(client[0]) if client else "unknown"
