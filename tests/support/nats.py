"""A NATS server with JetStream for tests: the one that is there, or one of a test's own that goes and comes back."""

import asyncio
import os
import secrets
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import nats
import nats.errors
import orjson
from aiohttp import web
from nats.aio.client import Client
from nats.js.errors import NotFoundError

from adapters.channels.nats_link import NatsLink, StreamLimits
from adapters.channels.posting import parse_retry_after
from schemas.nats import address, events_of, events_stream, receipt_subject, receipts_stream
from tests.support.receivers import Behave, Received
from tests.support.require import skip_or_fail
from tests.support.storage import NOON
from tests.support.waiting import eventually

SERVER = os.environ.get("BANDIAN_TEST_NATS", "nats://127.0.0.1:4222")
SMALL = StreamLimits(events_bytes=4 * 1024 * 1024, receipts_bytes=1024 * 1024)


def new_prefix() -> str:
    """Streams of a test's own on a server that others use."""
    return f"t{secrets.token_hex(6)}"


def program() -> str:
    """The server's program; skips where there is none."""
    return shutil.which("nats-server", path=os.defpath + ":/usr/sbin:/usr/local/bin") or skip_or_fail(
        "no nats-server is installed"
    )


@asynccontextmanager
async def client(url: str = SERVER) -> AsyncIterator[Client]:
    """Skips where no server answers at ``BANDIAN_TEST_NATS``."""
    try:
        made = await nats.connect(url, connect_timeout=2, allow_reconnect=False, error_cb=_quiet)
    except (nats.errors.Error, OSError, TimeoutError):
        skip_or_fail("no NATS server answers at BANDIAN_TEST_NATS")
    try:
        yield made
    finally:
        await made.close()


@asynccontextmanager
async def linked(prefix: str, url: str = SERVER, limits: StreamLimits = SMALL) -> AsyncIterator[NatsLink]:
    """A gateway's link; its streams are removed afterwards."""
    async with client(url) as admin:
        link = NatsLink(url, prefix, limits)
        try:
            yield link
        finally:
            await link.close()
            for stream in (events_stream(prefix), receipts_stream(prefix)):
                with suppress(NotFoundError):
                    await admin.jetstream().delete_stream(stream)


@dataclass
class NatsReceiver:
    """As ``tests.support.receivers.Receiver``: what ``behave`` answers over HTTP is published, errors as problems."""

    url: str
    behave: Behave
    received: list[Received] = field(default_factory=list)


@asynccontextmanager
async def nats_receiver(prefix: str, utility: str, behave: Behave, url: str = SERVER) -> AsyncIterator[NatsReceiver]:
    """Answer every event of ``utility`` as it is published, until the block ends."""
    made = NatsReceiver(f"nats:{address(prefix, utility)}", behave)
    async with client(url) as own:

        async def on_event(message: nats.aio.msg.Msg) -> None:
            headers = {name.lower(): value for name, value in (message.headers or {}).items()}
            got = Received(headers, message.data, None)  # type: ignore[arg-type]
            made.received.append(got)
            answer = await made.behave(got)
            await own.publish(receipt_subject(prefix, utility, headers["webhook-id"]), _published(answer))

        await own.subscribe(events_of(prefix, utility), cb=on_event)
        await own.flush()
        yield made


def _published(answer: web.StreamResponse) -> bytes:
    assert isinstance(answer, web.Response)
    if answer.status < 400:
        return bytes(answer.body or b"")  # type: ignore[arg-type]
    retry_after = parse_retry_after(answer.headers.get("Retry-After"), NOON)
    told = {"status": answer.status} | ({} if retry_after is None else {"retry_after": retry_after})
    return orjson.dumps(told)


@dataclass
class OwnServer:
    """A server on a port of its own, whose files survive a restart unless they are removed."""

    directory: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    def start(self) -> None:
        """And wait until it listens."""
        command = [program(), "-js", "-a", "127.0.0.1", "-p", str(self.port), "-sd", str(self.directory)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        eventually(self._listens, seconds=20)

    def kill(self) -> None:
        """As a crash would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)
            self.process = None

    def _listens(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False


@contextmanager
def own_server(directory: Path) -> Iterator[OwnServer]:
    """Started; killed afterwards."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    made = OwnServer(directory, port)
    made.start()
    try:
        yield made
    finally:
        made.kill()


async def _quiet(_error: Exception) -> None:
    await asyncio.sleep(0)
