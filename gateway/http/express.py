"""The lane for hot routes: past the framework where a request is plain and succeeds, through it in every other case.

An express route takes a request that is well-formed and answers bytes, by the very services that its ordinary route
calls. Whatever it does not take – another media type, a body that does not fit or has no length – goes on to that
ordinary route untouched, whose documentation and refusals hold; what its services refuse is refused there, too. It is a
thin edge and no second gateway: headers, limits, counts and the log line are those of every other route.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.errors import GatewayError
from gateway.http.languages import language_of
from gateway.http.metrics import ROUTE_KEY
from gateway.http.observe import OBSERVED_KEY, REQUEST_ID_HEADER, Observer, request_id_of
from gateway.http.problems import error_response

Headers = Sequence[tuple[bytes, bytes]]
"""Names in lower case, and values."""
JSON: Final = b"application/json"
REFUSED_KEY: Final = "bandian.refused"
"""Where the scope of a request keeps what the lane's services raised, for the ordinary way to tell."""
LEFT_KEY: Final = "bandian.left"
"""Stands in the scope of a request that the lane looked at and leaves to the ordinary way."""
_LONGEST: Final = 12
"""Digits of a length that is worth reading."""


class ExpressRoute(Protocol):
    """One hot route. ``take`` parses; None sends the request on to the ordinary route."""

    @property
    def method(self) -> str: ...
    @property
    def path(self) -> str:
        """As the ordinary route declares it."""
        ...

    @property
    def taken_as(self) -> bytes:
        """The media type of what it takes."""
        ...

    @property
    def status(self) -> int: ...
    @property
    def media_type(self) -> bytes:
        """Of its answers."""
        ...

    def take(self, body: bytes) -> Any | None:
        """What is asked for; None where that is for the ordinary route to judge."""
        ...

    async def answer(self, scope: Scope, asked: Any) -> bytes:
        """The body of the answer. Raises ``GatewayError``."""
        ...


class ExpressTemplate(ExpressRoute, Protocol):
    """One with parameters in its path."""

    def fits(self, path: str) -> bool:
        """Whether ``path`` is of this route, with parameters that it would take."""
        ...


@dataclass(frozen=True)
class ExpressRoutes:
    """The hot routes: ``plain`` by path, and ``templates``."""

    plain: Mapping[str, ExpressRoute]
    templates: Sequence[ExpressTemplate] = ()

    def find(self, path: str) -> ExpressRoute | None:
        """Whose ``path`` it is."""
        return self.plain.get(path) or next((each for each in self.templates if each.fits(path)), None)


class ExpressLane:
    """ASGI application before ``further``, which answers all that is not taken; ``app`` is whose services are called.

    ``headers`` are those that every answer bears. A server that has whole requests in hand may ask without ASGI:
    ``route_for``, ``answer``, ``end``.
    """

    def __init__(
        self,
        app: object,
        further: ASGIApp,
        routes: ExpressRoutes,
        observer: Observer,
        headers: Sequence[tuple[bytes, bytes]],
        limit: int,
    ) -> None:
        """Takes bodies of at most ``limit`` bytes."""
        self._app, self._further, self._routes, self._observer, self._limit = app, further, routes, observer, limit
        self.headers = list(headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        left = scope["type"] != "http" or LEFT_KEY in scope
        route = None if left else self.route_for(scope["method"], scope["path"], scope["headers"])
        if route is None:
            await self._further(scope, receive, send)
            return
        body, gone = await _whole(receive)
        answer = await self.answer(scope, route, body) if gone is None else None
        if answer is None:
            await self._further(scope, _again(body, gone, receive), send)
            return
        headers = [
            (b"content-length", b"%d" % len(answer)),
            (b"content-type", route.media_type),
            (REQUEST_ID_HEADER, request_id_of(scope)),
            *self.headers,
        ]
        try:
            await send({"type": "http.response.start", "status": route.status, "headers": headers})
            await send({"type": "http.response.body", "body": answer})
        finally:
            self.end(scope, route)

    def route_for(self, method: str, path: str, headers: Headers, longest: int | None = None) -> ExpressRoute | None:
        """Whose request this is, as far as method, path and headers tell; None where the framework is to read it.

        ``longest`` is how many bytes the server takes at once, where that is less than what the lane takes.
        """
        route = self._routes.find(path)
        if route is None or method != route.method:
            return None
        limit = self._limit if longest is None else min(longest, self._limit)
        return route if _is_plain(headers, route.taken_as, limit) else None

    async def answer(self, scope: Scope, route: ExpressRoute, body: bytes) -> bytes | None:
        """The answer to a whole request, to be sent and then ``end``ed; None where the ordinary way is to tell it."""
        asked = route.take(body)
        if asked is None:
            scope[LEFT_KEY] = True
            return None
        scope["app"] = self._app
        observed = scope[OBSERVED_KEY] = self._observer.begin()
        scope[ROUTE_KEY] = route.path
        try:
            return await route.answer(scope, asked)
        except Exception as refusal:  # told, counted and logged as on any other route
            scope[REFUSED_KEY] = refusal
            scope[LEFT_KEY] = True
            return None
        except BaseException:  # cancelled: nobody is answered any more
            self._observer.end(observed, scope, 0)
            raise

    def end(self, scope: Scope, route: ExpressRoute) -> None:
        """What ``answer`` told was sent, or could not be."""
        self._observer.end_of(scope[OBSERVED_KEY], scope, route.method, route.path, route.status)


class Refusals:
    """ASGI middleware, the innermost: tells what the lane's services refused, where other routes' refusals are told."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = scope.get(REFUSED_KEY)
        if refusal is None:
            await self._app(scope, receive, send)
        elif isinstance(refusal, GatewayError):
            await error_response(refusal, language_of(scope))(scope, receive, send)
        else:
            raise refusal


def _is_plain(headers: Headers, media_type: bytes, limit: int) -> bool:
    """One Content-Type, and that ``media_type``, and a length that may be; the rest the framework reads."""
    types = lengths = 0
    for name, value in headers:
        if name == b"content-type":
            types += 1 if value == media_type else 2
        elif name == b"content-length":
            fits = value.isdigit() and len(value) <= _LONGEST and int(value) <= limit
            lengths += 1 if fits else 2
    return types == lengths == 1


async def _whole(receive: Receive) -> tuple[bytes, Message | None]:
    """The body as far as it came, and what came in place of its end where the caller went away."""
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body", False):
        return message.get("body", b""), None
    body = bytearray()
    while message["type"] == "http.request":
        body += message.get("body", b"")
        if not message.get("more_body", False):
            return bytes(body), None
        message = await receive()
    return bytes(body), message


def _again(body: bytes, gone: Message | None, receive: Receive) -> Callable[[], Awaitable[Message]]:
    """``receive`` from the start, the body in one piece."""
    kept: list[Message] = [{"type": "http.request", "body": body, "more_body": gone is not None}]
    kept += [gone] if gone is not None else []
    told = iter(kept)

    async def receive_again() -> Message:
        message = next(told, None)
        return await receive() if message is None else message

    return receive_again
