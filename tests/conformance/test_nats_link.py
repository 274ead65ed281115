"""The connection to NATS against a real server: what ends it for good does not end the channel."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

from adapters.channels.nats_link import NatsDown
from tests.support.nats import SERVER, linked, new_prefix

UTILITY = "csg-guangzhou"


@asynccontextmanager
async def between() -> AsyncIterator[tuple[str, list[asyncio.StreamWriter]]]:
    """A port that leads to the server, and who came by it; whoever is still there at the end is sent away."""
    came: list[asyncio.StreamWriter] = []
    leading: set[asyncio.Task[None]] = set()
    server = urlsplit(SERVER)

    async def lead(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        beyond_reader, beyond_writer = await asyncio.open_connection(server.hostname, server.port)
        came.append(writer)
        try:
            await asyncio.gather(_copy(reader, beyond_writer), _copy(beyond_reader, writer))
        finally:
            for each in (writer, beyond_writer):
                each.close()
                with suppress(OSError):
                    await each.wait_closed()

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(lead(reader, writer))
        leading.add(task)

    async with await asyncio.start_server(begin, "127.0.0.1", 0) as listening:
        try:
            yield f"nats://127.0.0.1:{listening.sockets[0].getsockname()[1]}", came
        finally:
            for writer in came:
                writer.close()
            await asyncio.wait_for(asyncio.gather(*leading, return_exceptions=True), 10)


async def _copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
    sink.close()


async def test_a_connection_that_the_server_ended_for_good_is_opened_anew() -> None:
    """Such as credentials that expired and are renewed: the client then gives the connection up by itself."""
    async with between() as (url, came), linked(new_prefix(), url) as link:
        assert await link.stored_answer(UTILITY, "evt_1") is None
        _, own = came  # the other is who clears up
        own.write(b"-ERR 'User Authentication Expired'\r\n")
        ends = asyncio.get_running_loop().time() + 20
        while len(came) < 3:
            with suppress(NatsDown):
                await link.stored_answer(UTILITY, "evt_1")
            assert asyncio.get_running_loop().time() < ends, "it is not opened again"
            await asyncio.sleep(0.05)
        assert await link.stored_answer(UTILITY, "evt_1") is None
