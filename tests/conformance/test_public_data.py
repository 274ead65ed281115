"""Open data over real HTTP, on both databases: figures, suppression, caching, limits, refusals."""

import csv
import io
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest
from limits import parse

from gateway.applications.lifecycle import LifecycleStatus
from gateway.clock import date_in_china
from gateway.http.limits import RateLimits
from gateway.http.services import services_of
from gateway.oversight.performance import CSV_COLUMNS
from gateway.oversight.router import LIMIT
from gateway.oversight.suppression import SMALL
from schemas.public_data import PublicPerformance, PublicRules
from tests.browser.overseen import OCTOBER, SEPTEMBER, overseen
from tests.support.databases import Databases
from tests.support.oversight import a_population
from tests.support.served import served
from tests.support.storage import SetClock

PERFORMANCE = "/v1/public/performance"


def completed_in(month: int) -> Counter[tuple[str, str]]:
    """(city, class) → completed in the month, counted plainly."""
    found: Counter[tuple[str, str]] = Counter()
    for received_at in (SEPTEMBER, OCTOBER):
        for each in a_population(received_at, Random(7))[0]:
            closed_at = each.lifecycle.closed_at
            if each.lifecycle.status is LifecycleStatus.COMPLETED and closed_at is not None:
                found[(each.region[:4] + "00", each.customer_class)] += date_in_china(closed_at).month == month
    return found


async def test_open_data(tmp_path: Path, database_url: str) -> None:
    async with overseen(tmp_path, database_url) as url, httpx.AsyncClient(base_url=url, timeout=60) as client:
        await _the_month_is_told_and_small_cells_are_not(client)
        await _the_csv_says_the_same(client)
        await _it_may_be_kept_and_is_not_sent_twice(client)
        await _the_rules_are_told(client)
        await _refusals_are_problem_documents(client)


async def _the_month_is_told_and_small_cells_are_not(client: httpx.AsyncClient) -> None:
    answer = await client.get(PERFORMANCE)
    told = PublicPerformance.model_validate_json(answer.content)
    assert told.month == "2026-10", "the last one that is final"
    counts = completed_in(10)
    small = 0
    for city in told.cities:
        for cell in city.classes:
            true = counts[(str(city.region), str(cell.customer_class))]
            assert cell.completed in (true, None)
            if 0 < true < SMALL:
                small += 1
                assert cell.completed is None
            if cell.completed is None:
                assert (cell.suppressed, cell.durations) == (True, [])
        hidden = [cell for cell in city.classes if cell.suppressed]
        assert len(hidden) != 1 or city.total.suppressed, "one alone would be the total less the others"
    assert small > 3, "the population has small cells"
    assert told.province.total.completed == sum(counts.values())
    assert b'"worst"' not in answer.content, "the longest is one applicant's"


async def _the_csv_says_the_same(client: httpx.AsyncClient) -> None:
    answer = await client.get(f"{PERFORMANCE}.csv", params={"month": "2026-09"})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8; header=present"
    assert answer.headers["content-disposition"] == 'attachment; filename="performance-2026-09.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert tuple(rows[0]) == CSV_COLUMNS
    told = PublicPerformance.model_validate_json((await client.get(PERFORMANCE, params={"month": "2026-09"})).content)
    by_place: dict[tuple[str, str], Any] = {
        (city.region or "", cell.customer_class or ""): cell
        for city in (*told.cities, told.province)
        for cell in (*city.classes, city.total)
    }
    wholes = [row for row in rows if row["measure"] == "whole"]
    assert len(wholes) == len(by_place)
    for row in wholes:
        cell = by_place[(row["region"], row["customer_class"])]
        assert row["completed"] == ("" if cell.completed is None else str(cell.completed))
        assert row["suppressed"] == str(cell.suppressed).lower()
        assert row["median_working_days"] == (f"{cell.durations[0].median:g}" if cell.durations else "")


async def _it_may_be_kept_and_is_not_sent_twice(client: httpx.AsyncClient) -> None:
    answer = await client.get(PERFORMANCE, params={"month": "2026-10"})
    assert answer.headers["cache-control"] == "public, max-age=86400"
    assert "set-cookie" not in answer.headers
    again = await client.get(
        PERFORMANCE, params={"month": "2026-10"}, headers={"if-none-match": f'"x", {answer.headers["etag"]}'}
    )
    assert (again.status_code, again.content) == (304, b"")
    other = await client.get(
        PERFORMANCE, params={"month": "2026-09"}, headers={"if-none-match": answer.headers["etag"]}
    )
    assert other.status_code == 200


async def _the_rules_are_told(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/public/rules", params={"region": "440106", "on": "2021-12-30"})
    told = PublicRules.model_validate_json(answer.content)
    assert {each.customer_class: each.whole.working_days for each in told.classes if each.whole} == {
        "residential": 5,
        "lv_zero": 25,
        "lv_ordinary": 6,
        "hv_single": 22,
        "hv_dual": 32,
    }
    assert [line.number for line in told.hotlines] == ["95598", "12398"]
    assert answer.headers["cache-control"] == "public, max-age=3600"
    paths = (await client.get("/openapi.json")).json()["paths"]
    assert {"/v1/public/rules", PERFORMANCE, f"{PERFORMANCE}.csv"} <= set(paths)


async def _refusals_are_problem_documents(client: httpx.AsyncClient) -> None:
    for path, params, status in (
        (PERFORMANCE, {"month": "2026-11"}, 404),
        (PERFORMANCE, {"month": "2020-11"}, 404),
        (PERFORMANCE, {"month": "2026-13"}, 422),
        ("/v1/public/rules", {"region": "4401"}, 422),
        ("/v1/public/rules", {}, 422),
        ("/v1/public/rules", {"region": "440106", "on": "yesterday"}, 422),
    ):
        answer = await client.get(path, params=params)
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), params
        assert "yesterday" not in answer.text


async def test_nobody_reads_without_end(tmp_path: Path, databases: Databases) -> None:
    """All but one of a minute's requests are counted at once: a slow machine could not make them in a minute."""
    async with (
        served(tmp_path, databases.sqlite(), SetClock()) as (app, url),
        httpx.AsyncClient(base_url=url) as client,
    ):
        limit, limits = parse(LIMIT), services_of(app).get(RateLimits)
        for _ in range(limit.amount - 1):
            limits.hit(limit, "public", "127.0.0.1")
        assert (await client.get("/v1/public/rules", params={"region": "440106"})).status_code == 200
        for _ in range(20):  # one more is too much; some, where a window of the count ends just now
            answer = await client.get("/v1/public/rules", params={"region": "440106"})
            if answer.status_code != 200:
                break
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) >= 1


@pytest.mark.parametrize("path", ["/public", "/public/rules", "/public/performance"])
async def test_pages_of_a_gateway_without_applications(tmp_path: Path, databases: Databases, path: str) -> None:
    async with (
        served(tmp_path, databases.sqlite(), SetClock()) as (_, url),
        httpx.AsyncClient(base_url=url) as client,
    ):
        assert (await client.get(path, headers={"accept": "text/html"})).status_code == 200
