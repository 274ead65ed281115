"""The signpost points at the very route that the framework would have found, for every address of the gateway."""

import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI
from starlette.routing import Match
from starlette.types import Scope

from gateway.http.signpost import Signpost, routes_within
from tests.support.databases import Databases
from tests.support.served import served
from tests.support.storage import NOON, SetClock

pytestmark = pytest.mark.asyncio(loop_scope="module")
METHODS = ("GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[FastAPI, str]]:
    async with served(tmp_path_factory.mktemp("site"), databases.sqlite(), SetClock(NOON)) as running:
        yield running


def addresses(app: FastAPI) -> Iterator[str]:
    """Each of every route, and what is nearly one of them."""
    for route in routes_within(app.routes):
        for part in ("app_01", "resident", "new", "a.b", "%2e"):
            path = re.sub(r"\{[^}]*\}", part, route.path)
            yield from (path, f"{path}/", f"{path}/more", f"/{path}", path.rpartition("/")[0])
    yield from ("", "/", "//", "/nowhere", "/assets/a/b/c.css", "/assets/", "/v1", "/v1/applications/a/b/c/d")


def scope_of(method: str, path: str) -> Scope:
    return {"type": "http", "method": method, "path": path, "root_path": "", "headers": [], "query_string": b""}


def found_by_the_framework(routes: Any, scope: Scope) -> tuple[Any, Scope, int] | None:
    """Endpoint, parameters, and how many dependencies it really has where its router was included."""
    for route in routes:
        if hasattr(route, "_match"):
            match, added, inner, context = route._match(scope)
            if match is Match.FULL:
                if context is None:
                    return found_by_the_framework([inner], scope)
                return added["endpoint"], added["path_params"], len(context.dependant.dependencies)
        else:
            match, added = route.matches(scope)
            if match is Match.FULL:
                dependant = getattr(route, "dependant", None)
                return added["endpoint"], added["path_params"], len(dependant.dependencies) if dependant else 0
    return None


async def test_it_is_the_same_route_for_every_address(site: tuple[FastAPI, str]) -> None:
    app, _ = site
    signpost, met = Signpost(app.routes), 0
    for path in sorted(set(addresses(app))):
        for method in METHODS:
            expected = found_by_the_framework(app.routes, scope_of(method, path))
            found = signpost.find(scope_of(method, path))
            if expected is None:
                assert found is None, (method, path)
                continue
            assert found is not None, (method, path)
            route, added = found
            dependant = getattr(route, "dependant", None)
            own = len(dependant.dependencies) if dependant else 0
            assert (added["endpoint"], added["path_params"], own) == expected, (method, path)
            met += 1
    assert met > 500


async def test_what_it_does_not_know_the_framework_tells(site: tuple[FastAPI, str]) -> None:
    _, url = site
    async with httpx.AsyncClient(base_url=url) as http:
        told = {
            path: await http.request(method, path)
            for method, path in (
                ("GET", "/nowhere"),
                ("DELETE", "/apply"),
                ("GET", "/apply/"),
                ("HEAD", "/healthz"),
                ("GET", "/healthz"),
            )
        }
    assert told["/nowhere"].status_code == 404
    assert (told["/apply"].status_code, told["/apply"].headers["allow"]) == (405, "GET")
    assert (told["/apply/"].status_code, told["/apply/"].headers["location"]) == (307, f"{url}/apply")
    assert told["/healthz"].status_code == 200


async def test_a_route_that_comes_later_is_found(site: tuple[FastAPI, str]) -> None:
    app, url = site

    async def late() -> dict[str, str]:
        return {"says": "late"}

    async with httpx.AsyncClient(base_url=url) as http:
        assert (await http.get("/late")).status_code == 404
        app.add_api_route("/late", late)
        assert (await http.get("/late")).json() == {"says": "late"}


async def test_behind_another_address_the_framework_looks(site: tuple[FastAPI, str]) -> None:
    app, _ = site
    assert Signpost(app.routes).find({**scope_of("GET", "/below/healthz"), "root_path": "/below"}) is None


async def test_what_is_no_route_of_a_path_is_refused() -> None:
    with pytest.raises(TypeError):
        Signpost([object()])  # type: ignore[list-item]
