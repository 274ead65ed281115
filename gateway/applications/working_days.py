"""Working days (工作日) by the State Council's calendar, make-up workdays (调休) included.

The counting rule, one and the same everywhere:

1. The day something is received or begins is not counted; counting starts on the next working day. A limit of *n*
   working days from ``start_on`` ends with the *n*-th counted working day, at the end of that day in China.
2. A working day on which the clock stood still, even for a part of it, is not counted (行政许可法第四十五条: the time
   that a hearing, an expert review and the like need is not part of the limit). So both the day a pause begins and
   the day it ends are left out, and whoever is bound by the limit always has whole days. A pause that begins after
   the limit has passed does not bring it back.
3. ``chinesecalendar`` knows the published years. Past them weekdays are counted and the answer is *provisional*,
   unless an operator has entered the day, or has declared the year complete.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import chinese_calendar

from gateway.clock import CHINA_TIME, date_in_china

ONE_DAY = timedelta(days=1)
SATURDAY = 5
MOST_REMEMBERED = 20_000
"""Days, more than fifty years of them."""


@dataclass(frozen=True)
class Pause:
    """A span in which a clock stands still: from the aware instant ``from_at`` to ``until_at`` (None: still does)."""

    from_at: datetime
    until_at: datetime | None
    reason: str


@dataclass(frozen=True)
class Deadline:
    """The last day of a limit, a date in China; ``provisional`` when the calendar of a day counted is not published."""

    due_on: date
    provisional: bool

    @property
    def due_at(self) -> datetime:
        """The last instant of ``due_on`` in China, as aware UTC; what happens later is over the limit."""
        return end_of_day(self.due_on)


def end_of_day(on: date) -> datetime:
    """The last instant of the China date ``on``, as aware UTC."""
    return datetime.combine(on, time.max, CHINA_TIME).astimezone(UTC)


def stopped_days(pauses: Iterable[Pause], at: datetime) -> frozenset[date]:
    """The China dates on which a clock stood still, as known at ``at``; a pause that runs on is taken up to ``at``."""
    days: set[date] = set()
    for pause in pauses:
        day = date_in_china(pause.from_at)
        last = date_in_china(at if pause.until_at is None else pause.until_at)
        while day <= last:
            days.add(day)
            day += ONE_DAY
    return frozenset(days)


class WorkingCalendar:
    """Which days of China are working days.

    ``operator_rows`` (date → is it a working day) come before the library; ``complete_years`` are years whose every
    departure from the plain week an operator has entered, so that nothing of them is provisional any more.
    """

    def __init__(self, operator_rows: Mapping[date, bool] | None = None, complete_years: Collection[int] = ()) -> None:
        self._rows = dict(operator_rows or {})
        self._complete_years = frozenset(complete_years)
        self._remembered: dict[date, tuple[bool, bool]] = {}

    def basis(self) -> str:
        """What its answers rest on: the published calendar's version, and what operators entered."""
        return repr((chinese_calendar.__version__, sorted(self._rows.items()), sorted(self._complete_years)))

    def is_working_day(self, on: date) -> bool:
        """Whether ``on`` is a working day; past the published years a weekday is taken for one (see ``is_known``)."""
        return self._look_up(on)[0]

    def is_known(self, on: date) -> bool:
        """Whether the answer for ``on`` rests on a published calendar or an operator's row."""
        return self._look_up(on)[1]

    def add_working_days(self, start_on: date, n: int, stopped: Collection[date] = frozenset()) -> Deadline:
        """The deadline of ``n`` working days (≥0) from ``start_on``, which is not counted, nor are ``stopped`` days."""
        if n < 0:
            raise ValueError("a limit is not negative")
        day, provisional = start_on, False
        while n > 0:
            day += ONE_DAY
            if day in stopped:
                continue
            working, known = self._look_up(day)
            provisional = provisional or not known
            n -= working
        return Deadline(day, provisional)

    def working_days_between(self, after_on: date, through_on: date, stopped: Collection[date] = frozenset()) -> int:
        """How many working days lie after ``after_on`` up to and with ``through_on``, ``stopped`` days left out."""
        span = range(1, (through_on - after_on).days + 1)
        days = (after_on + timedelta(days=offset) for offset in span)
        return sum(1 for day in days if day not in stopped and self.is_working_day(day))

    def all_known(self, after_on: date, through_on: date) -> bool:
        """Whether every day after ``after_on`` up to and with ``through_on`` is known."""
        return all(
            self.is_known(after_on + timedelta(days=offset)) for offset in range(1, (through_on - after_on).days + 1)
        )

    def _look_up(self, on: date) -> tuple[bool, bool]:
        """(is a working day, is known). Remembered: the library takes long, and the same days are asked for again."""
        found = self._remembered.get(on)
        if found is None:
            found = self._ask(on)
            if len(self._remembered) < MOST_REMEMBERED:
                self._remembered[on] = found
        return found

    def _ask(self, on: date) -> tuple[bool, bool]:
        if on in self._rows:
            return self._rows[on], True
        try:
            return chinese_calendar.is_workday(on), True
        except NotImplementedError:
            return on.weekday() < SATURDAY, on.year in self._complete_years


@dataclass(frozen=True)
class ClockReading:
    """How a limit stands, as known at one instant.

    ``limit_working_days`` is None where the rules set no limit; ``due_on``/``due_at`` are None then. While
    ``stopped``, the due day is the earliest it can be. ``ended_at`` is when the clock ended for good, or None.
    """

    started_on: date
    limit_working_days: int | None
    due_on: date | None
    due_at: datetime | None
    provisional: bool
    used_working_days: int
    over: bool
    stopped: bool
    ended_at: datetime | None


def read_clock(
    calendar: WorkingCalendar,
    *,
    started_on: date,
    limit_working_days: int | None,
    pauses: Collection[Pause],
    ended_at: datetime | None,
    at: datetime,
) -> ClockReading:
    """Read a clock at the aware instant ``at``: due, used, and over when it ended, or still runs, past its due day."""
    read_at = at if ended_at is None else ended_at
    read_on = date_in_china(read_at)
    stopped = stopped_days(pauses, read_at)
    deadline = (
        None if limit_working_days is None else calendar.add_working_days(started_on, limit_working_days, stopped)
    )
    return ClockReading(
        started_on=started_on,
        limit_working_days=limit_working_days,
        due_on=deadline.due_on if deadline else None,
        due_at=deadline.due_at if deadline else None,
        provisional=(deadline is not None and deadline.provisional) or not calendar.all_known(started_on, read_on),
        used_working_days=calendar.working_days_between(started_on, read_on, stopped),
        over=deadline is not None and read_at > deadline.due_at,
        stopped=ended_at is None and any(pause.until_at is None for pause in pauses),
        ended_at=ended_at,
    )
