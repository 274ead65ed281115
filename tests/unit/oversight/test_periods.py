"""Months and days in China, and when a month is final."""

from datetime import UTC, date, datetime, timedelta

import pytest

from gateway.oversight.errors import PeriodRefused
from gateway.oversight.periods import Period, final_from, latest_final, month, month_name, period


def test_a_month_is_its_days_in_china() -> None:
    february = month("2024-02")
    assert (february.first, february.last) == (date(2024, 2, 1), date(2024, 2, 29))
    assert february.begins_at == datetime(2024, 1, 31, 16, 0, tzinfo=UTC)
    assert february.ends_at == datetime(2024, 2, 29, 16, 0, tzinfo=UTC)
    assert month_name(february) == "2024-02"


@pytest.mark.parametrize(("at", "name"), [(timedelta(0), "2026-10"), (-timedelta(seconds=1), "2026-09")])
def test_a_month_is_final_when_no_event_of_it_can_still_be_claimed(at: timedelta, name: str) -> None:
    assert month_name(latest_final(final_from(month("2026-10")) + at)) == name


@pytest.mark.parametrize("text", ["2026-00", "2026-13", "1999-12", "2026-1", "２０２６-10", "2026-10\n", ""])
def test_what_is_no_month_is_refused(text: str) -> None:
    with pytest.raises(PeriodRefused):
        month(text)


@pytest.mark.parametrize(
    ("first", "last"),
    [
        ((2026, 2, 1), (2026, 1, 31)),
        ((2020, 1, 1), (2026, 1, 1)),
        ((9999, 1, 1), (9999, 12, 31)),
        ((1, 1, 1), (1, 1, 2)),
    ],
)
def test_a_span_runs_forwards_and_not_for_ever(first: tuple[int, int, int], last: tuple[int, int, int]) -> None:
    with pytest.raises(PeriodRefused):
        period(date(*first), date(*last))


def test_one_day_is_a_span() -> None:
    day = date(2026, 3, 2)
    assert day in period(day, day)
    assert day + timedelta(days=1) not in Period(day, day)
