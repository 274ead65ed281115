"""The lane's protocol answers byte for byte what uvicorn's own would, whatever comes over the connection."""

import asyncio
import contextlib
import gc
import json
import socket
import weakref
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import uvicorn
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.caller import Caller, ProofUse
from gateway.errors import Owner
from gateway.http.app import HttpApp
from gateway.http.callers import Doorkeeper
from gateway.http.door import hang_door
from gateway.http.limits import RateLimits, peer_of
from gateway.http.metrics import HttpMetrics
from gateway.http.protocol import LaneProtocol
from gateway.http.services import Services, publish
from gateway.licences.errors import NoOpenStage
from gateway.licences.router import ExpressLicences, router
from gateway.licences.service import LicenceService
from schemas.partner_api import VerifiedLicenceRequest
from tests.support.door import PUBLIC_URL, NamedGate
from tests.support.storage import SetClock

PATH = "/v1/verified-licences"
MOST_BODY = 100_000
ASKED = {"application_id": "app_1", "kind": "business_licence", "purpose": "grid_connection"}
BODY = json.dumps(ASKED).encode()
OVER = json.dumps({**ASKED, "application_id": "app_over"}).encode()


class Answering(LicenceService):
    """Answers at once, or once ``let_go`` is set; the application ``app_over`` is closed."""

    def __init__(self) -> None:
        self.let_go = asyncio.Event()
        self.let_go.set()
        self.asked: list[str] = []

    async def answer(self, caller: Caller, request: VerifiedLicenceRequest, use: ProofUse | None = None) -> str:
        self.asked.append(request.application_id)
        await self.let_go.wait()
        if request.application_id == "app_over":
            raise NoOpenStage(check="licence.closed", owner=Owner.UTILITY, remedy="申请已办结", clause="第（六）条")
        return f"header.{request.application_id}.signature"


@dataclass
class Served:
    """A server on a port of its own."""

    port: int
    server: uvicorn.Server
    service: Answering
    metrics: HttpMetrics = field(default_factory=HttpMetrics)

    async def exchange(self, *pieces: bytes, last: bytes) -> bytes:
        """All that is answered to ``pieces``, sent one by one, and to a ``last`` request that ends the connection.

        Over a bare socket: what was answered before a connection is reset can be read all the same.
        """
        loop, told = asyncio.get_running_loop(), b""
        with socket.socket() as connection:
            connection.setblocking(False)
            await loop.sock_connect(connection, ("127.0.0.1", self.port))
            with contextlib.suppress(ConnectionError):
                for piece in (*pieces, last):
                    await loop.sock_sendall(connection, piece)
                    await asyncio.sleep(0.002 if len(pieces) > 1 else 0)
            with contextlib.suppress(ConnectionError):
                while more := await asyncio.wait_for(loop.sock_recv(connection, 65536), 30):
                    told += more
        return told


class WhoAsks:
    """An express route that answers the address that its caller has."""

    method, path, status = "POST", "/who", 200
    taken_as, media_type = b"application/json", b"text/plain"

    def take(self, body: bytes) -> bytes:
        return body

    async def answer(self, scope: Scope, asked: bytes) -> bytes:
        return peer_of(scope).encode()


@contextlib.asynccontextmanager
async def served(protocol: type[asyncio.Protocol], *, behind_proxy: bool = False) -> AsyncIterator[Served]:
    app, service, metrics = HttpApp(docs_url=None, redoc_url=None), Answering(), HttpMetrics()
    services = Services(Doorkeeper(NamedGate(), SetClock(), PUBLIC_URL), RateLimits())
    services._by_type[LicenceService] = service
    publish(app, services)
    app.include_router(router)
    hang_door(app, metrics, https=True, max_body_bytes=MOST_BODY, express=[ExpressLicences(), WhoAsks()])
    config = uvicorn.Config(
        app,
        http=protocol,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        ws="none",
        proxy_headers=behind_proxy,
        forwarded_allow_ips="127.0.0.1",
        timeout_graceful_shutdown=5,
    )
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    listener = socket.create_server(("127.0.0.1", 0))
    serving = asyncio.create_task(server._serve([listener]))
    while not server.started:  # noqa: ASYNC110 - uvicorn tells nobody
        await asyncio.sleep(0.005)
    try:
        yield Served(listener.getsockname()[1], server, service, metrics)
    finally:
        service.let_go.set()
        server.should_exit = True
        await serving


