from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from gateway.delivery.backoff import LATE, Backoff, tried
from tests.support.storage import NOON

BACKOFF = Backoff(timedelta(seconds=1), timedelta(minutes=10), timedelta(days=3))


@given(attempt=st.integers(1, 10_000), chance=st.floats(0, 1, exclude_max=True))
def test_a_wait_lies_under_the_ceiling_and_is_never_none_before_it_is_time_to_give_up(
    attempt: int, chance: float
) -> None:
    due = BACKOFF.next_attempt_at(attempt, timedelta(), NOON, chance)
    assert due is not None
    assert timedelta(0) < due - NOON <= min(timedelta(seconds=2 ** min(attempt - 1, 20)), timedelta(minutes=10))


@given(retry_after=st.integers(0, 10**9), chance=st.floats(0, 1, exclude_max=True))
def test_a_receiver_is_not_asked_again_sooner_than_it_said(retry_after: int, chance: float) -> None:
    due = BACKOFF.next_attempt_at(1, timedelta(), NOON, chance, retry_after)
    assert due is not None
    assert due - NOON >= timedelta(seconds=min(retry_after, 86_400))


def test_after_the_set_time_it_gives_up() -> None:
    assert BACKOFF.next_attempt_at(9, timedelta(days=3), NOON, 0.5) is None
    assert BACKOFF.next_attempt_at(9, timedelta(days=2, hours=23), NOON, 0.5) is not None


@given(
    planned=st.timedeltas(timedelta(0), timedelta(days=1)),
    late=st.timedeltas(timedelta(days=-4000), timedelta(days=4000)),
)
def test_neither_a_moved_clock_nor_a_pause_counts_for_more_than_was_planned(
    planned: timedelta, late: timedelta
) -> None:
    counted = tried(NOON, NOON + planned, NOON + planned + late)
    assert timedelta(0) <= counted <= planned + LATE
    if timedelta(0) <= late <= LATE:
        assert counted == planned + late
