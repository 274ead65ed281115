"""The lane for hot routes: past the framework where a request is plain, through it wherever anything is not.

An express route takes a request that is well-formed and answers bytes, by the very services that its ordinary route
calls. Whatever it does not take – another media type, a body that does not fit, another method – goes on to that
ordinary route untouched, whose refusals and documentation hold. It is a thin edge and no second gateway.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, Protocol

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.errors import GatewayError
from gateway.http.languages import language_of
from gateway.http.metrics import ROUTE_KEY
from gateway.http.problems import error_response, plain_response

JSON: Final = b"application/json"


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


class ExpressLane:
    """ASGI middleware, the innermost: limits, headers, log line and counts are around it as around every route."""

    def __init__(
        self, app: ASGIApp, routes: Mapping[str, ExpressRoute], templates: Sequence[ExpressTemplate] = ()
    ) -> None:
        """``routes`` by path."""
        self._app = app
        self._routes = routes
        self._templates = templates

    def _route(self, path: str) -> ExpressRoute | None:
        return self._routes.get(path) or next((each for each in self._templates if each.fits(path)), None)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = self._route(scope["path"]) if scope["type"] == "http" else None
        if route is None or scope["method"] != route.method or not _is_plain(scope, route.taken_as):
            await self._app(scope, receive, send)
            return
        scope[ROUTE_KEY] = route.path
        try:
            body, gone = await _whole(receive)
        except HTTPException as refusal:  # the body limit's
            await plain_response(refusal.status_code, language_of(scope))(scope, receive, send)
            return
        asked = None if gone else route.take(body)
        if asked is None:
            await self._app(scope, _again(body, gone, receive), send)
            return
        try:
            answer = await route.answer(scope, asked)
        except GatewayError as error:
            await error_response(error, language_of(scope))(scope, receive, send)
            return
        headers = [(b"content-length", b"%d" % len(answer)), (b"content-type", route.media_type)]
        await send({"type": "http.response.start", "status": route.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer})


def _is_plain(scope: Scope, media_type: bytes) -> bool:
    """Exactly one Content-Type, and that ``media_type`` alone; anything else is for the framework to read."""
    types = [value for name, value in scope["headers"] if name == b"content-type"]
    return types == [media_type]


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
