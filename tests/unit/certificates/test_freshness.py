"""How old may what an answer rests on be: each end of each limit, one second to either side."""

from datetime import timedelta

import pytest

from gateway.certificates.freshness import CLOCK_SKEW, BasisState, FreshnessLimit
from tests.support.x509_writer import AT, DAY, HOUR

SECOND = timedelta(seconds=1)
FRESH, STALE, REFUSED = BasisState.FRESH, BasisState.STALE_PERMITTED, BasisState.REFUSED


@pytest.mark.parametrize(
    ("age", "state"),
    [
        (-CLOCK_SKEW - SECOND, REFUSED),
        (-CLOCK_SKEW, FRESH),
        (timedelta(), FRESH),
        (HOUR, FRESH),
        (HOUR + SECOND, STALE),
        (DAY, STALE),
        (DAY + SECOND, REFUSED),
    ],
)
def test_the_ends_of_a_limit_are_part_of_it(age: timedelta, state: BasisState) -> None:
    assert FreshnessLimit(HOUR, DAY).judge("x", AT - age, AT).state is state


@pytest.mark.parametrize(
    ("fresh", "permitted", "step"),
    [
        (DAY, 7 * DAY, timedelta(minutes=10)),
        (timedelta(minutes=5), DAY, timedelta(seconds=3)),
        (timedelta(), DAY, timedelta(minutes=10)),
        (timedelta(), HOUR, timedelta(seconds=36)),
        (timedelta(), timedelta(), timedelta()),
    ],
)
def test_a_copys_time_moves_on_in_steps_that_are_a_small_part_of_what_it_is_judged_by(
    fresh: timedelta, permitted: timedelta, step: timedelta
) -> None:
    assert FreshnessLimit(fresh, permitted).step == step


def test_past_its_own_end_it_is_stale_at_best_and_refused_where_nothing_stale_is_permitted() -> None:
    for permitted, past in ((DAY, STALE), (HOUR, REFUSED)):
        limit = FreshnessLimit(HOUR, permitted)
        assert limit.judge("x", AT - SECOND, AT, expires_at=AT).state is FRESH
        assert limit.judge("x", AT - SECOND, AT, expires_at=AT - SECOND).state is past
