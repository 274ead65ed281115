"""Months and other spans of days in China, and when a month's figures are final. Pure."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from gateway.applications.claimed_times import DEFAULT_TOLERANCE
from gateway.clock import CHINA_TIME, date_in_china
from gateway.errors import Owner
from gateway.oversight.errors import PeriodRefused

FIRST_MONTH: Final = date(2020, 12, 1)
"""The rules hold from the last day of this month on."""
MOST_DAYS: Final = 3 * 366
EARLIEST, LATEST = date(2000, 1, 1), date(2100, 12, 31)
_MONTH: Final = re.compile(r"(20[0-9]{2})-(0[1-9]|1[0-2])")


@dataclass(frozen=True, order=True)
class Period:
    """China dates, both within it."""

    first: date
    last: date

    def __contains__(self, on: date) -> bool:
        return self.first <= on <= self.last

    @property
    def begins_at(self) -> datetime:
        """Its first instant, as aware UTC."""
        return datetime.combine(self.first, time.min, CHINA_TIME).astimezone(UTC)

    @property
    def ends_at(self) -> datetime:
        """The first instant after it, as aware UTC."""
        return datetime.combine(self.last + timedelta(days=1), time.min, CHINA_TIME).astimezone(UTC)


def period(first: date, last: date) -> Period:
    """The span. Raises ``PeriodRefused`` where it runs backwards, is longer than three years, or is far from now."""
    if not EARLIEST <= first <= last <= LATEST or (last - first).days >= MOST_DAYS:
        raise PeriodRefused(
            check="oversight.period", owner=Owner.CALLER, remedy="起始日期不得晚于截止日期，且一次至多三年"
        )
    return Period(first, last)


def month(text: str) -> Period:
    """The month ``2026-10``. Raises ``PeriodRefused``."""
    found = _MONTH.fullmatch(text)
    if found is None:
        raise PeriodRefused(check="oversight.month", owner=Owner.CALLER, remedy="月份写作 2026-10")
    return month_of(date(int(found[1]), int(found[2]), 1))


def month_of(on: date) -> Period:
    """The month that ``on`` lies in."""
    first = on.replace(day=1)
    following = (first + timedelta(days=32)).replace(day=1)
    return Period(first, following - timedelta(days=1))


def month_before(span: Period) -> Period:
    """The month before the one that ``span`` begins in."""
    return month_of(span.first - timedelta(days=1))


def month_name(span: Period) -> str:
    """``2026-10``."""
    return f"{span.first:%Y-%m}"


def final_from(span: Period) -> datetime:
    """From when on the figures of ``span`` change no more: an event may be claimed so much later than it happened."""
    return span.ends_at + DEFAULT_TOLERANCE.back + timedelta(hours=1)


def latest_final(at: datetime) -> Period:
    """The last month whose figures are final at the aware instant ``at``."""
    span = month_before(month_of(date_in_china(at)))
    return span if final_from(span) <= at else month_before(span)
