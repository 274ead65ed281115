"""What a utility publishes, over HTTP: told with its token, read by everybody as a page and as open data."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

import httpx
from fastapi import APIRouter, FastAPI

from gateway.caller import Caller, Role
from gateway.http.callers import Doorkeeper
from gateway.http.door import hang_door
from gateway.http.limits import RateLimits
from gateway.http.metrics import HttpMetrics
from gateway.http.services import Services, publish
from gateway.oversight import router as open_data
from gateway.portal.assets import Assets
from gateway.portal.public import router as public
from gateway.portal.rendering import Pages, Site
from tests.support.approvals import UTILITY
from tests.support.partners import ISSUER
from tests.support.storage import SetClock


class UtilityGate:
    """Admits whoever names a role; utilities serve Guangzhou."""

    async def authenticate(
        self, authorizations: Sequence[str], proofs: Sequence[str], method: str, uri: str, at: datetime
    ) -> Caller:
        role = Role(authorizations[0])
        return Caller(UTILITY, role, "thumbprint", frozenset({"stages", "operate"}), ("440100",))


@asynccontextmanager
async def publishing(
    clock: SetClock, routers: Sequence[APIRouter], *services: object
) -> AsyncIterator[tuple[FastAPI, httpx.AsyncClient]]:
    """The app with ``routers``, open data and public pages over ``services``, and who asks it."""
    app = FastAPI()
    for each in (*routers, open_data.router, public.router):
        app.include_router(each)
    hang_door(app, HttpMetrics(), https=False)
    pages = Pages(Site("共享平台", https=False), Assets(), clock)
    publish(app, Services(RateLimits(), Doorkeeper(UtilityGate(), clock, ISSUER), pages, *services))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=ISSUER) as client:
        yield app, client
