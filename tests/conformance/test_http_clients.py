"""The lean HTTP client against a server that speaks raw bytes, held to what the one on httpx does."""

import asyncio
import re
import socket
import ssl
from contextlib import ExitStack, asynccontextmanager

import pytest
import uvloop
from hypothesis import example, given
from hypothesis import strategies as st

from adapters import http_wire
from adapters.http_client import ExchangeFailed, FixedHeaders, HttpLimits, HttpRequest
from adapters.http_wire import WireClient, write
from adapters.httpx_client import HttpxClient
from gateway.errors import PartnerUnavailable
from tests.support.resetting import resetting_server
from tests.support.tiny_tls import tls_server

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\n"
WHOLE = HEAD + b"Content-Length: 3\r\n\r\nabc"


class Peer:
    """Answers each request with the next of ``replies`` (the last again and again): bytes, or a coroutine function."""

    def __init__(self, replies):
        self.replies, self.asked, self.connections, self.url, self.open = list(replies), [], 0, "", set()

    async def talk(self, reader, writer):
        self.connections += 1
        self.open.add(writer)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = next(
                    (int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if b"content-length" in line), 0
                )
                self.asked.append(head + await reader.readexactly(length))
                reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
                if isinstance(reply, bytes):
                    writer.write(reply)
                else:
                    await reply(writer)
                if writer.is_closing():
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.open.discard(writer)
            writer.close()


@asynccontextmanager
async def peer_with(*replies, tls=None, host="127.0.0.1"):
    peer = Peer(replies)
    server = await asyncio.start_server(peer.talk, "127.0.0.1", 0, ssl=tls)
    peer.url = f"{'https' if tls else 'http'}://{host}:{server.sockets[0].getsockname()[1]}"
    try:
        yield peer
    finally:
        server.close()
        for writer in list(peer.open):
            writer.close()


async def no_wait(_):
    pass


@pytest.fixture(params=[HttpxClient, WireClient])
async def client(request):
    made = patient(request.param, 30)
    yield made
    await made.aclose()


def patient(kind, seconds):
    return kind(HttpLimits(attempt=seconds, connect=5), sleep=no_wait, jitter=lambda: 1.0)


async def get(client, peer, *, idempotent=True, most=1000, path="/things?x=1"):
    return await client.send(HttpRequest("GET", peer.url + path, {"accept": "a/b"}, b"", idempotent, most), partner="p")


async def check_of(client, peer, **how):
    with pytest.raises(PartnerUnavailable) as failed:
        await get(client, peer, **how)
    return failed.value.check


async def closing(writer, *pieces):
    for piece in pieces:
        writer.write(piece)
    await writer.drain()
    writer.close()


def then_closed(*pieces):
    return lambda writer: closing(writer, *pieces)


def in_pieces(data):
    async def drip(writer):
        for at in range(len(data)):
            writer.write(data[at : at + 1])
            await writer.drain()
            await asyncio.sleep(0)

    return drip


CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n2;ext=1\r\nbc\r\n0\r\nTrailer: x\r\n\r\n"


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(WHOLE, id="counted"),
        pytest.param(CHUNKED, id="chunked"),
        pytest.param(in_pieces(WHOLE), id="byte by byte"),
        pytest.param(in_pieces(CHUNKED), id="chunked, byte by byte"),
        pytest.param(b"HTTP/1.1 100 Continue\r\nX: y\r\n\r\n" + WHOLE, id="announced"),
        pytest.param(then_closed(HEAD + b"\r\nabc"), id="ended by the connection"),
        pytest.param(then_closed(HEAD + b"Connection: close\r\nContent-Length: 3\r\n\r\nabc"), id="said to end"),
        pytest.param(then_closed(b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\nabc"), id="of HTTP/1.0"),
    ],
)
async def test_a_reply_comes_whole_however_it_is_cut(client, reply):
    async with peer_with(reply) as peer:
        for _ in range(2):
            got = await get(client, peer)
            assert (got.status, got.media_type, got.body) == (200, "application/json", b"abc")
            assert not {"x", "trailer"} & set(got.headers)


