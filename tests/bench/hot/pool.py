"""Connections that are lent to one exchange each, for whoever asks when something else happens."""

import asyncio
from collections import deque
from collections.abc import Callable, Generator
from typing import Any

from tests.bench.hot.wire import Exchange, Messages, following

Answered = Callable[[bytes, bytes], None]
"""Is given head and body of an exchange's last answer."""


class Pool:
    """At most ``most`` keep-alive connections to a loopback port, opened when there is none to lend."""

    def __init__(self, port: int, most: int) -> None:
        self._port, self._most = port, most
        self._idle: list[_Lent] = []
        self._lent: set[_Lent] = set()
        self._waiting: deque[tuple[Exchange, Answered]] = deque()
        self._opening: set[asyncio.Task[None]] = set()
        self._open = 0
        self._closed = False

    def begin(self, exchange: Exchange, answered: Answered) -> None:
        """Send it now, or as soon as a connection is free. An answer that is no 2xx ends it early."""
        if self._idle:
            self._idle.pop().begin(exchange, answered)
            return
        self._waiting.append((exchange, answered))
        if self._open < self._most:
            self._open += 1
            task = asyncio.get_running_loop().create_task(self._connect())
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)

    def free(self, lent: "_Lent") -> None:
        """A connection is idle again."""
        if self._waiting:
            lent.begin(*self._waiting.popleft())
        else:
            self._idle.append(lent)

    def lost(self, lent: "_Lent") -> None:
        """A connection was closed."""
        self._open -= 1
        self._lent.discard(lent)
        if lent in self._idle:
            self._idle.remove(lent)

    def close(self) -> None:
        """Let go of them all, and of those that are being opened as soon as they are."""
        self._closed = True
        for lent in list(self._lent):
            lent.close()

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        _, lent = await loop.create_connection(lambda: _Lent(self), "127.0.0.1", self._port)
        self._lent.add(lent)
        if self._closed:
            lent.close()
        else:
            self.free(lent)


class _Lent(Messages):
    def __init__(self, pool: Pool) -> None:
        super().__init__()
        self._pool = pool
        self._talk: Generator[bytes, bytes, None] | None = None
        self._answered: Answered | None = None
        self._transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self._pool.lost(self)
        if self._answered is not None:
            self._answered(b"connection lost", b"")

    def begin(self, exchange: Exchange, answered: Answered) -> None:
        self._answered = answered
        self._talk = None if isinstance(exchange, bytes) else exchange
        self._transport.write(exchange if isinstance(exchange, bytes) else next(exchange))

    def message(self, head: bytes, body: bytes) -> None:
        further = following(self._talk, body) if head.startswith(b"HTTP/1.1 20") else None
        if further is not None:
            self._transport.write(further)
            return
        answered, self._answered = self._answered, None
        self._pool.free(self)
        if answered is not None:
            answered(head, body)

    def close(self) -> None:
        self._transport.close()
