"""Around every request: an identifier, one wide log line, the counts, and an answer even to a fault of ours.

Log lines carry the route's template, never the address, its query string or a header; a fault is logged by its type
and the places it passed through, never by its message, which may quote a person's data.
"""

import time
from collections.abc import Callable
from typing import Final, NamedTuple

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.caller import Caller
from gateway.http.callers import CALLER_KEY
from gateway.http.languages import language_of
from gateway.http.metrics import REFUSED, ROUTE_KEY, HttpMetrics, known_method
from gateway.http.problems import plain_response
from gateway.ids import random_bytes
from gateway.logging import REQUEST_ID, frames_of, info_in_own_words

REQUEST_ID_HEADER: Final = b"x-request-id"
OBSERVED_KEY: Final = "bandian.observed"
"""Where the scope of a request keeps what was noted when it came."""

log = structlog.get_logger()


class Observed(NamedTuple):
    """A request that is being worked on: its identifier, and the tick at which it came."""

    request_id: str
    began: float


class Observer:
    """Counts and logs requests. ``new_id`` answers a request id; a caller's own is never taken over."""

    def __init__(
        self,
        metrics: HttpMetrics,
        new_id: Callable[[], str] = lambda: random_bytes().hex(),
        ticks: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._metrics, self._new_id, self._ticks = metrics, new_id, ticks

    def begin(self) -> Observed:
        """A request came; to be called in its own task."""
        observed = Observed(self._new_id(), self._ticks())
        REFUSED.set(None)
        REQUEST_ID.set(observed.request_id)
        self._metrics.in_flight += 1
        return observed

    def end(self, observed: Observed, scope: Scope, status: int) -> None:
        """It was answered with ``status``, or not at all (0)."""
        self.end_of(observed, scope, known_method(scope["method"]), route_template(scope), status)

    def end_of(self, observed: Observed, scope: Scope, method: str, route: str, status: int) -> None:
        """``end``, where it is known which method and route it was."""
        seconds = self._ticks() - observed.began
        self._metrics.in_flight -= 1
        self._metrics.observe(method, route, status, seconds, REFUSED.get())
        caller = scope.get(CALLER_KEY)
        info_in_own_words(
            "request",
            method=method,
            route=route,
            status=status,
            milliseconds=round(seconds * 1000, 2),
            caller=caller.partner_code if isinstance(caller, Caller) else None,
            request_id=observed.request_id,
        )
        REQUEST_ID.set(None)


class Observation:
    """ASGI middleware: every request is observed, and answered even where we are at fault."""

    def __init__(self, app: ASGIApp, observer: Observer) -> None:
        self._app, self._observer = app, observer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        observed, status = scope.get(OBSERVED_KEY) or self._observer.begin(), 0

        async def observed_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (REQUEST_ID_HEADER, observed.request_id.encode())]
            await send(message)

        try:
            await self._app(scope, receive, observed_send)
        except Exception as fault:
            log.error("request.fault", fault=type(fault).__name__, frames=frames_of(fault))
            if status:
                raise ConnectionAbortedError("the answer broke off") from None
            await plain_response(500, language_of(scope))(scope, receive, observed_send)
        finally:
            self._observer.end(observed, scope, status)


def request_id_of(scope: Scope) -> bytes:
    """The identifier of a request that was begun."""
    observed: Observed = scope[OBSERVED_KEY]
    return observed.request_id.encode()


def route_template(scope: Scope) -> str:
    """The matched route as it was declared, ``/v1/things/{id}``; ``unmatched`` where none was."""
    named = scope.get(ROUTE_KEY)
    if isinstance(named, str):
        return named
    path = getattr(scope.get("route"), "path", None)
    return path if isinstance(path, str) else "unmatched"