def request(body: bytes = BODY, *lines: str, target: str = PATH, version: str = "1.1", method: str = "POST") -> bytes:
    given_lines = lines or ("Content-Type: application/json", "Authorization: Test csg utility")
    head = [f"{method} {target} HTTP/{version}", "Host: gateway", *given_lines]
    if not any(line.lower().startswith(("content-length", "transfer-encoding")) for line in head):
        head.append(f"Content-Length: {len(body)}")
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


def alike(told: bytes) -> list[tuple[bytes, list[bytes], bytes]]:
    """Each response: status line, sorted header lines but for date and identifier, body."""
    responses = []
    while told:
        head, _, rest = told.partition(b"\r\n\r\n")
        status, *lines = head.split(b"\r\n")
        kept = sorted(line.lower() for line in lines if not line.lower().startswith((b"date:", b"x-request-id:")))
        length = next((int(line[15:]) for line in kept if line.startswith(b"content-length:")), 0)
        responses.append((status, kept, rest[:length]))
        told = rest[length:]
    return responses


LAST = request(b"", "Accept: */*", "Connection: close", target="/last", method="GET")
AS_UTILITY = ("Content-Type: application/json", "Authorization: Test csg utility")
LONG = request(json.dumps({**ASKED, "fields": ["x" * 70_000]}).encode())
CASES: dict[str, tuple[bytes, ...]] = {
    "plain": (request(),),
    "names in capitals": (request(BODY, "CONTENT-TYPE: application/json", "AUTHORIZATION: Test csg utility"),),
    "refused": (request(OVER),),
    "nobody": (request(BODY, "Content-Type: application/json"),),
    "byte by byte": tuple(request()[start : start + 9] for start in range(0, len(request()), 9)),
    "head, then body": (request()[: -len(BODY)], BODY),
    "two behind each other": (request() + request(OVER) + request(),),
    "two, the second in pieces": (request() + request()[:60], request()[60:]),
    "one that the lane leaves between two": (request() + request(b"{") + request(),),
    "another route behind": (request() + request(b"", "Accept: */*", target="/nowhere", method="GET"),),
    "to be closed": (request(BODY, *AS_UTILITY, "Connection: close") + request(),),
    "HTTP/1.0": (request(version="1.0"),),
    "HTTP/1.0, to be kept": (request(BODY, *AS_UTILITY, "Connection: keep-alive", version="1.0"),),
    "expects to be told to go on": (request(BODY, *AS_UTILITY, "Expect: 100-continue"),),
    "chunked": (request(b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY), *AS_UTILITY, "Transfer-Encoding: chunked"),),
    "no length": (request(b"", *AS_UTILITY, "Transfer-Encoding: identity"),),
    "two media types": (request(BODY, *AS_UTILITY, "Content-Type: text/plain"),),
    "more than is taken at once": (LONG,),
    "more than is taken at once, in two pieces": (LONG[:68_000], LONG[68_000:]),
    "too much": (request(b"x" * (MOST_BODY + 1)),),
    "query": (request(target=f"{PATH}?a=b"),),
    "absolute": (request(target=f"http://gateway{PATH}"),),
    "escaped": (request(target="/v1/verified%2Dlicences"),),
    "no HTTP": (b"hello\r\n\r\n",),
    "no HTTP behind": (request() + b"hello\r\n\r\n",),
    "not yet whole": (request()[:-5],),
}


CLOSING = {"to be closed", "HTTP/1.0", "HTTP/1.0, to be kept", "no HTTP", "no HTTP behind", "no length"}
"""After these the server closes. What is sent to it then resets the connection, and what was on its way may be lost."""
GOING_ON = sorted(CASES.keys() - CLOSING - {"not yet whole"})


@pytest.mark.parametrize("case", CASES)
async def test_what_is_answered_is_what_uvicorn_answers(case: str) -> None:
    async with served(LaneProtocol) as ours, served(HttpToolsProtocol) as theirs:
        last = b"" if case in CLOSING else LAST
        told, expected = await asyncio.gather(*(each.exchange(*CASES[case], last=last) for each in (ours, theirs)))
        assert alike(told) == alike(expected)
        assert ours.service.asked == theirs.service.asked
        assert _counted(ours.metrics) == _counted(theirs.metrics)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.sampled_from(GOING_ON), min_size=1, max_size=4), st.lists(st.integers(1, 2000), max_size=6))
