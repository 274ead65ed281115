"""How SQLite keeps an instant: fixed-width text that sorts as time does, and nothing else is read back."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects import sqlite

from adapters.storage.tables import UtcInstant, read_instant

DIALECT = sqlite.dialect()
OFFSETS = st.integers(-23, 23).map(lambda hours: timezone(timedelta(hours=hours)))
INSTANTS = st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31), timezones=OFFSETS)  # noqa: DTZ001 - zones are drawn


def written(at: datetime) -> str:
    return str(UtcInstant().process_bind_param(at, DIALECT))


def test_known_instants() -> None:
    assert written(datetime(2026, 3, 1, 8, 0, tzinfo=timezone(timedelta(hours=8)))) == "2026-03-01T00:00:00.000000Z"
    assert written(datetime(987, 1, 2, 3, 4, 5, 6, tzinfo=UTC)) == "0987-01-02T03:04:05.000006Z"


@given(INSTANTS)
def test_what_is_written_is_read_back(at: datetime) -> None:
    assert written(at) == at.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"
    read = read_instant(written(at))
    assert read == at
    assert read.utcoffset() == timedelta(0)


@given(INSTANTS, INSTANTS)
def test_text_sorts_as_time_does(one: datetime, other: datetime) -> None:
    assert (written(one) < written(other)) is (one < other)


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-01",
        "2026-03-01 00:00:00.000000Z",
        "2026-03-01T00:00:00.000000",
        "2026-03-01T00:00:00.000000+00:00",
        "2026-W09-7T00:00:00.000000Z",
        "2026-02-30T00:00:00.000000Z",
        "2026-03-01T00:00:00,000000Z",
        "2026-03-01T00:00:00.000000Z\n",
        "２０２６-03-01T00:00:00.000000Z",
    ],
)
def test_nothing_else_is_read(text: str) -> None:
    with pytest.raises(ValueError):
        read_instant(text)
