"""A month's ratings: by the month they were given in, and only what no reader can trace to few people."""

import csv
import io
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.oversight.periods import month, month_of
from gateway.oversight.satisfaction import CSV_COLUMNS, as_csv, closed_from, latest_closed, publish_ratings
from gateway.oversight.suppression import SMALL
from schemas.ratings import RatingLevel

BEST, GOOD, FAIR, BAD, WORST = RatingLevel


def test_counts_and_shares_of_a_city() -> None:
    told = publish_ratings("2026-10", [("440106", BEST, 40), ("440103001", BEST, 10), ("440106", WORST, 10)])
    (city,) = told.cities
    assert (city.city, city.total, dict(city.levels)) == ("440100", 60, {BEST: 50, GOOD: 0, FAIR: 0, BAD: 0, WORST: 10})
    assert (city.content_percent, told.province.content_percent) == (83, 83)


def test_a_small_count_takes_its_share_and_another_count_with_it() -> None:
    told = publish_ratings("2026-10", [("440106", BEST, 40), ("440106", GOOD, 20), ("440106", BAD, 2)])
    (city,) = told.cities
    levels = dict(city.levels)
    assert levels[BAD] is None
    assert [levels[BEST], levels[GOOD], city.total].count(None) >= 1, "alone it would be the total less the others"
    assert city.content_percent is None, "40 and 20 of 62 would tell it"


def test_a_month_without_ratings_says_so() -> None:
    told = publish_ratings("2026-10", [])
    assert (told.cities, told.province.total, told.province.content_percent) == ((), 0, None)


@given(
    st.dictionaries(
        st.tuples(st.sampled_from(["440106", "440306", "441900"]), st.sampled_from(list(RatingLevel))),
        st.integers(0, 30),
    )
)
@settings(max_examples=200, deadline=None)
def test_whatever_is_given_no_small_count_is_told_nor_a_share_that_gives_one_away(
    counts: dict[tuple[str, RatingLevel], int],
) -> None:
    told = publish_ratings("2026-10", [(region, level, number) for (region, level), number in counts.items()])
    for city in (*told.cities, told.province):
        numbers = [number for _, number in city.levels]
        assert not [each for each in (*numbers, city.total) if each is not None and 0 < each < SMALL]
        if None in numbers:
            assert city.content_percent is None
        elif city.total is not None:
            assert city.total == sum(number or 0 for number in numbers)
    lines = list(csv.DictReader(io.StringIO(as_csv(told).removeprefix("\ufeff"))))
    assert len(lines) == 6 * (len(told.cities) + 1)
    assert all((line["suppressed"] == "true") == (line["ratings"] == "") for line in lines)


def test_the_columns_of_the_csv() -> None:
    lines = as_csv(publish_ratings("2026-10", [("440106", BEST, 7)])).splitlines()
    assert lines[0] == "\ufeff" + ",".join(CSV_COLUMNS)
    assert lines[1] == "2026-10,440100,very_satisfied,false,7"
    assert lines[-1] == "2026-10,,,false,7"


@pytest.mark.parametrize(
    ("minutes", "latest"),
    [(-1, date(2026, 9, 1)), (0, date(2026, 9, 1)), (59, date(2026, 9, 1)), (60, date(2026, 10, 1))],
)
def test_a_month_is_told_once_no_rating_of_it_is_still_being_written(minutes: int, latest: date) -> None:
    """November begins in China at 16:00 UTC of the 31st."""
    at = datetime(2026, 10, 31, 16, 0, tzinfo=UTC) + timedelta(minutes=minutes)
    assert latest_closed(at) == month_of(latest)
    assert (closed_from(month("2026-10")) <= at) == (minutes >= 60)
