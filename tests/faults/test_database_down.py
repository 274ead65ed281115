"""The database is locked or gone: what needs it answers 503 as a problem, and works again by itself."""

import asyncio
import time

import httpx
import pytest

from schemas.wire import MEDIA_PROBLEM
from tests.support.locking import cut_connections, no_connections, writes_blocked
from tests.support.province import LiveProvince

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]
on_postgresql = pytest.mark.parametrize("fragile", ["postgresql"], indirect=True, scope="package")
"""A SQLite file has no connections to cut, and does not go away."""
OPEN_SESSION = {"applicant_kind": "resident", "method": "face"}


async def open_session(fragile: LiveProvince) -> httpx.Response:
    """A request that writes."""
    url = f"{fragile.province.gateway}/v1/verification-sessions"
    return await fragile.http.post(url, json=OPEN_SESSION, timeout=60)


async def look(fragile: LiveProvince) -> httpx.Response:
    """A request that only reads: somebody's session."""
    headers = {"authorization": "Bearer nobody-has-this"}
    return await fragile.http.get(f"{fragile.province.gateway}/v1/verification-sessions/current", headers=headers)


def refused_for_now(answer: httpx.Response) -> None:
    """503, as a problem that says whose turn it is and when to come back."""
    assert answer.status_code == 503
    assert answer.headers["content-type"] == MEDIA_PROBLEM
    assert int(answer.headers["retry-after"]) >= 1
    problem = answer.json()
    assert problem["owner"] == "共享平台"
    assert problem["check"]
    assert problem["remedy"]


async def works(fragile: LiveProvince) -> None:
    await fragile.until_ready()
    assert (await open_session(fragile)).status_code == 201
    assert (await look(fragile)).status_code == 401


async def test_while_nobody_can_write_a_request_is_refused_and_reading_goes_on(fragile: LiveProvince) -> None:
    await works(fragile)
    began = time.monotonic()
    with writes_blocked(fragile.database_url):
        answer, read = await asyncio.gather(open_session(fragile), look(fragile))
    refused_for_now(answer)
    assert read.status_code == 401
    assert time.monotonic() - began < 15, "a caller waits no longer than its patience"
    await works(fragile)


@on_postgresql
async def test_connections_cut_once_are_made_anew_without_a_restart(fragile: LiveProvince) -> None:
    await works(fragile)
    assert cut_connections(fragile.database_url) >= 1
    first = [await open_session(fragile) for _ in range(3)]
    assert {answer.status_code for answer in first} <= {201, 503}
    for answer in first:
        if answer.status_code == 503:
            refused_for_now(answer)
    await works(fragile)


@on_postgresql
async def test_while_the_database_is_gone_all_that_needs_it_is_refused(fragile: LiveProvince) -> None:
    with no_connections(fragile.database_url):
        refused_for_now(await open_session(fragile))
        refused_for_now(await look(fragile))
        assert await fragile.readiness() == 503
        alive = await fragile.http.get(f"{fragile.province.gateway}/healthz")
        assert alive.status_code == 200
    await works(fragile)
    code, printed = await fragile.audit()
    assert code == 0, printed
