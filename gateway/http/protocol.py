"""HTTP/1.1 as uvicorn speaks it, but for requests that the express lane takes: those are answered without ASGI.

Such a request is handed over once its body is whole, and its answer is written in one piece. Parsing, connections that
are kept, requests that come one behind the other, flow control and the end of the server are uvicorn's own; whatever
the lane leaves goes on as it would have without it.
"""

import asyncio
from typing import Any, Final, cast

from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from gateway.http.app import HttpApp
from gateway.http.express import ExpressLane, ExpressRoute
from gateway.http.observe import request_id_of

_CLOSE: Final = b"connection: close\r\n\r\n"


class LaneProtocol(HttpToolsProtocol):
    """One connection."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._lane = _lane_of(self.app)
        self._unfinished: tuple[RequestResponseCycle, ExpressRoute] | None = None
        """A request of the lane whose body is still to come."""
        self._head: tuple[object, ExpressRoute, bytes] | None = None

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        route = self._express_route(cycle, app)
        if route is None:
            super()._start_asgi_task(cycle, app)
        elif cycle.more_body:
            self._unfinished = (cycle, route)
        else:
            self._begin(cycle, route)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        if self._unfinished is not None:
            (cycle, route), self._unfinished = self._unfinished, None
            self._begin(cycle, route)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._unfinished is not None:
            _let_go(self._unfinished[0])

    def _express_route(self, cycle: RequestResponseCycle, app: Any) -> ExpressRoute | None:
        if self._lane is None or app is not self.app or cycle.waiting_for_100_continue:
            return None
        scope: Any = cycle.scope
        return self._lane.route_of(scope, HIGH_WATER_LIMIT)  # beyond it nobody reads on before he is asked to

    def _begin(self, cycle: RequestResponseCycle, route: ExpressRoute) -> None:
        task = self.loop.create_task(self._answer(cycle, route))
        task.add_done_callback(self.tasks.discard)
        self.tasks.add(task)

    async def _answer(self, cycle: RequestResponseCycle, route: ExpressRoute) -> None:
        lane, scope = self._lane, cast(Any, cycle.scope)
        assert lane is not None
        try:
            answer = await lane.answer(scope, route, bytes(cycle.body))
        except asyncio.CancelledError:
            self.transport.close()
            raise
        if answer is None:
            await cycle.run_asgi(self.app)
            return
        try:
            if self.flow.write_paused and not cycle.disconnected:
                await self.flow.drain()
            if not cycle.disconnected:
                self._write(cycle, self._head_of(route), request_id_of(scope), answer)
        finally:
            _let_go(cycle)
            lane.end(scope, route)

    def _write(self, cycle: RequestResponseCycle, head: bytes, request_id: bytes, answer: bytes) -> None:
        cycle.response_started = cycle.response_complete = True
        ends = b"\r\n" if cycle.keep_alive else _CLOSE
        self.transport.write(
            b"%bx-request-id: %b\r\ncontent-length: %d\r\n%b%b" % (head, request_id, len(answer), ends, answer)
        )
        if not cycle.keep_alive:
            self.transport.close()
        cycle.on_response()

    def _head_of(self, route: ExpressRoute) -> bytes:
        """Status line and the headers that all answers of ``route`` bear in this second: the date is uvicorn's."""
        dated = self.server_state.default_headers
        if self._head is None or self._head[0] is not dated or self._head[1] is not route:
            assert self._lane is not None
            headers = [*dated, *self._lane.headers, (b"content-type", route.media_type)]
            written = b"".join([b"%b: %b\r\n" % header for header in headers])
            self._head = (dated, route, STATUS_LINE[route.status] + written)
        return self._head[2]


def _let_go(cycle: RequestResponseCycle) -> None:
    """As uvicorn does when a request is over: it and its connection would else keep each other in memory."""
    cycle.on_response = lambda: None


def _lane_of(app: Any) -> ExpressLane | None:
    """The lane of the application, which may lie behind what reads a proxy's headers."""
    while app is not None and not isinstance(app, HttpApp):
        app = getattr(app, "app", None)
    return None if app is None else app.lane
