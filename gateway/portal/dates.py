"""Dates and times as people read them, in China's time."""

from datetime import date, datetime

from babel.dates import format_date, format_time

from gateway.clock import CHINA_TIME
from gateway.portal.preferences import Language


def day(value: date | datetime, language: Language) -> str:
    """``2026年11月23日`` or ``23 November 2026``; an instant is the day that it is in China."""
    on = value.astimezone(CHINA_TIME).date() if isinstance(value, datetime) else value
    if language is Language.CHINESE:
        return f"{on.year}年{on.month}月{on.day}日"
    return format_date(on, "d MMMM y", locale="en_GB")


def moment(value: datetime, language: Language) -> str:
    """The day and the time to the minute: ``2026年11月23日 14:05``."""
    return f"{day(value, language)} {format_time(value.astimezone(CHINA_TIME), 'HH:mm', locale='en_GB')}"


def machine(value: date | datetime) -> str:
    """The same for the ``datetime`` attribute of ``<time>``."""
    return value.astimezone(CHINA_TIME).isoformat(timespec="seconds") if isinstance(value, datetime) else str(value)
