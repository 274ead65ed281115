"""What was seen is told for as long as it has to be, however much there is of it."""

from datetime import UTC, datetime, timedelta
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import Overloaded
from gateway.partners import replay
from gateway.partners.replay import ReplayMemory

NOW = datetime(2026, 11, 30, tzinfo=UTC)
WINDOW = timedelta(seconds=80)
KEYS = st.tuples(st.sampled_from(["utility", "department", ""]), st.text(max_size=3) | st.sampled_from(["\ud800", "a"]))


@given(st.lists(st.tuples(KEYS, st.integers(0, 30)), max_size=60))
def test_each_is_new_once_and_again_only_when_its_window_is_over(asked) -> None:
    memory, first, at = ReplayMemory(WINDOW), {}, NOW
    for key, seconds in asked:
        at += timedelta(seconds=seconds)
        if memory.first_seen(*key, at):
            assert key not in first or at - first[key] >= WINDOW
            first[key] = at
        else:
            assert at - first[key] < WINDOW * 1.25


@given(st.lists(st.sampled_from([0, 1, -1, 2048, 4096, -2048, 2047, 2**62, -(2**63)]), max_size=40))
def test_keys_that_crowd_together_are_told_apart(numbers) -> None:
    """Whatever their numbers are, also those whose slots are the same; 0 and 1 alone look alike."""
    memory, seen = ReplayMemory(WINDOW), set()
    for number in numbers:
        with patch.object(replay, "hash", lambda _, number=number: number, create=True):
            assert memory.first_seen("utility", "any", NOW) == ((number or 1) not in seen)
        seen.add(number or 1)


def test_nothing_is_lost_as_it_grows() -> None:
    memory = ReplayMemory(WINDOW)
    for generation in range(3):
        at = NOW + generation * WINDOW / 4
        assert all(memory.first_seen("utility", f"{generation}-{number}", at) for number in range(5000))
    assert not any(
        memory.first_seen("utility", f"{generation}-{number}", at) for generation in range(3) for number in range(5000)
    )


def test_about_as_many_as_before_take_no_more_room() -> None:
    memory, at = ReplayMemory(WINDOW), NOW
    for quarter, keys in enumerate([4000, 4000, 4300, 4500, 4200]):
        for number in range(keys):
            assert memory.first_seen("utility", f"{quarter}-{number}", at)
        at += WINDOW / 4
    assert max(generation.size for generation in memory._generations) < 2.5 * 4500


def test_when_it_is_full_it_refuses_until_something_is_forgotten() -> None:
    memory = ReplayMemory(WINDOW, capacity=2)
    assert memory.first_seen("utility", "a", NOW)
    assert memory.first_seen("utility", "b", NOW)
    with pytest.raises(Overloaded) as refused:
        memory.first_seen("utility", "c", NOW)
    assert (refused.value.check, refused.value.retry_after) == ("replay.capacity", 100)
    assert not memory.first_seen("utility", "a", NOW)
    assert memory.first_seen("utility", "c", NOW + timedelta(seconds=100))
