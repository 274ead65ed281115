"""好差评 as open data, over real HTTP on both databases: by the month of the rating, and never another answer."""

import csv
import io
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from adapters.storage.ratings import service_ratings
from gateway.applications.customer_classes import CustomerClass
from gateway.oversight.satisfaction import CSV_COLUMNS
from gateway.ratings.service import RatingService
from schemas.public_data import PublicRatings
from schemas.ratings import RatingLevel, RatingRequest
from tests.support.oversight import added, application
from tests.support.served import served
from tests.support.storage import SetClock

RATINGS, PAGE = "/v1/public/ratings", "/public/ratings"
HOLDER = "0" * 64
RECEIVED = datetime(2026, 10, 9, 1, 0, tzinfo=UTC)
LAST_MINUTE = datetime(2026, 10, 31, 15, 59, tzinfo=UTC)
"""Of October in China."""
WORDS = "张三说办得太慢"
IN_OCTOBER = Counter(
    {
        ("440106", RatingLevel.VERY_SATISFIED): 12,
        ("440106", RatingLevel.SATISFIED): 8,
        ("440106", RatingLevel.VERY_DISSATISFIED): 2,
        ("440306", RatingLevel.VERY_SATISFIED): 9,
        ("440306", RatingLevel.BASICALLY_SATISFIED): 6,
        ("440306", RatingLevel.DISSATISFIED): 5,
    }
)


async def _rated(app: Any, clock: SetClock, levels: Counter[tuple[str, RatingLevel]], prefix: str) -> None:
    """Each by an applicant whose application was completed, through the service that applicants use."""
    service = app.state.services.get(RatingService)
    for number, (region, level) in enumerate(sorted(levels.elements())):
        name = f"{prefix}_{number}"
        own = application(name, CustomerClass.RESIDENTIAL, (1, 2), received_at=RECEIVED, region=region)
        await app.state.foundation.transactions.write(added(own))
        await service.rate(name, HOLDER, RatingRequest(level=level, text=WORDS))
        clock.advance(seconds=1)


async def test_a_month_of_ratings(tmp_path: Path, database_url: str) -> None:
    clock = SetClock(LAST_MINUTE)
    async with served(tmp_path, database_url, clock) as (app, url), httpx.AsyncClient(base_url=url) as client:
        await _rated(app, clock, IN_OCTOBER, "oct")
        clock.at = LAST_MINUTE + timedelta(minutes=30)
        early = await client.get(RATINGS, params={"month": "2026-10"})
        assert (early.status_code, early.json()["check"]) == (404, "ratings.month")
        clock.at = LAST_MINUTE + timedelta(hours=2)
        first = await client.get(RATINGS, params={"month": "2026-10"})
        _counts_are_told_but_small_ones(PublicRatings.model_validate_json(first.content))
        await _rated(app, clock, Counter({("440106", RatingLevel.VERY_DISSATISFIED): 7}), "nov")
        clock.at = datetime(2026, 12, 2, 4, 0, tzinfo=UTC)
        assert (await client.get(RATINGS, params={"month": "2026-10"})).content == first.content
        november = PublicRatings.model_validate_json((await client.get(RATINGS)).content)
        assert (november.month, november.province.total, november.province.content_percent) == ("2026-11", 7, 0)
        await _the_csv_says_the_same(client)
        await _the_page_says_the_same(client)
        await _refusals_are_problem_documents(client)
    async with served(tmp_path, database_url, clock) as (_, url), httpx.AsyncClient(base_url=url) as client:
        again = await client.get(RATINGS, params={"month": "2026-10"})
        assert again.content == first.content, "another process, after a rating and an answer came, says the same"
        assert again.headers["cache-control"] == "public, max-age=86400"
        known = await client.get(RATINGS, params={"month": "2026-10"}, headers={"if-none-match": first.headers["etag"]})
        assert known.status_code == 304


def _counts_are_told_but_small_ones(told: PublicRatings) -> None:
    guangzhou, shenzhen = told.cities
    assert (guangzhou.region, shenzhen.region) == ("440100", "440300")
    levels = {each.level: each.count for each in guangzhou.levels}
    assert levels[RatingLevel.VERY_DISSATISFIED] is None
    assert guangzhou.content_percent is None
    for city, region in ((guangzhou, "440106"), (shenzhen, "440306")):
        true = {level: number for (where, level), number in IN_OCTOBER.items() if where == region}
        for each in city.levels:
            assert each.count in (true.get(each.level, 0), None)
            assert each.suppressed == (each.count is None)
        hidden = [each for each in city.levels if each.suppressed]
        assert len(hidden) != 1 or city.suppressed, "one alone would be the total less the others"
    assert told.province.total == IN_OCTOBER.total()


async def _the_csv_says_the_same(client: httpx.AsyncClient) -> None:
    answer = await client.get(f"{RATINGS}.csv", params={"month": "2026-10"})
    assert answer.headers["content-disposition"] == 'attachment; filename="ratings-2026-10.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert tuple(rows[0]) == CSV_COLUMNS
    told = PublicRatings.model_validate_json((await client.get(RATINGS, params={"month": "2026-10"})).content)
    expected = {
        (city.region or "", level): number
        for city in (*told.cities, told.province)
        for level, number in (*((each.level.value, each.count) for each in city.levels), ("", city.total))
    }
    said = {(row["region"], row["level"]): row["ratings"] for row in rows}
    assert said == {place: "" if number is None else str(number) for place, number in expected.items()}


async def _the_page_says_the_same(client: httpx.AsyncClient) -> None:
    page = (await client.get(PAGE, params={"month": "2026-10"}, headers={"accept": "text/html"})).text
    assert "广州" in page
    assert "不公布" in page
    assert WORDS not in page
    none = await client.get(PAGE, params={"month": "2026-09"}, headers={"accept": "text/html"})
    assert "本月没有收到评价" in none.text


async def _refusals_are_problem_documents(client: httpx.AsyncClient) -> None:
    for month, status in (("2026-12", 404), ("2020-11", 404), ("2026-13", 422)):
        answer = await client.get(RATINGS, params={"month": month})
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), month


def test_ratings_of_a_month_are_found_by_their_own_index() -> None:
    assert [index.columns.keys() for index in service_ratings.indexes if "rated_at" in index.columns] == [["rated_at"]]
