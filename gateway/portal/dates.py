"""Dates and times as people read them, in China's time."""

from datetime import date, datetime

from gateway.clock import CHINA_TIME
from gateway.wording.phrases import day, moment

__all__ = ["day", "machine", "moment"]


def machine(value: date | datetime) -> str:
    """The same for the ``datetime`` attribute of ``<time>``."""
    return value.astimezone(CHINA_TIME).isoformat(timespec="seconds") if isinstance(value, datetime) else str(value)
