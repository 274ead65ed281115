"""Dates and times as people read them, in China's time."""

from datetime import date, datetime

from babel.dates import format_time

from gateway.clock import CHINA_TIME
from gateway.wording.phrases import Language, day

__all__ = ["day", "machine", "moment"]


def moment(value: datetime, language: Language) -> str:
    """The day and the time to the minute: ``2026年11月23日 14:05``."""
    return f"{day(value, language)} {format_time(value.astimezone(CHINA_TIME), 'HH:mm', locale='en_GB')}"


def machine(value: date | datetime) -> str:
    """The same for the ``datetime`` attribute of ``<time>``."""
    return value.astimezone(CHINA_TIME).isoformat(timespec="seconds") if isinstance(value, datetime) else str(value)
