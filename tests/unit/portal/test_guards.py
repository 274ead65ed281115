"""What pages are guarded against, from outside: frames, being led elsewhere, and asking without end."""

import base64
import json
import re
from collections.abc import AsyncIterator, Iterable, Iterator

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI
from fastapi.routing import APIRoute
from limits import parse
from starlette.routing import BaseRoute, Route

from gateway.http.limits import RateLimits
from tests.support.databases import Databases
from tests.support.served import served
from tests.support.storage import NOON, SetClock

pytestmark = pytest.mark.asyncio(loop_scope="module")
HTML = {"accept": "text/html"}
ELSEWHERE = ("//evil.example/", "https://evil.example/", "/\\evil.example", "javascript:alert(1)", "/\t/evil.example")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[FastAPI, str]]:
    """One for all: what counts requests counts them by address, and whoever is counted has one of their own."""
    async with served(tmp_path_factory.mktemp("site"), databases.sqlite(), SetClock(NOON)) as running:
        yield running


def walked(routes: Iterable[BaseRoute]) -> Iterator[APIRoute | Route]:
    """Every route, those of the routers within as well."""
    for route in routes:
        if isinstance(route, APIRoute | Route):
            yield route
        else:
            yield from walked(route.original_router.routes)  # type: ignore[attr-defined]


def paths(app: FastAPI) -> set[tuple[str, str]]:
    """(method, address) of everything that is served, with something in every place of an address."""
    return {
        (method, re.sub(r"\{[^}]*\}", "resident", route.path))
        for route in walked(app.routes)
        for method in (route.methods or {"GET"}) - {"HEAD", "OPTIONS"}
    }


async def test_nothing_is_shown_in_anothers_frame(site: tuple[FastAPI, str]) -> None:
    app, url = site
    every = sorted(paths(app))
    assert len(every) > 120
    assert {"/", "/apply", "/console", "/authority", "/public"} <= {path for _, path in every}
    async with httpx.AsyncClient(base_url=url, timeout=60) as http:
        for method, path in [*every, ("GET", "/nowhere"), ("GET", "/assets/site.css"), ("POST", "/")]:
            answer = await http.request(method, path, headers=HTML)
            assert answer.headers["x-frame-options"] == "DENY", (method, path)
            policy = answer.headers["content-security-policy"]
            assert "frame-ancestors 'none'" in policy, (method, path)
            assert answer.headers["x-content-type-options"] == "nosniff", (method, path)


@pytest.mark.parametrize("back", ELSEWHERE)
async def test_a_verification_leads_nobody_elsewhere(site: tuple[FastAPI, str], back: str) -> None:
    _, url = site
    async with httpx.AsyncClient(base_url=url) as http:
        page = await http.get("/verify/resident", params={"back": back}, headers=HTML)
        assert '<input type="hidden" name="back" value="/">' in page.text
        assert "evil" not in page.text
        kept = {
            "url": "https://id.example/authorize",
            "kind": "resident",
            "method": "face",
            "back": back,
            "again": back,
        }
        for told in (kept, {**kept, "url": "javascript:alert(1)"}, {**kept, "url": "//evil.example"}, {"url": "x"}):
            going = base64.urlsafe_b64encode(json.dumps(told).encode()).decode()
            between = await http.get("/verify/go", headers={**HTML, "cookie": f"__Host-bandian_going={going}"})
            assert not re.search(r'href="[^"]*evil', between.text)
            if told is not kept:
                assert (between.status_code, between.headers["location"]) == (303, "/apply")


LIMITS = {
    "verification": ("POST", "/verify/resident", 600),
    "pages": ("GET", "/public/outages", 600),
    "public": ("GET", "/v1/public/outages?region=440100", 300),
    "officer_sign_in": ("GET", "/console/callback?state=s", 120),
    "records": ("GET", "/v1/records/checkpoint", 600),
}
"""By use: method, address, and how often a minute one address may ask for it."""


@pytest.mark.parametrize("use", LIMITS)
async def test_who_asks_without_end_is_told_to_wait(site: tuple[FastAPI, str], use: str) -> None:
    app, url = site
    method, path, limit = LIMITS[use]
    limits, address = app.state.services.get(RateLimits), f"127.0.0.{100 + list(LIMITS).index(use)}"
    for _ in range(limit - 2):  # as if it had been asked so often already
        limits.count(parse(f"{limit}/minute"), use, address)
    asking = httpx.AsyncHTTPTransport(local_address=address)
    async with httpx.AsyncClient(base_url=url, timeout=60, transport=asking) as http:
        answers = [await http.request(method, path, headers=HTML) for _ in range(3)]
    refused = answers.pop()
    assert [each.status_code == 429 for each in answers] == [False, False]
    assert refused.status_code == 429
    assert 0 < int(refused.headers["retry-after"]) <= 60
    page = not path.startswith("/v1")
    assert refused.headers["content-type"].startswith("text/html" if page else "application/problem+json")
    assert "request.rate" in refused.text
    # Somebody else is not in their way.
    other = httpx.AsyncHTTPTransport(local_address="127.0.0.2")
    async with httpx.AsyncClient(base_url=url, transport=other) as http:
        assert (await http.request(method, path, headers=HTML)).status_code != 429
