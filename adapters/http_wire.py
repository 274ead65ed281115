"""The HTTP client of a serving process: HTTP/1.1 over its own connections, with a parser in C and nothing around it.

A licence that is fetched live asks its source twice for each answer; a general client costs several times what the
verification of a certificate does. ``tests/conformance/test_http_clients.py`` holds it to what httpx does, which reads
addresses that are not plain; a process that asks no such address does without its megabytes.
"""

import asyncio
import ipaddress
import re
import socket
import ssl
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from random import random
from typing import TYPE_CHECKING, NamedTuple

import certifi
from aiohappyeyeballs import start_connection

from adapters.http_client import (
    USER_AGENT,
    ExchangeFailed,
    FixedHeaders,
    HttpLimits,
    HttpReply,
    HttpRequest,
    TryingClient,
)
from adapters.http_connection import Connection, JudgeHead, Reply
from adapters.places import Places
from gateway.clock import Clock, system_clock

if TYPE_CHECKING:
    import httpx

NEXT_ADDRESS_S = 0.25
"""Seconds after which a server's next address is tried beside the one before (RFC 8305 §5)."""
IDLE_S = 5.0
"""Seconds after which an idle connection is not used again: servers let go of theirs at about that time."""
_NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_METHOD = re.compile(_NAME)
_LINES = re.compile(rf"(?:{_NAME}: [\t\x20-\x7e]*\r\n)*")
"""Header lines, each with a name (RFC 9110 §5.6.2) and a value."""
_PLAIN = re.compile(r"(https?://[a-z0-9.-]+(?::[0-9]+)?)((?:/[A-Za-z0-9_~-][A-Za-z0-9_.~-]*)+)")
"""Addresses whose path is written as it is sent: nothing to escape, no dot segments, no query."""
_PLAIN_SERVER = re.compile(r"(https?)://([a-z0-9.-]+)(?::([1-9][0-9]{0,3}|[1-5][0-9]{4}))?")
_LIKE_IPV4 = re.compile(r"[0-9]+(?:\.[0-9]+){3}")
_BODILESS = frozenset({"GET", "HEAD"})
_PORTS = {"http": 80, "https": 443}

Origin = tuple[str, str, int]
"""Scheme, host and port."""


class Sent:
    """``begun``: something of a request was handed to a connection. Before that nothing can take effect."""

    begun = False


class Wires:
    """Connections that are kept, by server, and exchanges over them.

    Redirects are not followed, proxies not used, bodies not unpacked, no cookies; an address with a user's name in it
    is malformed.
    """

    def __init__(self, connect_s: float, most_idle: int, trusting: Callable[[], ssl.SSLContext]) -> None:
        """``connect_s`` bounds the making of a connection, TLS and the look-up of its name among it; of each server
        ``most_idle`` are kept. ``trusting`` answers which servers are believed to be who they are.
        """
        self._connect_s, self._most_idle, self._trusting = connect_s, most_idle, trusting
        self._tls: ssl.SSLContext | None = None
        self._idle: dict[Origin, deque[tuple[float, Connection]]] = {}
        self._in_use: set[Connection] = set()

    def close(self) -> None:
        """Let go of every connection."""
        for kept in self._idle.values():
            for _, connection in kept:
                connection.close()
        self._idle.clear()
        for connection in list(self._in_use):
            connection.close()

    async def exchange(self, written: "Written", most: int, judge: JudgeHead, sent: Sent | None = None) -> Reply:
        """The reply, of ``most`` bytes of body; ``sent`` is told when the request begins to go.

        Raises ``ExchangeFailed``, what ``judge`` raised among them, or ``TimeoutError``.
        """
        connection = self._kept(written.origin) or await self._connect(written.origin)
        self._in_use.add(connection)
        try:
            if sent is not None:
                sent.begun = connection.reusable
            reply = await connection.ask(written.request, most, judge)
        except BaseException:
            connection.close()
            raise
        finally:
            self._in_use.discard(connection)
        if connection.reusable:
            self._keep(written.origin, connection)
        return reply

    def _kept(self, origin: Origin) -> Connection | None:
        """An idle connection that is still good, the one used last."""
        kept, now = self._idle.get(origin), time.monotonic()
        while kept:
            since, connection = kept.pop()
            if connection.reusable and now - since < IDLE_S:
                return connection
            connection.close()
        return None

    def _keep(self, origin: Origin, connection: Connection) -> None:
        now = time.monotonic()
        kept = self._idle.setdefault(origin, deque())
        kept.append((now, connection))
        while now - kept[0][0] >= IDLE_S or len(kept) > self._most_idle:
            kept.popleft()[1].close()

    async def _connect(self, origin: Origin) -> Connection:
        """A new connection. Raises ``ExchangeFailed`` or ``TimeoutError``."""
        try:
            async with asyncio.timeout(self._connect_s):
                return await self._reach(origin)
        except TimeoutError:
            raise
        except OSError:  # refused, unreachable, unknown; or not whom its certificate should say
            raise ExchangeFailed("http.connection") from None
        except ValueError:  # no name that could be looked up
            raise _malformed() from None

    async def _reach(self, origin: Origin) -> Connection:
        """To whichever of the server's addresses answers first: one that is silent does not keep the others."""
        scheme, host, port = origin
        loop, tls = asyncio.get_running_loop(), self._tls_context() if scheme == "https" else None
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        opened = await start_connection(found, happy_eyeballs_delay=NEXT_ADDRESS_S, interleave=1)
        try:
            _, connection = await loop.create_connection(
                Connection, sock=opened, ssl=tls, server_hostname=host if tls is not None else None
            )
        except BaseException:
            opened.close()
            raise
        return connection

    def _tls_context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = self._trusting()
        return self._tls


