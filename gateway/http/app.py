"""The application as a server runs it: the express lane, and the framework behind it."""

from typing import Any, Final

from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig
from starlette.types import Receive, Scope, Send

from gateway.http.express import ExpressLane
from gateway.http.signpost import Signpost

NO_TELEMETRY: Final[TelemetryConfig] = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}
"""The framework could be told by a variable of the environment to send addresses of requests to somebody."""


class HttpApp(FastAPI):
    """FastAPI with a lane before it, so that a hot route passes none of the framework's layers.

    Other routes are found by a signpost behind all of the framework's layers. It is made of the routes that there are
    when the first request comes; a route that is added later, the framework finds.
    """

    def __init__(self, **extra: Any) -> None:
        super().__init__(telemetry=NO_TELEMETRY, **extra)
        self.lane: ExpressLane | None = None
        self._signpost: Signpost | None = None
        self.router.middleware_stack = self._route

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.lane is None or scope["type"] != "http":
            await super().__call__(scope, receive, send)
        else:
            await self.lane(scope, receive, send)

    async def past_the_lane(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Where the lane sends what it does not answer."""
        await super().__call__(scope, receive, send)

    async def _route(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = None
        if scope["type"] == "http" and not self.dependency_overrides:  # routes within routers know nothing of these
            if self._signpost is None:
                self._signpost = Signpost(self.routes)
            found = self._signpost.find(scope)
        if found is None:
            await self.router.app(scope, receive, send)
            return
        route, added = found
        scope["router"] = self.router
        scope.update(added)
        await route.handle(scope, receive, send)
