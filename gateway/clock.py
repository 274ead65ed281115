"""The only reader of the time. Everything deeper is told the time by its caller."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone

Clock = Callable[[], datetime]
"""Answers an aware UTC datetime."""

CHINA_TIME = timezone(timedelta(hours=8), "UTC+8")
"""China keeps one time all year and has had no daylight saving since 1991, so an offset says it all."""

END_OF_TIME = datetime.max.replace(tzinfo=UTC)
"""Later than anything that is dated."""


def system_clock() -> datetime:
    """Now, as an aware UTC datetime."""
    return datetime.now(UTC)


def date_in_china(at: datetime) -> date:
    """The calendar date in China at the aware instant ``at``; rules count days by it."""
    return at.astimezone(CHINA_TIME).date()


def start_of_day_in_china(on: date) -> datetime:
    """The instant at which the date ``on`` begins in China."""
    return datetime(on.year, on.month, on.day, tzinfo=CHINA_TIME)


def written_in_china(at: datetime) -> str:
    """The aware instant ``at`` for people, in China time; what would be the year 10000 there, as it stands in UTC."""
    try:
        return at.astimezone(CHINA_TIME).strftime("%Y-%m-%d %H:%M:%S +08:00")
    except OverflowError:
        return at.strftime("%Y-%m-%d %H:%M:%SZ")