class WireClient(TryingClient):
    """`HttpClient` over connections that are kept, ``limits.connections`` of them in use at once.

    As `HttpxClient`; see ``Wires``.
    """

    def __init__(
        self,
        limits: HttpLimits | None = None,
        *,
        clock: Clock = system_clock,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random,
        trusting: ssl.SSLContext | None = None,
    ) -> None:
        """``trusting`` says which servers are believed to be who they are; by default as httpx does."""
        super().__init__(limits, clock=clock, sleep=sleep, jitter=jitter)
        trusted = _as_httpx if trusting is None else lambda: trusting
        self._wires = Wires(self._limits.connect, self._limits.connections, trusted)
        self._places = Places(self._limits.connections)

    async def aclose(self) -> None:
        """As `HttpClient.aclose`."""
        self._wires.close()

    async def _exchange(self, request: HttpRequest) -> HttpReply:
        written = write(request)
        if not self._places.taken():
            await self._places.wait()
        try:
            return HttpReply(*await self._wires.exchange(written, request.max_bytes, self.judge_head))
        finally:
            self._places.give()


def _as_httpx() -> ssl.SSLContext:
    """Those whom the browsers' authorities vouch for; the environment is not asked."""
    context = ssl.create_default_context(cafile=certifi.where())
    context.set_alpn_protocols(["http/1.1"])
    return context


class Written(NamedTuple):
    """Bytes of a request, and where they go."""

    origin: Origin
    request: bytes

    def __repr__(self) -> str:
        """Without what may be anybody's data."""
        return f"Written(origin={self.origin!r})"


@dataclass(frozen=True, slots=True)
class _Server:
    """Where requests go, and how their heads go on behind method and path."""

    origin: Origin
    head: bytes


def write(request: HttpRequest) -> Written:
    """``request`` as it goes over a connection. Raises ``ExchangeFailed``."""
    method, url, headers, body = request[:4]
    origin, head = _head(method, url, headers)
    if body or method not in _BODILESS:
        return Written(origin, b"%bcontent-length: %d\r\n\r\n%b" % (head, len(body), body))
    return Written(origin, head + b"\r\n")


def _head(method: str, url: str, headers: Mapping[str, str]) -> Written:
    """Up to the length of the body; ``FixedHeaders`` know it from before. Raises ``ExchangeFailed``."""
    if not isinstance(headers, FixedHeaders):
        return _head_anew(method, url, headers)
    head = headers.written.get((method, url))
    if not isinstance(head, Written):
        head = headers.written[method, url] = _head_anew(method, url, headers)
    return head


def _head_anew(method: str, url: str, headers: Mapping[str, str]) -> Written:
    server, path = _read(url)
    lines = _lines(method, headers)
    return Written(server.origin, b"%b %b%b%b" % (method.encode(), path, server.head, lines))


def _lines(method: str, headers: Mapping[str, str]) -> bytes:
    """The caller's header lines. Raises ``ExchangeFailed`` for what would not be one line each."""
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    if not _METHOD.fullmatch(method) or not _LINES.fullmatch(lines) or lines.count("\n") != len(headers):
        raise _malformed()
    if "Accept" not in headers and not any(name.lower() == "accept" for name in headers):
        lines += "accept: */*\r\n"
    return lines.encode()


def _read(url: str) -> tuple[_Server, bytes]:
    """The server and the path that httpx reads in ``url``. Raises ``ExchangeFailed``."""
    plain = _PLAIN.fullmatch(url)
    if plain is not None:
        return _server(plain[1]), plain[2].encode()
    read = _url(url)
    return _server_of(read), read.raw_path


@lru_cache(256)
def _server(plain: str) -> _Server:
    """Of an address without a path: what is behind it may tell of a person, and is remembered by nobody."""
    read = _PLAIN_SERVER.fullmatch(plain)
    if read is None:
        return _server_of(_url(plain))
    scheme, host = read[1], read[2]
    if _LIKE_IPV4.fullmatch(host):
        try:
            ipaddress.IPv4Address(host)
        except ValueError:
            raise _malformed() from None
    usual = _PORTS[scheme]
    port = int(read[3] or usual)
    return _of(scheme, host, port, host if port == usual else f"{host}:{port}")


def _url(url: str) -> "httpx.URL":
    import httpx

    try:
        return httpx.URL(url)
    except (httpx.InvalidURL, ValueError):
        raise _malformed() from None


def _server_of(read: "httpx.URL") -> _Server:
    host = read.raw_host.decode("ascii")
    if read.scheme not in _PORTS or not host or read.userinfo:
        raise _malformed()
    return _of(read.scheme, host, read.port or _PORTS[read.scheme], read.netloc.decode("ascii"))


def _of(scheme: str, host: str, port: int, told: str) -> _Server:
    """``told`` is how the server is named to itself."""
    fixed = f"accept-encoding: identity\r\nuser-agent: {USER_AGENT}\r\n"
    return _Server((scheme, host, port), f" HTTP/1.1\r\nhost: {told}\r\n{fixed}".encode())


def _malformed() -> ExchangeFailed:
    return ExchangeFailed("http.malformed", mendable=False)
