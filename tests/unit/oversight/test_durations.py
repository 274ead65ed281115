"""Statistics with known answers, and against the plain definitions."""

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.oversight.durations import Durations


def counted(*days: int, limit: int | None = None) -> Durations:
    durations = Durations()
    for each in days:
        durations.add(each, limit, over=limit is not None and each > limit)
    return durations


def test_nothing_counted_has_no_statistics() -> None:
    empty = Durations()
    assert (empty.count, empty.median, empty.p90, empty.worst, empty.share_over, empty.limit_range) == (
        *(0, None, None, None, None, None),
    )


@pytest.mark.parametrize(
    ("days", "median", "p90", "worst"),
    [
        ((3,), 3, 3, 3),
        ((1, 2), 1.5, 2, 2),
        ((1, 2, 3), 2, 3, 3),
        ((0, 0, 0, 10), 0, 10, 10),
        (tuple(range(1, 11)), 5.5, 9, 10),
        (tuple(range(1, 12)), 6, 10, 11),
        (tuple(range(1, 101)), 50.5, 90, 100),
    ],
)
def test_known_answers(days: tuple[int, ...], median: float, p90: int, worst: int) -> None:
    found = counted(*days)
    assert (found.median, found.p90, found.worst) == (median, p90, worst)


def test_the_share_over_is_of_those_that_have_a_limit() -> None:
    found = counted(1, 2, 3, 4, limit=3)
    found.merge(counted(9, 9, 9, 9))
    found.merge(counted(6, limit=5))
    assert (found.count, found.limited, found.over) == (9, 5, 2)
    assert found.share_over == pytest.approx(0.4)
    assert found.limit_range == (3, 5)


@pytest.mark.parametrize(("days", "limit", "over"), [(-1, 3, False), (4, None, True)])
def test_what_cannot_be_is_refused(days: int, limit: int | None, over: bool) -> None:
    with pytest.raises(ValueError):
        Durations().add(days, limit, over=over)


@given(st.lists(st.integers(0, 400), min_size=1), st.lists(st.integers(0, 400)))
def test_it_is_what_the_definitions_say_however_it_was_merged(some: list[int], more: list[int]) -> None:
    found = counted(*some)
    found.merge(counted(*more))
    every = sorted(some + more)
    assert found.median == statistics.median(every)
    assert found.worst == every[-1]
    assert found.p90 is not None
    assert sum(1 for each in every if each <= found.p90) * 10 >= 9 * len(every)
    assert sum(1 for each in every if each < found.p90) * 10 < 9 * len(every)
