"""Real HTTP receivers on loopback that behave as they are told: a utility's webhook, a department's counter."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web

from gateway.crypto.jwk import SigningKey
from gateway.crypto.jws import sign_jws
from gateway.records.entries import digest
from schemas.wire import MEDIA_JOSE, Typ
from tests.support.partners import ISSUER

Behave = Callable[["Received"], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Received:
    """A request as it came; header names in lower case."""

    headers: dict[str, str]
    body: bytes
    request: web.Request


@dataclass
class Receiver:
    """``behave`` may be exchanged at any time; ``received`` holds every request in order of arrival."""

    url: str
    behave: Behave
    received: list[Received] = field(default_factory=list)


@asynccontextmanager
async def receiver(behave: Behave) -> AsyncIterator[Receiver]:
    """Listen on a free loopback port until the block ends."""

    async def handle(request: web.Request) -> web.StreamResponse:
        got = Received({k.lower(): v for k, v in request.headers.items()}, await request.read(), request)
        made.received.append(got)
        return await made.behave(got)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    made = Receiver(f"http://{host}:{port}/receive", behave)
    try:
        yield made
    finally:
        await runner.cleanup()


async def reset(got: Received) -> web.StreamResponse:
    """Cut the connection without an answer."""
    assert got.request.transport is not None
    got.request.transport.abort()
    return web.Response()


async def stall(_got: Received) -> web.StreamResponse:
    """Hold the connection until the sender gives up."""
    await asyncio.sleep(30)
    return web.Response()


def answering(status: int, body: bytes = b"", **headers: str) -> Behave:
    """Answer with exactly this; header names with underscores for hyphens."""

    async def answer(_got: Received) -> web.StreamResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(status=status, body=body, headers=named)

    return answer


@dataclass
class UtilityBehaviour:
    """A utility's webhook that keeps what it was sent and signs receipts. Members of a receipt can be falsified."""

    code: str
    key: SigningKey
    at: Callable[[], float]
    held: dict[str, dict[str, Any]] = field(default_factory=dict)
    arrivals: list[dict[str, Any]] = field(default_factory=list)

    def receipt(self, got: Received, *, key: SigningKey | None = None, typ: str | None = None, **false: Any) -> str:
        event_id = got.headers["webhook-id"]
        claims = {
            "iss": self.code,
            "aud": ISSUER,
            "jti": f"receipt-{event_id}",
            "iat": int(self.at()),
            "event_id": event_id,
            "body_sha256": digest(got.body),
            "status": "duplicate" if event_id in self.held else "accepted",
        }
        return self._signed(claims | false, key, typ or Typ.DELIVERY_RECEIPT.value)

    def refusal(self, got: Received, *, key: SigningKey | None = None, typ: str | None = None, **false: Any) -> str:
        """Says for good that the event is not taken; 422 unless ``status`` is told."""
        event_id = got.headers["webhook-id"]
        claims = {
            "iss": self.code,
            "aud": ISSUER,
            "jti": f"refusal-{event_id}",
            "iat": int(self.at()),
            "event_id": event_id,
            "body_sha256": digest(got.body),
            "status": 422,
        }
        return self._signed(claims | false, key, typ or "delivery-refusal+jwt")

    def _signed(self, claims: dict[str, Any], key: SigningKey | None, typ: str) -> str:
        return sign_jws({name: value for name, value in claims.items() if value is not None}, key or self.key, typ)

    async def take(self, got: Received) -> web.StreamResponse:
        """Keep the event, once, and answer with the receipt."""
        receipt = self.receipt(got)
        event = orjson.loads(got.body)
        self.arrivals.append(event)
        self.held.setdefault(event["id"], event)
        return web.Response(body=receipt.encode(), content_type=MEDIA_JOSE)
