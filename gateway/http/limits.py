"""How much and how often. Both limits are this process's own; a proxy in front may set tighter ones."""

import math
import time
from typing import Final

from fastapi import Request
from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.caller import Caller
from gateway.errors import Owner
from gateway.http.callers import CALLER_KEY
from gateway.http.errors import RateLimited, body_too_large
from gateway.http.problems import error_response
from gateway.http.services import services_of

MAX_BODY_BYTES: Final = 256 * 1024


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
            await error_response(body_too_large(self._limit))(scope, receive, send)
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
    """Counts requests in memory over a moving window; ``limits`` reads the time itself."""

    def __init__(self) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    def hit(self, limit: RateLimitItem, use: str, who: str) -> None:
        """Count one request of ``who``. Raises ``RateLimited`` beyond ``limit``."""
        if self._limiter.hit(limit, use, who):
            return
        wait = self._limiter.get_window_stats(limit, use, who).reset_time - time.time()
        raise RateLimited(
            check="request.rate",
            owner=Owner.CALLER,
            remedy="请降低请求频率，并按 Retry-After 等待后重试",
            retry_after=max(1, math.ceil(wait)),
        )


class RateLimit:
    """A dependency: at most ``limit`` (``120/minute``) requests of ``use`` from one caller, or from one address.

    Declared after the dependency that authenticates, it counts by partner; before or without it, by peer address.
    """

    def __init__(self, use: str, limit: str) -> None:
        self._use = use
        self._limit = parse(limit)

    async def __call__(self, request: Request) -> None:
        services_of(request.app).get(RateLimits).hit(self._limit, self._use, _who(request))


def _who(request: Request) -> str:
    caller = request.scope.get(CALLER_KEY)
    if isinstance(caller, Caller):
        return f"partner:{caller.partner_code}"
    return f"address:{request.client.host}" if request.client else "address:unknown"
