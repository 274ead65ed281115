"""Counts in memory: the same answers as the library's own storage, at whatever times it is asked."""

import threading
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st
from limits import parse
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from gateway.http.counts import SWEEP_S, WindowCounts

START = 1_700_000_000.0
STEPS = st.lists(
    st.tuples(
        st.floats(0, 90, allow_nan=False),
        st.sampled_from(["a", "b"]),
        st.sampled_from(["hit", "test", "stats"]),
        st.integers(1, 3),
    ),
    min_size=1,
    max_size=60,
)


@given(limit=st.sampled_from(["1/second", "5/minute", "7/2 minute"]), steps=STEPS)
def test_every_answer_is_the_librarys(limit: str, steps: list[tuple[float, str, str, int]]) -> None:
    item, now = parse(limit), START
    with patch("limits.storage.memory.threading.Timer"), patch("time.time") as clock:
        clock.return_value = now
        counts = WindowCounts()
        ours, theirs = (SlidingWindowCounterRateLimiter(each) for each in (counts, MemoryStorage()))
        for pause, who, what, amount in steps:
            now += pause
            clock.return_value = now
            if what == "hit":
                assert ours.hit(item, who, cost=amount) == theirs.hit(item, who, cost=amount)
            elif what == "test":
                assert ours.test(item, who, cost=amount) == theirs.test(item, who, cost=amount)
                room = counts.has_room(item.key_for(who), item.amount, item.get_expiry())
                assert room == theirs.test(item, who)
            else:
                assert ours.get_window_stats(item, who).remaining == theirs.get_window_stats(item, who).remaining


def test_what_ran_out_is_forgotten() -> None:
    with patch("time.time", return_value=START) as clock:
        counts, item = WindowCounts(), parse("5/second")
        limiter = SlidingWindowCounterRateLimiter(counts)
        for number in range(1000):
            clock.return_value = START + number * SWEEP_S / 100
            limiter.hit(item, f"caller {number}")
    assert counts.reset() < 120


def test_no_thread_is_started() -> None:
    before = threading.active_count()
    limiter = SlidingWindowCounterRateLimiter(WindowCounts())
    limiter.hit(parse("5/minute"), "caller")
    assert threading.active_count() == before


def test_a_cleared_key_begins_anew() -> None:
    limiter, item = SlidingWindowCounterRateLimiter(WindowCounts()), parse("1/minute")
    assert [limiter.hit(item, "caller") for _ in range(2)] == [True, False]
    limiter.clear(item, "caller")
    assert limiter.hit(item, "caller")


def test_there_is_room_exactly_as_long_as_one_more_would_be_counted() -> None:
    counts, found = WindowCounts(), []
    with patch("time.time", return_value=START) as clock:
        for second in range(0, 240, 5):
            clock.return_value = START + second
            found.append(counts.has_room("caller", 5, 60))
            assert found[-1] == counts.count("caller", 5, 60)
        assert set(found) == {True, False}
        while counts.count("caller", 5, 60):
            pass
        clock.return_value = START + 1000  # what was counted is long over
        assert counts.has_room("caller", 5, 60)
