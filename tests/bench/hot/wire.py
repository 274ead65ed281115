"""Bare HTTP/1.1 over loopback: a server for stand-ins and limit programs, and a fleet of clients that never rests.

Neither is fit for anything but a benchmark: whole requests with ``Content-Length``, one at a time on each connection.
"""

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import uvloop

Reply = Callable[[bytes], None]
Handler = Callable[[bytes, bytes, Reply], None]
"""Is given head, body, and where the whole answer goes, at once or later."""
Exchange = bytes | Generator[bytes, bytes, None]
"""A request; or several, each of which follows from the body that answered the one before and is sent in to it."""

ANSWERS_WITHIN = 300.0
"""Seconds that a slice may take."""
IDLE_S = 3.0
"""Seconds after which a connection that nobody used is opened anew: servers let go of them after five, and a request
that crosses their good-bye on the way is lost."""
_END, _LENGTH = b"\r\n\r\n", b"content-length:"


def answer(status: str, media_type: str, body: bytes) -> bytes:
    """A whole response."""
    return f"HTTP/1.1 {status}\r\ncontent-type: {media_type}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body


def header_value(head: bytes, name: bytes) -> bytes:
    """The value of the first header line ``name`` (lower case, as our own clients write it); empty when missing."""
    start = head.find(b"\r\n" + name + b": ")
    if start < 0:
        return b""
    start += len(name) + 4
    end = head.find(b"\r\n", start)
    return head[start:] if end < 0 else head[start:end]


def _length(head: bytes) -> int:
    at = head.lower().find(_LENGTH)
    if at < 0:
        return 0
    end = head.find(b"\r\n", at)
    return int(head[at + len(_LENGTH) : end if end >= 0 else None])


class Messages(asyncio.Protocol, ABC):
    """Cuts what arrives into heads and bodies."""

    def __init__(self) -> None:
        self._buffer = b""
        self._head: bytes | None = None
        self._missing = 0

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        while True:
            if self._head is None:
                end = self._buffer.find(_END)
                if end < 0:
                    return
                self._head, self._buffer = self._buffer[:end], self._buffer[end + 4 :]
                self._missing = _length(self._head)
            if len(self._buffer) < self._missing:
                return
            head, body = self._head, self._buffer[: self._missing]
            self._head, self._buffer = None, self._buffer[self._missing :]
            self.message(head, body)

    @abstractmethod
    def message(self, head: bytes, body: bytes) -> None:
        """One whole message came."""


class _ServerConnection(Messages):
    def __init__(self, handler: Handler) -> None:
        super().__init__()
        self._handler = handler
        self._reply: Reply = lambda _: None

    def connection_made(self, transport: Any) -> None:
        self._reply = transport.write

    def message(self, head: bytes, body: bytes) -> None:
        self._handler(head, body, self._reply)


async def listen(handler: Handler, port: int) -> asyncio.Server:
    """Serve at the loopback ``port``."""
    loop = asyncio.get_running_loop()
    return await loop.create_server(lambda: _ServerConnection(handler), "127.0.0.1", port, backlog=1024)


def serve(handler: Callable[[], Handler], port: int) -> None:
    """Serve until killed; ``handler`` is made inside the running loop."""

    async def run() -> None:
        server = await listen(handler(), port)
        print("ready", flush=True)
        await server.serve_forever()

    uvloop.run(run())


class _ClientConnection(Messages):
    """Sends the next request as soon as the last one was answered."""

    def __init__(self, run: "_Run") -> None:
        super().__init__()
        self.run = run
        self.alive = False
        self._asking = False
        self._sent_at = 0.0
        self._talk: Generator[bytes, bytes, None] | None = None
        self._transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self._transport, self.alive = transport, True

    def connection_lost(self, exc: Exception | None) -> None:
        self.alive = False
        if self._asking:
            self.run.broken("a connection was lost before its answer")

    def next(self) -> None:
        exchange = next(self.run.exchanges, None)
        self._asking = exchange is not None
        if exchange is None:
            self.run.ended()
            return
        self._talk = None if isinstance(exchange, bytes) else exchange
        self._sent_at = time.perf_counter()
        self._transport.write(exchange if isinstance(exchange, bytes) else next(exchange))

    def message(self, head: bytes, body: bytes) -> None:
        if not head.startswith(self.run.expected):
            self.run.broken(f"{head[:40]!r} {body[:400]!r}")
            return
        further = following(self._talk, body)
        if further is not None:
            self._transport.write(further)
            return
        self.run.took.append(time.perf_counter() - self._sent_at)
        self.run.last_body = body
        self.next()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


def following(talk: Generator[bytes, bytes, None] | None, body: bytes) -> bytes | None:
    """The next request of an exchange whose last one was answered by ``body``; None where that was all."""
    if talk is None:
        return None
    try:
        return talk.send(body)
    except StopIteration:
        return None


@dataclass
class _Run:
    """One slice under way."""

    exchanges: Iterator[Exchange]
    expected: bytes
    going: int
    done: asyncio.Future[None]
    took: list[float] = field(default_factory=list)
    last_body: bytes = b""

    def ended(self) -> None:
        self.going -= 1
        if self.going == 0 and not self.done.done():
            self.done.set_result(None)

    def broken(self, why: str) -> None:
        if not self.done.done():
            self.done.set_exception(RuntimeError(f"an answer that was not expected: {why}"))


@dataclass(frozen=True)
class Answered:
    """What a slice saw: seconds of each answer and of the whole, and the body of the last answer."""

    took: Sequence[float]
    seconds: float
    last_body: bytes


class Fleet:
    """So many connections to each of the ports, all asking without a pause."""

    def __init__(self, ports: Sequence[int], connections: int) -> None:
        self.ports, self.size = ports, connections
        self._connections: dict[int, list[_ClientConnection]] = {port: [] for port in ports}
        self._used_at = 0.0

    async def open(self) -> None:
        """Connect, also anew where the other side let go of a connection that was idle."""
        loop = asyncio.get_running_loop()
        idle = _Run(iter(()), b"", 0, loop.create_future())
        if time.perf_counter() - self._used_at > IDLE_S:
            self.close()
            self._connections = {port: [] for port in self.ports}
        for port, connections in self._connections.items():
            kept = connections
            # Looked at again after each wait: while one is connected, another may be let go of.
            while len(kept := [connection for connection in kept if connection.alive]) < self.size:
                _, connection = await loop.create_connection(lambda: _ClientConnection(idle), "127.0.0.1", port)
                kept.append(connection)
            self._connections[port] = kept

    async def ask(self, exchanges: Sequence[Exchange], expected: bytes = b"HTTP/1.1 20") -> Answered:
        """Ask them all. Raises ``RuntimeError`` at the first answer whose head does not begin as ``expected``."""
        await self.open()
        connections = [each for kept in self._connections.values() for each in kept]
        loop = asyncio.get_running_loop()
        run = _Run(iter(exchanges), expected, len(connections), loop.create_future())
        began = time.perf_counter()
        for connection in connections:
            connection.run = run
            connection.next()
        await asyncio.wait_for(run.done, ANSWERS_WITHIN)
        self._used_at = time.perf_counter()
        return Answered(run.took, self._used_at - began, run.last_body)

    def close(self) -> None:
        for connections in self._connections.values():
            for connection in connections:
                connection.close()
