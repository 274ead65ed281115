"""Grid capacity over HTTP on both databases: a utility publishes by version, everybody reads it."""

import asyncio
import csv
import io
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from gateway.capacity.router import router
from gateway.capacity.service import CapacityService
from schemas.capacity import PublicCapacity
from tests.support.publishing import publishing
from tests.support.storage import SetClock, opened

SAID = {
    "version": 1,
    "region": "440106",
    "area_name": "天河110kV变电站",
    "area_kind": "substation",
    "voltage_v": 10000,
    "available_kva": 12500,
    "as_of": "2026-03-01",
}
AREA = "/v1/grid-capacity/tianhe-1"


@pytest.fixture
async def http(database_url: str) -> AsyncIterator[httpx.AsyncClient]:
    clock = SetClock()
    with opened(database_url, clock) as transactions:
        async with publishing(clock, [router], CapacityService(transactions, clock)) as (_, client):
            yield client


async def put(http: httpx.AsyncClient, area: str = AREA, role: str = "utility", **changed: Any) -> httpx.Response:
    return await http.put(area, json=SAID | changed, headers={"Authorization": role})


async def areas(http: httpx.AsyncClient, region: str = "") -> list[tuple[str, int]]:
    answer = await http.get("/v1/public/capacity", params={"region": region})
    return [(each.area_id, each.available_kva) for each in PublicCapacity.model_validate_json(answer.content).areas]


async def test_it_is_published_by_version_and_read_by_everybody(http: httpx.AsyncClient) -> None:
    first = await put(http)
    assert (first.status_code, first.json()["duplicate"]) == (201, False)
    again = await put(http)
    assert (again.status_code, again.json()["record_id"]) == (200, first.json()["record_id"])
    other = await put(http, available_kva=1)
    assert (other.status_code, other.json()["check"]) == (409, "capacity.version")
    assert (await put(http, version=3, available_kva=9000)).status_code == 201
    assert (await put(http, version=2, available_kva=5)).status_code == 409, "a late one does not come back"
    assert await areas(http) == await areas(http, "440100") == await areas(http, "440106") == [("tianhe-1", 9000)]
    assert await areas(http, "440300") == []
    page = (await http.get("/public/capacity?region=440100", headers={"accept": "text/html"})).text
    for shown in ("天河110kV变电站", "9000 kVA", "广州市天河区", "2026年3月1日"):
        assert shown in page
    assert (await put(http, version=4, withdrawn=True)).status_code == 201
    assert await areas(http) == []


async def test_of_versions_at_once_the_newest_stays(http: httpx.AsyncClient) -> None:
    await asyncio.gather(*(put(http, version=each, available_kva=each) for each in (3, 1, 5, 2, 4)))
    assert await areas(http) == [("tianhe-1", 5)]


async def test_open_data_may_be_kept_and_comes_as_csv(http: httpx.AsyncClient) -> None:
    await put(http, area_name='珠江,"东"站')
    await put(http, "/v1/grid-capacity/tianhe-2", voltage_v=380, available_kva=0)
    answer = await http.get("/v1/public/capacity.csv")
    rows = list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    assert [(row["area_id"], row["area_name"], row["available_kva"]) for row in rows] == [
        ("tianhe-2", "天河110kV变电站", "0"),
        ("tianhe-1", '珠江,"东"站', "12500"),
    ]
    told = await http.get("/v1/public/capacity")
    assert told.headers["cache-control"] == "public, max-age=600"
    kept = await http.get("/v1/public/capacity", headers={"if-none-match": told.headers["etag"]})
    assert kept.status_code == 304


@pytest.mark.parametrize(
    ("changed", "status", "check"),
    [
        ({"region": "440306"}, 403, "capacity.region"),
        ({"as_of": "2026-03-03"}, 422, "capacity.as_of"),
        ({"available_kva": -1}, 422, "request.invalid_request"),
        ({"area_name": "=HYPERLINK(1)"}, 422, "request.invalid_request"),
        ({"area_name": "两\n行"}, 422, "request.invalid_request"),
        ({"version": 0}, 422, "request.invalid_request"),
        ({"more": 1}, 422, "request.invalid_request"),
    ],
)
async def test_what_is_not_sound_is_refused(
    http: httpx.AsyncClient, changed: dict[str, Any], status: int, check: str
) -> None:
    answer = await put(http, **changed)
    assert (answer.status_code, answer.json()["check"]) == (status, check)
    assert await areas(http) == []


async def test_only_utilities_publish(http: httpx.AsyncClient) -> None:
    assert (await put(http, role="operator")).status_code == 403
