"""Around every request: an identifier, one wide log line, the counts, and an answer even to a fault of ours.

Log lines carry the route's template, never the address, its query string or a header; a fault is logged by its type
and the places it passed through, never by its message, which may quote a person's data.
"""

import time
import uuid
from collections.abc import Callable
from typing import Final

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.caller import Caller
from gateway.http.callers import CALLER_KEY
from gateway.http.languages import language_of
from gateway.http.metrics import REFUSED, ROUTE_KEY, HttpMetrics
from gateway.http.problems import plain_response
from gateway.logging import frames_of

REQUEST_ID_HEADER: Final = b"x-request-id"

log = structlog.get_logger()


class Observer:
    """ASGI middleware. ``new_id`` answers a request id; a caller's own is never taken over."""

    def __init__(
        self,
        app: ASGIApp,
        metrics: HttpMetrics,
        new_id: Callable[[], str] = lambda: uuid.uuid4().hex,
        ticks: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._app = app
        self._metrics = metrics
        self._new_id = new_id
        self._ticks = ticks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id, began, status = self._new_id(), self._ticks(), 0
        REFUSED.set(None)

        async def observed_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (REQUEST_ID_HEADER, request_id.encode())]
            await send(message)

        structlog.contextvars.bind_contextvars(request_id=request_id)  # of this request's own task
        with self._metrics.in_flight.track_inprogress():
            try:
                await self._app(scope, receive, observed_send)
            except Exception as fault:
                log.error("request.fault", fault=type(fault).__name__, frames=frames_of(fault))
                if status:
                    raise ConnectionAbortedError("the answer broke off") from None
                await plain_response(500, language_of(scope))(scope, receive, observed_send)
            finally:
                self._report(scope, status, self._ticks() - began)
                structlog.contextvars.unbind_contextvars("request_id")

    def _report(self, scope: Scope, status: int, seconds: float) -> None:
        route, caller = route_template(scope), scope.get(CALLER_KEY)
        self._metrics.observe(scope["method"], route, status, seconds, REFUSED.get())
        log.info(
            "request",
            method=scope["method"],
            route=route,
            status=status,
            milliseconds=round(seconds * 1000, 2),
            caller=caller.partner_code if isinstance(caller, Caller) else None,
        )


def route_template(scope: Scope) -> str:
    """The matched route as it was declared, ``/v1/things/{id}``; ``unmatched`` where none was."""
    named = scope.get(ROUTE_KEY)
    if isinstance(named, str):
        return named
    path = getattr(scope.get("route"), "path", None)
    return path if isinstance(path, str) else "unmatched"
