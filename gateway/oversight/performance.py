"""What the public is told of a month: completed applications by city and class, with small cells suppressed. Pure.

Of a cell that is published: how many, and for the whole and each stage the median, the 90th percentile and the share
over the limit in whole percent. The longest duration is one applicant's, so it is not told. Which of the suppressed
cells are small, and which only cover others, is not told either: that alone could give a small one away.
"""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from gateway.applications.customer_classes import CustomerClass
from gateway.applications.stages import Stage, stages_of
from gateway.oversight.durations import Durations
from gateway.oversight.figures import CellFigures, Figures
from gateway.oversight.suppression import TOTAL, Suppressed, suppress

WHOLE: Final = "whole"
CSV_COLUMNS: Final = (
    *("month", "region", "customer_class", "measure", "suppressed", "completed"),
    *("limit_from_working_days", "limit_to_working_days", "median_working_days", "p90_working_days", "over_percent"),
)
BYTE_ORDER_MARK: Final = "\ufeff"
"""Spreadsheet programs take UTF-8 for what it is only with it."""


@dataclass(frozen=True)
class PublicDuration:
    """Working days against the limits that held (None: no limit). ``stage`` None is the whole."""

    stage: Stage | None
    limits: tuple[int, int] | None
    median: float
    p90: int
    over_percent: int | None


@dataclass(frozen=True)
class PublicCell:
    """A city (None: all) and a class (None: all). ``completed`` None: suppressed, and then nothing else is told."""

    city: str | None
    customer_class: CustomerClass | None
    completed: int | None
    durations: tuple[PublicDuration, ...] = ()


@dataclass(frozen=True)
class Performance:
    """``cells`` – cities in the order of their codes, all of them last; in each the classes, then all classes."""

    month: str
    cells: tuple[PublicCell, ...]

    @property
    def cities(self) -> list[str]:
        """The cities that were told of."""
        return list(dict.fromkeys(cell.city for cell in self.cells if cell.city is not None))

    def of_city(self, city: str | None) -> list[PublicCell]:
        """The cells of one city, or of all together."""
        return [cell for cell in self.cells if cell.city == city]


def publish_month(name: str, figures: Figures) -> Performance:
    """What of ``figures`` may be told."""
    counts = {place: cell.completed for place, cell in figures.cells.items()}
    cities = figures.cities
    table = suppress(counts, cities, list(CustomerClass))
    return Performance(name, tuple(_cells(figures, table, cities)))


def _cells(figures: Figures, table: Suppressed[str, CustomerClass], cities: list[str]) -> Iterator[PublicCell]:
    for city in (*cities, None):
        row = TOTAL if city is None else city
        for customer_class in CustomerClass:
            count = table.published(row, customer_class)
            cell = figures.total(city, customer_class) if count else CellFigures()
            yield PublicCell(city, customer_class, count, tuple(_durations(cell, customer_class)))
        yield PublicCell(city, None, table.published(row, TOTAL))


def _durations(cell: CellFigures, customer_class: CustomerClass) -> Iterator[PublicDuration]:
    for stage in (None, *stages_of(customer_class)):
        durations = cell.whole if stage is None else cell.stages.get(stage, Durations())
        if durations.median is None or durations.p90 is None:
            continue
        share = durations.share_over
        yield PublicDuration(
            stage, durations.limit_range, durations.median, durations.p90, None if share is None else round(share * 100)
        )


def as_csv(performance: Performance) -> str:
    """One line per cell and measure, RFC 4180; an empty ``region`` or ``customer_class`` is all of them."""
    text = io.StringIO()
    text.write(BYTE_ORDER_MARK)
    lines = csv.writer(text)
    lines.writerow(CSV_COLUMNS)
    for cell in performance.cells:
        about = (performance.month, cell.city or "", cell.customer_class or "")
        if not cell.durations:
            lines.writerow((*about, WHOLE, _truth(cell.completed is None), _told(cell.completed), *([""] * 5)))
        for each in cell.durations:
            first, last = each.limits or ("", "")
            lines.writerow(
                (
                    *(*about, each.stage or WHOLE, _truth(False), _told(cell.completed)),
                    *(first, last, f"{each.median:g}", each.p90, _told(each.over_percent)),
                )
            )
    return text.getvalue()


def _truth(value: bool) -> str:
    return "true" if value else "false"


def _told(value: int | None) -> int | str:
    return "" if value is None else value
