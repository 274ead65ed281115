"""Working days of 2026 as the State Council published them, the counting rule, and honesty past the known years."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.applications.working_days import Pause, WorkingCalendar, end_of_day, read_clock, stopped_days
from gateway.clock import CHINA_TIME, date_in_china

CALENDAR = WorkingCalendar()
MAKE_UP_DAYS = ["01-04", "02-14", "02-28", "05-09", "09-20", "10-10"]
# 元旦, 春节, 清明, 劳动节, 端午, 中秋, 国庆
HOLIDAYS = [
    ("01-01", 3),
    ("02-15", 9),
    ("04-04", 3),
    ("05-01", 5),
    ("06-19", 3),
    ("09-25", 3),
    ("10-01", 7),
]


def day_of_2026(text: str) -> date:
    return date.fromisoformat(f"2026-{text}")


def china(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=CHINA_TIME).astimezone(UTC)


@pytest.mark.parametrize("text", MAKE_UP_DAYS)
def test_a_make_up_day_is_worked_although_it_is_a_weekend(text):
    on = day_of_2026(text)
    assert on.weekday() >= 5
    assert CALENDAR.is_working_day(on)


@pytest.mark.parametrize(("start", "length"), HOLIDAYS)
def test_no_day_of_a_public_holiday_is_worked(start, length):
    days = [day_of_2026(start) + timedelta(days=offset) for offset in range(length)]
    assert not any(CALENDAR.is_working_day(on) for on in days)


def test_every_other_day_of_2026_follows_the_week():
    special = {day_of_2026(text) for text in MAKE_UP_DAYS}
    special |= {day_of_2026(start) + timedelta(days=n) for start, length in HOLIDAYS for n in range(length)}
    days = [date(2026, 1, 1) + timedelta(days=n) for n in range(365)]
    assert all(CALENDAR.is_working_day(on) == (on.weekday() < 5) for on in days if on not in special)
    assert all(CALENDAR.is_known(on) for on in days)


@pytest.mark.parametrize(
    ("start", "n", "due"),
    [
        ("11-23", 0, "11-23"),
        ("11-23", 1, "11-24"),  # the day of receipt is not counted
        ("11-23", 5, "11-30"),
        ("11-27", 1, "11-30"),  # Friday to Monday
        ("11-28", 1, "11-30"),  # received on a Saturday: counting starts on Monday
        ("02-13", 1, "02-14"),  # Saturday, made up
        ("02-13", 2, "02-24"),  # then nine days of Spring Festival
        ("09-30", 3, "10-10"),  # National Day ends on the 7th; the 10th is a Saturday made up
        ("01-03", 1, "01-04"),
    ],
)
def test_deadlines_of_2026(start, n, due):
    deadline = CALENDAR.add_working_days(day_of_2026(start), n)
    assert (deadline.due_on, deadline.provisional) == (day_of_2026(due), False)


def test_the_end_of_a_day_is_chinas_and_in_utc():
    deadline = CALENDAR.add_working_days(date(2026, 11, 23), 1)
    assert deadline.due_at == datetime(2026, 11, 24, 15, 59, 59, 999999, tzinfo=UTC)
    assert deadline.due_at.tzinfo is UTC
    assert date_in_china(deadline.due_at) == deadline.due_on


def test_past_the_known_years_a_deadline_is_provisional():
    assert CALENDAR.add_working_days(date(2026, 12, 30), 1).provisional is False
    deadline = CALENDAR.add_working_days(date(2026, 12, 30), 2)
    assert (deadline.due_on, deadline.provisional) == (date(2027, 1, 1), True)
    assert not CALENDAR.is_known(date(2027, 1, 1))


def test_an_operators_row_is_known_and_comes_before_the_library():
    calendar = WorkingCalendar({date(2027, 1, 1): False, date(2027, 1, 4): True, date(2026, 11, 24): False})
    assert calendar.add_working_days(date(2026, 11, 23), 1).due_on == date(2026, 11, 25)
    deadline = calendar.add_working_days(date(2026, 12, 31), 1)
    assert (deadline.due_on, deadline.provisional) == (date(2027, 1, 4), True)  # 2nd and 3rd are still guesses


def test_a_year_declared_complete_is_not_provisional():
    calendar = WorkingCalendar({date(2027, 1, 1): False}, complete_years=[2027])
    deadline = calendar.add_working_days(date(2026, 12, 31), 1)
    assert (deadline.due_on, deadline.provisional) == (date(2027, 1, 4), False)


def test_a_negative_limit_is_an_error():
    with pytest.raises(ValueError, match="negative"):
        CALENDAR.add_working_days(date(2026, 11, 23), -1)


@pytest.mark.parametrize(
    ("from_at", "until_at", "due"),
    [
        ("2026-11-25T10:00", "2026-11-27T17:00", "12-03"),  # Wednesday to Friday: three days are left out
        ("2026-11-25T10:00", "2026-11-25T11:00", "12-01"),  # an hour: that day is left out
        ("2026-11-27T18:00", "2026-11-30T08:00", "12-02"),  # over a weekend: Friday and Monday
        ("2026-11-28T09:00", "2026-11-29T09:00", "11-30"),  # a weekend alone costs nothing
        ("2026-11-30T23:00", "2026-12-02T09:00", "12-03"),  # begun on the due day itself
        ("2026-12-01T09:00", "2026-12-04T09:00", "11-30"),  # begun after the limit had passed
        ("2026-11-25T00:30", "2026-11-25T01:00", "12-01"),  # the day is China's, not UTC's
    ],
)
def test_a_pause_moves_the_deadline_by_the_days_it_touches(from_at, until_at, due):
    pause = Pause(china(from_at), china(until_at), "补正")
    stopped = stopped_days([pause], china("2026-12-31T09:00"))
    deadline = CALENDAR.add_working_days(date(2026, 11, 23), 5, stopped)
    assert deadline.due_on == day_of_2026(due)


def test_overlapping_pauses_count_once():
    one = Pause(china("2026-11-25T10:00"), china("2026-11-26T10:00"), "补正")
    other = Pause(china("2026-11-26T09:00"), china("2026-11-27T10:00"), "专家评审")
    assert stopped_days([one, other], china("2026-12-31T09:00")) == {date(2026, 11, n) for n in (25, 26, 27)}


def test_an_open_pause_keeps_the_clock_from_running_over():
    pause = Pause(china("2026-11-25T10:00"), None, "补正")
    reading = read_clock(
        CALENDAR,
        started_on=date(2026, 11, 23),
        limit_working_days=5,
        pauses=[pause],
        ended_at=None,
        at=china("2026-12-31T09:00"),
    )
    assert (reading.stopped, reading.over, reading.used_working_days) == (True, False, 1)


@pytest.mark.parametrize(
    ("ended", "over", "used"),
    [("2026-11-30T23:59", False, 5), ("2026-12-01T00:00", True, 6), ("2026-11-24T12:00", False, 1)],
)
def test_over_means_ended_after_the_last_instant_of_the_due_day(ended, over, used):
    reading = read_clock(
        CALENDAR,
        started_on=date(2026, 11, 23),
        limit_working_days=5,
        pauses=[],
        ended_at=china(ended),
        at=china("2026-12-31T09:00"),
    )
    assert (reading.over, reading.used_working_days, reading.due_on) == (over, used, date(2026, 11, 30))


def test_a_clock_without_a_limit_is_never_over():
    reading = read_clock(
        CALENDAR,
        started_on=date(2026, 11, 23),
        limit_working_days=None,
        pauses=[],
        ended_at=None,
        at=china("2026-12-31T09:00"),
    )
    assert (reading.due_on, reading.due_at, reading.over) == (None, None, False)
    assert reading.used_working_days > 5


@given(start=st.dates(date(2024, 1, 1), date(2026, 9, 1)), n=st.integers(1, 60))
def test_a_deadline_is_a_working_day_exactly_n_working_days_away(start, n):
    due_on = CALENDAR.add_working_days(start, n).due_on
    assert CALENDAR.is_working_day(due_on)
    assert CALENDAR.working_days_between(start, due_on) == n


@given(
    n=st.integers(1, 30),
    pauses=st.lists(st.tuples(st.integers(0, 900), st.integers(0, 400)), max_size=4),
)
def test_a_pause_never_brings_a_deadline_forward_and_the_days_used_still_add_up(n, pauses):
    start_at = china("2026-03-02T09:00")
    spans = [
        Pause(start_at + timedelta(hours=a), start_at + timedelta(hours=a + length), "补正") for a, length in pauses
    ]
    start_on, at = date(2026, 3, 2), china("2026-12-31T00:00")
    due_on = CALENDAR.add_working_days(start_on, n, stopped_days(spans, at)).due_on
    assert due_on >= CALENDAR.add_working_days(start_on, n).due_on
    assert CALENDAR.working_days_between(start_on, due_on, stopped_days(spans, at)) == n
    assert end_of_day(due_on) > start_at
