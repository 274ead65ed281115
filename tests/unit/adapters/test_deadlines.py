"""One timer for many does for each of them what ``asyncio.timeout`` would."""

import asyncio
from collections.abc import Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.deadlines import Deadlines, DeadlinesOf

SHORT, LONG = 0.25, 30.0


@asynccontextmanager
async def by_deadlines(seconds: float, kept: DeadlinesOf):
    with kept[seconds].one():
        yield


def by_asyncio(seconds: float, _: DeadlinesOf):
    return asyncio.timeout(seconds)


async def told(work: Callable[[], Any]) -> str:
    try:
        await work()
    except BaseException as error:
        return type(error).__name__
    return "done"


CASES = [
    (0, SHORT, ""),
    (0, LONG, ""),
    (0.01, LONG, "fails"),
    (0.01, SHORT, "fails"),
    (LONG, SHORT, ""),
    (LONG, SHORT, "is cancelled"),
    (LONG, LONG, "is cancelled"),
]
"""How long it takes, how long it may, and how it ends."""


@settings(max_examples=6, deadline=None)
@given(st.lists(st.sampled_from(CASES), min_size=1, max_size=12))
def test_each_is_told_what_asyncio_would_tell_it(cases: list[tuple[float, float, str]]) -> None:
    async def one(within: Any, kept: DeadlinesOf, takes: float, may_take: float, ends: str) -> str:
        async def work() -> None:
            async with within(may_take, kept):
                await asyncio.sleep(takes)
                if ends == "fails":
                    raise ValueError("of its own")

        task = asyncio.ensure_future(told(work))
        if ends == "is cancelled":
            await asyncio.sleep(0.005)
            task.cancel()
        return await task

    async def all_of(within: Any) -> list[str]:
        kept = DeadlinesOf()
        return await asyncio.gather(*(one(within, kept, *case) for case in cases))

    assert asyncio.run(all_of(by_deadlines)) == asyncio.run(all_of(by_asyncio))


async def test_one_timer_is_set_however_many_come_and_go(monkeypatch: pytest.MonkeyPatch) -> None:
    loop, deadlines, timers = asyncio.get_running_loop(), Deadlines(LONG), []
    call_at = loop.call_at
    monkeypatch.setattr(loop, "call_at", lambda at, *rest: timers.append(at) or call_at(at, *rest))
    for _ in range(50):
        with deadlines.one():
            assert len(deadlines._running) == 1, "who ended is forgotten"
    assert (len(timers), len(deadlines._running)) == (1, 0)


async def test_who_is_slow_keeps_nobody_else_from_ending_and_is_broken_off_alone() -> None:
    deadlines, ended = Deadlines(SHORT), list[str]()

    async def one(name: str, takes: float) -> None:
        with deadlines.one():
            await asyncio.sleep(takes)
        ended.append(name)

    slow = asyncio.ensure_future(one("slow", 30))
    await asyncio.gather(*(one(f"quick {number}", 0) for number in range(3)))
    assert ended == [f"quick {number}" for number in range(3)]
    with pytest.raises(TimeoutError):
        await slow
    await asyncio.gather(*(one(f"later {number}", 0) for number in range(2)))
    assert len(ended) == 5
    assert not deadlines._running


def test_what_another_loop_left_behind_keeps_nobody_from_being_broken_off() -> None:
    deadlines = Deadlines(SHORT)

    async def begin_and_leave() -> None:
        asyncio.get_running_loop().call_soon(asyncio.get_running_loop().stop)
        with deadlines.one():
            await asyncio.sleep(30)

    loop = asyncio.new_event_loop()
    left = loop.create_task(begin_and_leave())
    loop.run_forever()

    async def late() -> None:
        with deadlines.one():
            await asyncio.sleep(30)

    with pytest.raises(TimeoutError):
        asyncio.run(asyncio.wait_for(late(), 10))
    left.cancel()
    loop.run_until_complete(asyncio.gather(left, return_exceptions=True))
    loop.close()


async def test_nested_ones_end_by_the_one_that_is_over() -> None:
    outer, inner, reached = Deadlines(SHORT), Deadlines(LONG), list[str]()

    async def within_both() -> None:
        with outer.one():
            try:
                with inner.one():
                    await asyncio.sleep(LONG)
            except asyncio.CancelledError:
                reached.append("cancelled within")
                raise

    with pytest.raises(TimeoutError):
        await within_both()
    assert reached == ["cancelled within"]
