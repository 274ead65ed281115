"""What the public is told of a month's ratings (好差评): by the month they were given in, by city and level. Pure.

A rating is given once and never changed, so a month has all of its ratings when it is over. It is another set than
``performance``, which counts by the month of completion: a rating may come a month later.
"""

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from gateway.clock import date_in_china
from gateway.oversight.figures import city_of
from gateway.oversight.performance import BYTE_ORDER_MARK
from gateway.oversight.periods import Period, month_before, month_of
from gateway.oversight.suppression import TOTAL, suppress
from gateway.ratings.model import BAD_LEVELS
from schemas.ratings import RatingLevel

CSV_COLUMNS: Final = ("month", "region", "level", "suppressed", "ratings")
SETTLES_IN: Final = timedelta(hours=1)
"""After its end no rating of a month is still being written, and clocks that differ a little agree on it."""


@dataclass(frozen=True)
class CityRatings:
    """``city`` None: all. ``levels`` from the best to the worst; a count is None where it is not published.

    ``content_percent`` – 基本满意 and better, whole percent, told only where it follows from counts that are told.
    """

    city: str | None
    total: int | None
    levels: tuple[tuple[RatingLevel, int | None], ...]
    content_percent: int | None


@dataclass(frozen=True)
class Satisfaction:
    """``cities`` in the order of their codes; ``province``: all of them together."""

    month: str
    cities: tuple[CityRatings, ...]
    province: CityRatings


def closed_from(span: Period) -> datetime:
    """From when on the ratings of the month ``span`` are all there."""
    return span.ends_at + SETTLES_IN


def latest_closed(at: datetime) -> Period:
    """The last month whose ratings are all there at the aware instant ``at``."""
    span = month_before(month_of(date_in_china(at)))
    return span if closed_from(span) <= at else month_before(span)


def publish_ratings(month: str, given: Iterable[tuple[str, RatingLevel, int]]) -> Satisfaction:
    """What may be told of ratings ``given``: (region, level, how many)."""
    counts: dict[tuple[str, RatingLevel], int] = {}
    for region, level, number in given:
        place = (city_of(region), level)
        counts[place] = counts.get(place, 0) + number
    cities = sorted({city for city, _ in counts})
    table = suppress(counts, cities, list(RatingLevel))

    def told(city: str | None) -> CityRatings:
        row = TOTAL if city is None else city
        levels = tuple((level, table.published(row, level)) for level in RatingLevel)
        return CityRatings(city, table.published(row, TOTAL), levels, _content(levels))

    return Satisfaction(month, tuple(told(city) for city in cities), told(None))


def _content(levels: Iterable[tuple[RatingLevel, int | None]]) -> int | None:
    """None also where there is none: a share of nothing is none."""
    numbers = dict(levels)
    known = [number for number in numbers.values() if number is not None]
    if len(known) < len(numbers) or not sum(known):
        return None
    content = sum(number or 0 for level, number in numbers.items() if level not in BAD_LEVELS)
    return round(100 * content / sum(known))


def as_csv(satisfaction: Satisfaction) -> str:
    """One line per city and level, RFC 4180; an empty ``region`` or ``level`` is all of them."""
    text = io.StringIO()
    text.write(BYTE_ORDER_MARK)
    lines = csv.writer(text)
    lines.writerow(CSV_COLUMNS)
    for city in (*satisfaction.cities, satisfaction.province):
        for level, number in _with_total(city):
            hidden = "true" if number is None else "false"
            lines.writerow((satisfaction.month, city.city or "", level, hidden, "" if number is None else number))
    return text.getvalue()


def _with_total(city: CityRatings) -> Iterator[tuple[str, int | None]]:
    yield from ((level.value, number) for level, number in city.levels)
    yield "", city.total
