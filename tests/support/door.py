"""An app behind the door, asked over httpx without a socket; the gate admits whom the test names."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

import httpx
from fastapi import FastAPI

from gateway.caller import Caller, Role
from gateway.http.callers import Doorkeeper
from gateway.http.door import hang_door
from gateway.http.limits import RateLimits
from gateway.http.metrics import HttpMetrics
from gateway.http.services import Services, publish
from gateway.partners.errors import token_refused
from tests.support.storage import SetClock

PUBLIC_URL = "https://gateway.example"


class NamedGate:
    """Admits ``Authorization: Test <code> <role>``. A stand-in for tests of the door alone."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    async def authenticate(
        self, authorizations: Sequence[str], proofs: Sequence[str], method: str, uri: str, at: datetime
    ) -> Caller:
        self.asked.append((method, uri))
        if len(authorizations) != 1 or not authorizations[0].startswith("Test "):
            raise token_refused("missing", "请出示令牌")
        _, code, role = authorizations[0].split(" ")
        return Caller(code, Role(role), "thumbprint", frozenset({"licences"}))

    async def authenticate_unspent(
        self, authorizations: Sequence[str], proofs: Sequence[str], method: str, uri: str, at: datetime
    ) -> tuple[Caller, None]:
        return await self.authenticate(authorizations, proofs, method, uri, at), None


def app_behind_the_door(
    *services: object, gate: NamedGate | None = None, max_body_bytes: int = 1024, limits: RateLimits | None = None
) -> FastAPI:
    app = FastAPI(docs_url=None, redoc_url=None)
    clock = SetClock()
    publish(app, Services(Doorkeeper(gate or NamedGate(), clock, PUBLIC_URL), limits or RateLimits(), *services))
    hang_door(app, HttpMetrics(), https=True, max_body_bytes=max_body_bytes)
    return app


@asynccontextmanager
async def asking(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=PUBLIC_URL) as client:
        yield client
