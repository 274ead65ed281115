"""One HTTP/1.1 connection: one exchange at a time, the reply cut out by a parser in C, everything within limits."""

import asyncio
from collections.abc import Callable, Mapping
from typing import cast

import httptools

from adapters.http_client import ExchangeFailed

MAX_HEAD_BYTES = 64 * 1024
"""Of a status line with its header, and of all header lines, trailers among them."""
JudgeHead = Callable[[int, Mapping[str, str]], None]
"""Is given status and header (names in lower case); raises ``ExchangeFailed`` where the body need not be read."""
Reply = tuple[int, dict[str, str], bytes]


class Connection(asyncio.Protocol):
    """Used for one exchange after the other while it is ``reusable``; after a failure it is closed."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._reply: asyncio.Future[Reply] | None = None
        self._judge: JudgeHead | None = None
        self._most = 0
        self._begin()

    def _begin(self) -> None:
        self._headers: dict[str, str] = {}
        self._body = bytearray()
        self._head_bytes = 0
        self._has_head = self._delimited = False

    @property
    def reusable(self) -> bool:
        """Whether another exchange may follow."""
        return self._transport is not None and self._reply is None

    def ask(self, request: bytes, most: int, judge: JudgeHead) -> "asyncio.Future[Reply]":
        """Send ``request`` whole; awaited, its reply, of ``most`` bytes of body. Whoever stops waiting has to close it.

        Raises ``ExchangeFailed``, at once or awaited.
        """
        if self._transport is None or self._reply is not None:
            raise ExchangeFailed("http.connection")
        reply: asyncio.Future[Reply] = self._loop.create_future()
        self._reply = reply
        self._judge, self._most = judge, most
        self._begin()
        self._transport.write(request)
        return reply

    def close(self) -> None:
        """Let go of it at once."""
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.abort()
        self._fail(ExchangeFailed("http.connection"))

    # What the event loop tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """As ``asyncio.Protocol``."""
        self._transport = cast(asyncio.Transport, transport)
        self._loop = asyncio.get_running_loop()

    def data_received(self, data: bytes) -> None:
        """As ``asyncio.Protocol``. What nobody asked for ends the connection."""
        if self._reply is None:
            self.close()
            return
        try:
            self._parser.feed_data(data)
            if not self._has_head:
                self._count_head(len(data))
        except httptools.HttpParserUpgrade:
            self._broken(ExchangeFailed("http.connection"))
        except httptools.HttpParserCallbackError as error:
            told = error.__context__
            self._broken(told if isinstance(told, ExchangeFailed) else ExchangeFailed("http.connection"))
        except ExchangeFailed as failed:
            self._broken(failed)
        except httptools.HttpParserError:
            self._broken(ExchangeFailed("http.connection"))

    def eof_received(self) -> None:
        """As ``asyncio.Protocol``: the end of a body that ends nowhere else (RFC 9112 §6.3)."""
        if self._reply is not None and self._has_head and not self._delimited:
            self._done(keep=False)

    def connection_lost(self, exc: Exception | None) -> None:
        """As ``asyncio.Protocol``."""
        self._transport = None
        self._fail(ExchangeFailed("http.connection"))

    # What the parser tells

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header line; lines of one name are joined (RFC 9110 §5.3)."""
        self._count_head(len(name) + len(value))
        if self._has_head:  # a trailer, which nobody asked for
            return
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        self._headers[key] = f"{self._headers[key]}, {text}" if key in self._headers else text

    def on_headers_complete(self) -> None:
        """The head is whole. A reply that only announces another (1xx) is passed over."""
        status = self._parser.get_status_code()
        if status < 200:
            self._headers = {}
            return
        self._has_head = True
        self._delimited = "content-length" in self._headers or "transfer-encoding" in self._headers
        if self._judge is not None:
            self._judge(status, self._headers)

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        self._body += body
        if len(self._body) > self._most:
            raise ExchangeFailed("http.oversize", mendable=False)

    def on_message_begin(self) -> None:
        """A reply to nothing ends the connection."""
        if self._reply is None:
            raise ExchangeFailed("http.connection")

    def on_message_complete(self) -> None:
        """The reply is whole."""
        if self._has_head and self._reply is not None:
            self._done(keep=self._parser.should_keep_alive())

    def _count_head(self, more: int) -> None:
        self._head_bytes += more
        if self._head_bytes > MAX_HEAD_BYTES:
            raise ExchangeFailed("http.connection")

    def _done(self, *, keep: bool) -> None:
        reply, self._reply = self._reply, None
        if reply is not None and not reply.done():
            reply.set_result((self._parser.get_status_code(), self._headers, bytes(self._body)))
        if not keep:
            self.close()

    def _fail(self, failed: ExchangeFailed) -> None:
        reply, self._reply = self._reply, None
        if reply is not None and not reply.done():
            reply.set_exception(failed)

    def _broken(self, failed: ExchangeFailed) -> None:
        self._fail(failed)
        self.close()
