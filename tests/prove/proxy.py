"""A small TCP proxy that carries everything between two parties, and fails on order.

Faults: ``delay`` holds every piece back for a moment, ``reset`` cuts all connections with RST and refuses new ones,
``cut`` lets so many bytes of an answer through and then resets, ``black_hole`` takes everything and passes nothing on
until it is over, and then resets what it swallowed.
"""

import asyncio
import contextlib
import random
import socket
import struct
from dataclasses import dataclass
from enum import StrEnum

PIECE = 64 * 1024


class LinkFault(StrEnum):
    """What is wrong with a link."""

    DELAY = "delay"
    RESET = "reset"
    CUT = "cut"
    BLACK_HOLE = "black_hole"


@dataclass(eq=False)
class _Pair:
    """One connection through the proxy."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    answered: int = 0

    def reset(self) -> None:
        for writer in (self.client, self.server):
            _reset(writer)


class Proxy:
    """Listens on a free port and passes on to one of ``upstreams``; who does not answer is passed over."""

    def __init__(self, name: str, upstreams: list[int], chance: random.Random) -> None:
        self.name = name
        self._upstreams = upstreams
        self._chance = chance
        self._pairs: set[_Pair] = set()
        self._fault: LinkFault | None = None
        self._amount = 0.0
        self._server: asyncio.Server | None = None
        self._clear = asyncio.Event()
        self._clear.set()

    @property
    def port(self) -> int:
        """Where it listens."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    async def start(self) -> None:
        """Begin to listen."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=256)

    async def stop(self) -> None:
        """Listen no more and drop what is open."""
        if self._server is not None:
            self._server.close()
        self._drop_all()

    def fail(self, fault: LinkFault, amount: float) -> None:
        """Begin to fail. ``amount`` is seconds for ``delay`` and bytes for ``cut``."""
        self._fault, self._amount = fault, amount
        self._clear.clear()
        if fault is LinkFault.RESET:
            self._drop_all()
        for pair in self._pairs:
            pair.answered = 0

    def mend(self) -> None:
        """Work again; what a black hole swallowed is reset."""
        if self._fault is LinkFault.BLACK_HOLE:
            self._drop_all()
        self._fault = None
        self._clear.set()

    def _drop_all(self) -> None:
        for pair in list(self._pairs):
            pair.reset()
        self._pairs.clear()

    async def _serve(self, from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        if self._fault is LinkFault.RESET:
            _reset(to_client)
            return
        connected = await self._connect()
        if connected is None:
            _reset(to_client)
            return
        from_server, to_server = connected
        pair = _Pair(to_client, to_server)
        self._pairs.add(pair)
        try:
            await asyncio.gather(
                self._carry(from_client, to_server, pair, answers=False),
                self._carry(from_server, to_client, pair, answers=True),
            )
        except OSError:
            pair.reset()
        finally:
            self._pairs.discard(pair)
            for writer in (to_client, to_server):
                with contextlib.suppress(OSError):
                    writer.close()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        for port in self._chance.sample(self._upstreams, len(self._upstreams)):
            with contextlib.suppress(OSError):
                return await asyncio.open_connection("127.0.0.1", port)
        return None

    async def _carry(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, pair: _Pair, *, answers: bool
    ) -> None:
        while piece := await source.read(PIECE):
            if self._fault is LinkFault.DELAY:
                await asyncio.sleep(self._amount)
            elif self._fault is LinkFault.BLACK_HOLE:
                await self._clear.wait()
                raise ConnectionResetError
            elif self._fault is LinkFault.CUT and answers:
                left = max(0, int(self._amount) - pair.answered)
                if left < len(piece):
                    target.write(piece[:left])
                    await target.drain()
                    raise ConnectionResetError
                pair.answered += len(piece)
            target.write(piece)
            await target.drain()
        if target.can_write_eof():
            target.write_eof()


def _reset(writer: asyncio.StreamWriter) -> None:
    """RST in place of an orderly end."""
    connection = writer.get_extra_info("socket")
    if connection is not None:
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