async def test_what_is_asked_is_one_plain_request(client):
    async with peer_with(WHOLE) as peer:
        await get(client, peer)
        post = HttpRequest("POST", f"{peer.url}/中?q=a b", {"Content-Type": "a/b"}, b"{}")
        await client.send(post, partner="p")
        await client.send(HttpRequest("POST", f"{peer.url}/", {}, b""), partner="p")
    seen = []
    for asked in peer.asked:
        head, _, body = asked.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        headers.pop("connection", None)
        assert headers.pop("host") == peer.url.removeprefix("http://")
        assert (headers.pop("user-agent"), headers.pop("accept-encoding")) == ("bandian-gateway", "identity")
        seen.append((first, headers, body))
    assert seen == [
        ("GET /things?x=1 HTTP/1.1", {"accept": "a/b"}, b""),
        (
            "POST /%E4%B8%AD?q=a%20b HTTP/1.1",
            {"accept": "*/*", "content-type": "a/b", "content-length": "2"},
            b"{}",
        ),
        ("POST / HTTP/1.1", {"accept": "*/*", "content-length": "0"}, b""),
    ]


async def test_connections_are_kept_and_none_is_used_that_the_server_let_go_of(client):
    async with peer_with(WHOLE) as peer:
        for _ in range(3):
            await get(client, peer, idempotent=False)
        assert peer.connections == 1
        for writer in list(peer.open):
            writer.close()
        await asyncio.sleep(0.05)
        await get(client, peer, idempotent=False)
        assert peer.connections == 2


async def test_many_at_once_each_get_their_own_reply(client):
    async def echo(writer):
        path = peer.asked[-1].split(b" ")[1]
        writer.write(HEAD + b"Content-Length: %d\r\n\r\n%b" % (len(path), path))

    async with peer_with(echo) as peer:
        replies = await asyncio.gather(*(get(client, peer, path=f"/{number}") for number in range(40)))
        assert [reply.body for reply in replies] == [b"/%d" % number for number in range(40)]
        assert peer.connections <= 40


