"""What every wire model shares: instants, days and region codes, and what passes for none of them."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from schemas.wire import Day, Instant, RegionDigits, format_instant

INSTANT = TypeAdapter(Instant)
DAY = TypeAdapter(Day)
REGION = TypeAdapter(RegionDigits)


@pytest.mark.parametrize(
    "text",
    [
        "0001-01-01T00:00:00+08:00",
        "9999-12-31T23:59:59-08:00",
        "1899-12-31T23:59:59Z",
        "2026-01-01T00:00:00",
        "2026-01-01",
        "1700000000",
        "",
    ],
)
def test_what_is_no_instant_is_a_fault_of_the_request(text: str) -> None:
    with pytest.raises(ValidationError):
        INSTANT.validate_python(text)


def test_a_number_is_no_instant() -> None:
    with pytest.raises(ValidationError):
        INSTANT.validate_json("1700000000")


@given(st.datetimes(timezones=st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))))
def test_an_instant_is_taken_as_the_same_in_utc_or_refused(at: datetime) -> None:
    try:
        read = INSTANT.validate_python(at.isoformat())
    except ValidationError:
        return
    assert read == at
    assert read.tzinfo is UTC
    assert read.astimezone(timezone(timedelta(hours=14))) == read
    assert INSTANT.validate_python(format_instant(read)) - read < timedelta(milliseconds=1)


@given(st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=8))])).filter(lambda at: at.year > 1))
@example(datetime(2026, 3, 1, tzinfo=UTC))
@example(datetime(987, 1, 2, 3, 4, 5, 999, tzinfo=UTC))
@example(datetime.max.replace(tzinfo=UTC))
def test_an_instant_is_spelled_as_the_standard_library_does(at: datetime) -> None:
    assert format_instant(at) == at.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


@pytest.mark.parametrize("text", ["0001-01-01", "1700000000", "2026-1-1", "2026-01-01T00:00:00", "2026-02-30"])
def test_what_is_no_day_is_a_fault_of_the_request(text: str) -> None:
    with pytest.raises(ValidationError):
        DAY.validate_python(text)


def test_a_day_may_be_for_ever() -> None:
    assert DAY.validate_python("9999-12-31") == date.max


@pytest.mark.parametrize("code", ["440000", "440100", "440106", "441900003", "440106001002", "820000", "429004"])
def test_a_region_is_taken(code: str) -> None:
    assert REGION.validate_python(code) == code


@pytest.mark.parametrize("code", ["000000", "990101", "440001", "44010", "4401061", "４４０１０0", "440106\n"])
def test_a_code_that_no_region_can_have_is_refused(code: str) -> None:
    with pytest.raises(ValidationError):
        REGION.validate_python(code)