def test_whatever_comes_behind_each_other_and_however_it_is_cut(cases: list[str], cuts: list[int]) -> None:
    sent = b"".join(b"".join(CASES[case]) for case in cases)
    pieces = [sent[start:end] for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), None], strict=True)]

    async def compare() -> None:
        async with served(LaneProtocol) as ours, served(HttpToolsProtocol) as theirs:
            told = await asyncio.gather(*(each.exchange(*pieces, last=LAST) for each in (ours, theirs)))
            assert alike(told[0]) == alike(told[1])
            assert ours.service.asked == theirs.service.asked

    asyncio.run(compare())


async def test_one_that_is_asked_while_the_other_is_answered_waits_for_its_turn() -> None:
    async with served(LaneProtocol) as ours:
        ours.service.let_go.clear()
        asking = asyncio.create_task(ours.exchange(request() + request(OVER), last=LAST))
        await _until(lambda: ours.service.asked == ["app_1"])
        await asyncio.sleep(0.05)
        assert ours.service.asked == ["app_1"]
        ours.service.let_go.set()
        first, second, _ = alike(await asking)
        assert first[0] == b"HTTP/1.1 200 OK"
        assert second[0].startswith(b"HTTP/1.1 422 ")


@pytest.mark.parametrize("behind_proxy", [False, True])
async def test_who_asks_is_whom_a_trusted_proxy_names(behind_proxy: bool) -> None:
    """Else whatever comes through the proxy would be counted against the proxy itself."""
    asked = request(b"{}", "Content-Type: application/json", "X-Forwarded-For: 203.0.113.7", target="/who")
    async with served(LaneProtocol, behind_proxy=behind_proxy) as ours:
        told, _ = alike(await ours.exchange(asked, last=LAST))
    assert told[2] == (b"203.0.113.7" if behind_proxy else b"127.0.0.1")


async def test_a_server_that_ends_answers_what_it_began_and_closes() -> None:
    async with served(LaneProtocol) as ours:
        ours.service.let_go.clear()
        asking = asyncio.create_task(ours.exchange(request(), last=b""))
        await _until(lambda: ours.service.asked == ["app_1"])
        ours.server.should_exit = True
        await asyncio.sleep(0.2)
        ours.service.let_go.set()
        ((status, lines, body),) = alike(await asking)
    assert (status, body) == (b"HTTP/1.1 200 OK", b"header.app_1.signature")
    assert b"connection: close" in lines


async def test_a_caller_who_goes_away_is_counted_and_his_connection_forgotten() -> None:
    async with served(LaneProtocol) as ours:
        ours.service.let_go.clear()
        _, writer = await asyncio.open_connection("127.0.0.1", ours.port)
        writer.write(request())
        await _until(lambda: ours.service.asked == ["app_1"])
        writer.close()
        await _until(lambda: not ours.server.server_state.connections)
        ours.service.let_go.set()
        await _until(lambda: not ours.server.server_state.tasks)
        assert ours.metrics.in_flight == 0
        assert _counted(ours.metrics)["POST", PATH, "200"] == 1.0


@pytest.mark.parametrize("sent", [request(), request()[:-5]], ids=["answered", "never whole"])
async def test_a_connection_that_ended_is_kept_by_nobody(sent: bytes) -> None:
    async with served(LaneProtocol) as ours:
        gc.collect()
        gc.disable()
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", ours.port)
            writer.write(sent)
            await _until(lambda: any(each.cycle is not None for each in ours.server.server_state.connections))
            (connection,) = map(weakref.ref, ours.server.server_state.connections)
            writer.close()
            await _until(lambda: not ours.server.server_state.connections)
            await _until(lambda: connection() is None)
        finally:
            gc.enable()


async def test_a_connection_that_rests_is_let_go_of() -> None:
    async with served(LaneProtocol) as ours:
        ours.server.config.timeout_keep_alive = 1  # type: ignore[assignment]
        reader, writer = await asyncio.open_connection("127.0.0.1", ours.port)
        for _ in range(3):  # the third comes later than the first may rest: each begins its time anew
            writer.write(request())
            assert b"signature" in await asyncio.wait_for(reader.read(65536), 5)
            await asyncio.sleep(0.7)
        assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 - what is waited for tells nobody
            await asyncio.sleep(0.005)


def _counted(metrics: HttpMetrics) -> dict[tuple[Any, ...], float]:
    return {
        (sample.labels["method"], sample.labels["route"], sample.labels["status"]): sample.value
        for family in metrics.registry.collect()
        for sample in family.samples
        if sample.name == "bandian_http_requests_total"
    }
