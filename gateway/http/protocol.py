"""HTTP/1.1 as uvicorn speaks it, but for requests that the express lane takes: those are answered without ASGI.

Such a request is handed over once its body is whole, and its answer is written in one piece. Parsing, connections that
are kept, requests that come one behind the other, flow control and the end of the server are uvicorn's own; whatever
the lane leaves goes on as it would have without it.
"""

import asyncio
import re
from typing import Any, Final

from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from gateway.http.app import HttpApp
from gateway.http.express import ExpressRoute
from gateway.http.observe import request_id_of

_CLOSE: Final = b"connection: close\r\n\r\n"
_PLAIN_TARGET: Final = re.compile(rb"/[A-Za-z0-9._~!$&'()*+,;=:@/-]*")
"""A path, and nothing that would have to be taken apart or read as something else."""


class _Exchange:
    """A request of the lane and its answer, in the place of uvicorn's cycle: as much of one as its protocol asks for.

    It knows nothing of its connection, so that neither keeps the other in memory.
    """

    __slots__ = ("begun", "body", "disconnected", "keep_alive", "more_body", "response_complete", "route", "scope")

    def __init__(self, scope: Any, route: ExpressRoute, keep_alive: bool) -> None:
        self.scope, self.route, self.keep_alive = scope, route, keep_alive
        self.body = bytearray()
        self.more_body = True
        self.begun = self.disconnected = self.response_complete = False

    @property
    def message_event(self) -> "_Exchange":
        return self

    def set(self) -> None:
        """Nobody waits for pieces."""


class LaneProtocol(HttpToolsProtocol):
    """One connection."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._lane = self.app.lane if isinstance(self.app, HttpApp) else None
        """None where something lies before the application: what reads a trusted proxy's headers."""
        self._head: tuple[object, ExpressRoute, bytes] | None = None
        self._resting_since: float | None = None
        """By the loop's clock; None while something is under way."""

    def on_message_begin(self) -> None:
        """Uvicorn hears of it when it is seen whose it is."""
        self.url, self.headers, self.expect_100_continue = b"", [], False

    def on_headers_complete(self) -> None:
        exchange: Any = self._taken()
        if exchange is not None:
            self.cycle = exchange
            return
        self._begin_as_uvicorn()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        exchange: Any = self.cycle
        if type(exchange) is _Exchange and not exchange.begun:
            exchange.begun = True
            task = self.loop.create_task(self._answer(exchange))
            task.add_done_callback(self.tasks.discard)
            self.tasks.add(task)

    def on_response_complete(self) -> None:
        """As uvicorn's, but that its timer is not set anew for each request: that costs as much as parsing one."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
            return
        self._resting_since = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self._look_after(self.timeout_keep_alive)

    def _unset_keepalive_if_required(self) -> None:
        self._resting_since = None

    def timeout_keep_alive_handler(self) -> None:
        """Close what rested for as long as a connection may; look again when it will have."""
        self.timeout_keep_alive_task = None
        if self._resting_since is None:
            return
        left = self._resting_since + self.timeout_keep_alive - self.loop.time()
        if left > 0:
            self._look_after(left)
        else:
            super().timeout_keep_alive_handler()

    def _look_after(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(seconds, self.timeout_keep_alive_handler)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self.timeout_keep_alive_task is not None:
            self.timeout_keep_alive_task.cancel()
            self.timeout_keep_alive_task = None

    def _taken(self) -> _Exchange | None:
        """The request whose head came, where the lane takes it and nothing else is under way."""
        lane, before, parser = self._lane, self.cycle, self.parser
        if lane is None or not (before is None or before.response_complete) or not _PLAIN_TARGET.fullmatch(self.url):
            return None
        method, path = parser.get_method().decode("ascii"), self.url.decode("ascii")
        route = lane.route_for(method, path, self.headers, HIGH_WATER_LIMIT)  # beyond it nobody reads on unasked
        if route is None or self._is_special():
            return None
        self._begin_as_uvicorn()
        scope: Any = self.scope
        scope.update(method=method, path=path, raw_path=self.url, query_string=b"")
        return _Exchange(scope, route, parser.should_keep_alive())

    def _is_special(self) -> bool:
        """Something is asked for, or was set, that uvicorn looks after."""
        parser = self.parser
        asked = self.expect_100_continue or parser.get_http_version() != "1.1" or parser.should_upgrade()
        return bool(asked or self.root_path or self.limit_concurrency is not None)

    def _begin_as_uvicorn(self) -> None:
        """Let uvicorn begin what came, with the scope that it makes."""
        url, headers, expected = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expected
        self.headers += headers

    async def _answer(self, exchange: _Exchange) -> None:
        lane, scope, route = self._lane, exchange.scope, exchange.route
        assert lane is not None
        body, exchange.body = exchange.body, bytearray()  # the exchange stays as long as its connection rests
        try:
            answer = await lane.answer(scope, route, bytes(body))
        except asyncio.CancelledError:
            self.transport.close()
            raise
        if answer is None:
            await self._cycle_of(exchange, body).run_asgi(self.app)
            return
        try:
            if self.flow.write_paused and not exchange.disconnected:
                await self.flow.drain()
            if not exchange.disconnected:
                self._write(exchange, self._head_of(route), request_id_of(scope), answer)
        finally:
            lane.end(scope, route)

    def _cycle_of(self, exchange: _Exchange, body: bytearray) -> RequestResponseCycle:
        """Uvicorn's own, for what the lane leaves: as it would have made it, the ``body`` whole."""
        cycle = RequestResponseCycle(
            scope=exchange.scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=self.access_log,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=False,
            keep_alive=exchange.keep_alive,
            on_response=self.on_response_complete,
        )
        cycle.body, cycle.more_body, cycle.disconnected = body, False, exchange.disconnected
        cycle.message_event.set()
        current: Any = self.cycle
        if current is exchange:
            self.cycle = cycle
        return cycle

    def _write(self, exchange: _Exchange, head: bytes, request_id: bytes, answer: bytes) -> None:
        exchange.response_complete = True
        ends = b"\r\n" if exchange.keep_alive else _CLOSE
        self.transport.write(
            b"%bx-request-id: %b\r\ncontent-length: %d\r\n%b%b" % (head, request_id, len(answer), ends, answer)
        )
        if not exchange.keep_alive:
            self.transport.close()
        self.on_response_complete()

    def _head_of(self, route: ExpressRoute) -> bytes:
        """Status line and the headers that all answers of ``route`` bear in this second: the date is uvicorn's."""
        dated = self.server_state.default_headers
        if self._head is None or self._head[0] is not dated or self._head[1] is not route:
            assert self._lane is not None
            headers = [*dated, *self._lane.headers, (b"content-type", route.media_type)]
            written = b"".join([b"%b: %b\r\n" % header for header in headers])
            self._head = (dated, route, STATUS_LINE[route.status] + written)
        return self._head[2]