@pytest.mark.parametrize(
    ("reply", "check", "tries"),
    [
        (b"HTTP/1.1 503 Later\r\nContent-Length: 0\r\n\r\n", "http.throttled", 3),
        (b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n", "http.status", 3),
        (b"HTTP/1.1 501 Oh\r\nContent-Length: 0\r\n\r\n", "http.status", 1),
        (b"HTTP/1.1 302 There\r\nLocation: http://evil.example/\r\nContent-Length: 0\r\n\r\n", "http.status", 1),
        (HEAD + b"Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc", "http.encoding", 1),
        (HEAD + b"Content-Length: 1001\r\n\r\n" + b"x" * 1001, "http.oversize", 1),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n7d0\r\n" + b"x" * 2000 + b"\r\n0\r\n\r\n", "http.oversize", 1),
        (then_closed(HEAD + b"\r\n" + b"x" * 1001), "http.oversize", 1),
        (then_closed(HEAD + b"Content-Length: 9\r\n\r\nabc"), "http.connection", 3),
        (then_closed(HEAD + b"Transfer-Encoding: chunked\r\n\r\n9\r\nabc"), "http.connection", 3),
        (then_closed(), "http.connection", 3),
        (b"SSH-2.0-OpenSSH_9\r\n\r\n", "http.connection", 3),
        (HEAD + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc", "http.connection", 3),
        (HEAD + b"Content-Length: 3\r\nX y\r\n\r\nabc", "http.connection", 3),
        (b"HTTP/1.1 200 OK\r\n" + b"x: " + b"y" * 200_000, "http.connection", 3),
        (b"HTTP/1.1 200 OK\r\n", "http.timeout", 3),
        (HEAD + b"Content-Length: 4\r\n\r\nabc", "http.timeout", 3),
    ],
)
async def test_what_is_no_reply_is_told_apart_and_tried_again_where_that_may_help(client, reply, check, tries):
    asking = patient(type(client), 1.0 if check == "http.timeout" else 30)
    async with peer_with(reply) as peer:
        assert await check_of(asking, peer) == check
        assert len(peer.asked) == tries
    await asking.aclose()


@pytest.mark.parametrize("client", [WireClient], indirect=True)
async def test_a_connection_is_not_given_away(client):
    """As httpx does, which reads an empty body then."""
    async with peer_with(b"HTTP/1.1 101 Other\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n") as peer:
        assert await check_of(client, peer) == "http.connection"


async def test_a_second_try_that_succeeds_is_the_answer(client):
    async with peer_with(then_closed(HEAD), WHOLE) as peer:
        assert (await get(client, peer)).body == b"abc"


async def test_a_client_error_is_a_reply_and_its_connection_is_kept(client):
    async with peer_with(b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 204 No\r\n\r\n") as peer:
        assert [(await get(client, peer)).status for _ in range(2)] == [404, 204]
        assert peer.connections == 1


async def test_lines_of_one_name_are_one_value(client):
    async with peer_with(HEAD + b"X: a\r\nx: b\r\nContent-Length: 0\r\n\r\n") as peer:
        assert (await get(client, peer)).headers["x"] == "a, b"


async def test_nobody_there_and_nobody_known(client):
    async with peer_with(WHOLE) as peer:
        pass
    assert await check_of(client, peer) == "http.connection"
    peer.url = "http://no-such-host.invalid"
    assert await check_of(client, peer) in ("http.connection", "http.timeout")
    for peer.url in ("no address", "ftp://127.0.0.1", "http://"):
        assert await check_of(client, peer, path="") in ("http.malformed", "http.connection")


@pytest.mark.parametrize(
    ("kind", "run"), [(HttpxClient, asyncio.run), (WireClient, asyncio.run), (WireClient, uvloop.run)]
)
def test_a_connection_that_is_reset_as_it_is_made_is_none(kind, run):
    """Not asked of httpx on uvloop, which raises AttributeError there: whoever uses it runs on another loop."""

    async def ask(server):
        client = patient(kind, 30)
        for _ in range(100):
            with pytest.raises(PartnerUnavailable) as failed:
                await client.send(HttpRequest("POST", server.url, {}, b"x" * 1000, True, 1000), partner="p")
            assert failed.value.check == "http.connection"
        await client.aclose()

    with resetting_server() as server:
        run(ask(server))
        assert server.count >= 300, "each was tried three times"


@pytest.mark.parametrize("headers", [{"x": "a\r\ny: b"}, {"x\r\ny": "b"}, {"x": "值"}, {"x y": "b"}])
async def test_a_header_that_would_be_two_is_not_sent(client, headers):
    async with peer_with(WHOLE) as peer:
        with pytest.raises(PartnerUnavailable):
            await client.send(HttpRequest("GET", peer.url, headers), partner="p")
        assert not any(b"\r\ny: b" in asked for asked in peer.asked)


async def test_a_caller_who_goes_away_takes_the_connection_with_him(client):
    begun = asyncio.Event()

    async def in_part(writer):
        writer.write(HEAD + b"Content-Length: 9\r\n\r\nabc")
        begun.set()

    async with peer_with(in_part, WHOLE) as peer:
        asking = asyncio.create_task(get(client, peer))
        await begun.wait()
        await asyncio.sleep(0.1)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert (await get(client, peer)).body == b"abc"
        assert peer.connections == 2


async def test_bytes_that_nobody_asked_for_are_nobodys_reply():
    """httpx takes them for the reply to what is asked next."""
    client = WireClient()
    evil = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
    async with peer_with(WHOLE + evil, WHOLE) as peer:
        assert (await get(client, peer)).body == b"abc"
        assert (await get(client, peer)).body == b"abc"
    await client.aclose()


async def test_no_more_connections_at_once_than_allowed():
    most = 0

    async def slowly(writer):
        nonlocal most
        most = max(most, len(peer.open))
        await asyncio.sleep(0.01)
        writer.write(WHOLE)

    client = WireClient(HttpLimits(connections=3))
    async with peer_with(slowly) as peer:
        await asyncio.gather(*(get(client, peer) for _ in range(12)))
        assert (most, peer.connections, len(peer.asked)) == (3, 3, 12)
    await client.aclose()


async def test_who_waits_for_a_place_has_no_more_time_than_who_has_it():
    client = WireClient(HttpLimits(connections=1, attempt=0.2, attempts=1))
    async with peer_with(b"HTTP/1.1 200 OK\r\n") as silent:
        assert await asyncio.gather(check_of(client, silent), check_of(client, silent)) == ["http.timeout"] * 2
    async with peer_with(WHOLE) as peer:
        assert (await get(client, peer)).body == b"abc"
    await client.aclose()


async def test_an_address_that_is_silent_does_not_keep_the_next_one(monkeypatch):
    """A full backlog: the system takes no further connection, and says nothing."""
    client, loop = WireClient(HttpLimits(connect=2, attempts=1)), asyncio.get_running_loop()
    with socket.socket() as full, ExitStack() as waiting:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(3):
            each = waiting.enter_context(socket.socket())
            each.setblocking(False)
            each.connect_ex(full.getsockname())
        async with peer_with(WHOLE) as peer:
            there = ("127.0.0.1", int(peer.url.rpartition(":")[2]))
            addresses = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", each) for each in (full.getsockname(), there)]

            async def found(*_, **__):
                return addresses

            monkeypatch.setattr(type(loop), "getaddrinfo", found)
            assert (await get(client, peer)).body == b"abc"
            addresses.pop()
            peer.url = peer.url.replace("127.0.0.1", "other.example")
            assert await check_of(client, peer) == "http.timeout"
    await client.aclose()


async def test_an_idle_connection_is_let_go_of_after_a_while(monkeypatch):
    monkeypatch.setattr("adapters.http_wire.IDLE_S", 0.05)
    client = WireClient()
    async with peer_with(WHOLE) as peer:
        await get(client, peer)
        await asyncio.sleep(0.1)
        await get(client, peer)
        assert peer.connections == 2
    await client.aclose()


async def test_a_server_must_be_whom_it_says(tmp_path):
    context, trusted = tls_server(tmp_path, "localhost")
    knowing = ssl.create_default_context(cafile=str(trusted))
    async with peer_with(WHOLE, tls=context, host="localhost") as peer:
        for trusting, expected in ((knowing, b"abc"), (None, "http.connection")):
            client = WireClient(HttpLimits(attempts=1), trusting=trusting, sleep=no_wait)
            got = (await get(client, peer)).body if trusting else await check_of(client, peer)
            assert got == expected
            await client.aclose()
        client = WireClient(HttpLimits(attempts=1), trusting=knowing, sleep=no_wait)
        peer.url = peer.url.replace("localhost", "127.0.0.1")
        assert await check_of(client, peer) == "http.connection"
        await client.aclose()


_SEGMENT = st.text("abcXYZ019_~-.%+:@", min_size=1, max_size=6)


@given(
    scheme=st.sampled_from(["http", "https", "HTTP", "ftp"]),
    host=st.sampled_from(["a.example", "127.0.0.1", "A.example", "[::1]", "a..b", "x_y", "u@a.example"])
    | st.text("0129a.-", min_size=1, max_size=10)
    | st.tuples(*[st.integers(0, 300).map(str)] * 4).map(".".join),
    port=st.sampled_from(["", ":80", ":443", ":8080", ":59999", ":60000", ":65536", ":99999", ":0", ":080", ":"]),
    path=st.lists(_SEGMENT, max_size=4).map(lambda parts: "".join(f"/{part}" for part in parts)),
    end=st.sampled_from(["", "/", "?", "?a=b", "#f", "\n"]),
)
@example(scheme="http", host="a.example", port="", path="/a/../b", end="")
@example(scheme="http", host="a.example", port="", path="/./b", end="")
@example(scheme="http", host="a.example", port="", path="/..b/.", end="")
def test_what_is_read_quickly_of_an_address_is_what_httpx_reads(scheme, host, port, path, end):
    request = HttpRequest("GET", f"{scheme}://{host}{port}{path}{end}", {}, b"", True, 1)

    def written():
        try:
            return http_wire.write(request)
        except ExchangeFailed as failed:
            return failed.check

    quick = written()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(http_wire, "_PLAIN", re.compile("(?!)"))
        assert quick == written()


@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
def test_headers_that_are_always_the_same_are_written_as_any_others(method: str) -> None:
    headers, fixed = {"content-type": "application/json"}, FixedHeaders({"content-type": "application/json"})
    for body in (b"{}", b'{"more":1}'):
        one, other = (HttpRequest(method, "http://gateway.test/path", each, body) for each in (headers, fixed))
        assert write(one) == write(other)
    broken = FixedHeaders({"x": "a\r\nhost: another"})
    for _ in range(2):
        with pytest.raises(ExchangeFailed):
            write(HttpRequest(method, "http://gateway.test/path", broken))
