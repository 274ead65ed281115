"""One time for many, as ``asyncio.timeout``: a single timer looks after all who were given the same number of seconds.

A timer for each is set and cancelled with every exchange, and costs as much as reading the reply that it is for.
"""

import asyncio
from collections import deque
from types import TracebackType


class Deadlines:
    """``with deadlines.one():`` what takes longer than ``seconds`` is broken off. Of the event loop that runs."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._running: deque[_One] = deque()
        """In the order in which they began, which is that in which they are over."""
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def one(self) -> "_One":
        """For the task that runs. Raises ``TimeoutError`` in it once its time is over."""
        return _One(self)

    def begin(self, one: "_One") -> float:
        """Until when ``one`` has time, by the clock of the loop that runs."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._loop, self._timer = loop, None
            self._running.clear()
        until = loop.time() + self._seconds
        self._running.append(one)
        if self._timer is None:
            self._timer = loop.call_at(until, self._look)
        return until

    def ended(self) -> None:
        """One has ended; those that began before and ended, too, are remembered no longer."""
        while self._running and self._running[0].has_ended:
            self._running.popleft()

    def _look(self) -> None:
        self._timer = None
        assert self._loop is not None
        now = self._loop.time()
        while self._running and (self._running[0].has_ended or self._running[0].until <= now):
            self._running.popleft().break_off()
        if self._running:
            self._timer = self._loop.call_at(self._running[0].until, self._look)


class DeadlinesOf(dict[float, Deadlines]):
    """Those of a number of seconds; there are as many as a process was set up with."""

    def __missing__(self, seconds: float) -> Deadlines:
        deadlines = self[seconds] = Deadlines(seconds)
        return deadlines


class _One:
    """One of them. As ``asyncio.timeout`` it takes back its own cancellation, and no other."""

    __slots__ = ("_before", "_deadlines", "_over", "_task", "until")

    def __init__(self, deadlines: Deadlines) -> None:
        self._deadlines, self._over = deadlines, False
        self._task: asyncio.Task[object] | None = None

    @property
    def has_ended(self) -> bool:
        return self._task is None

    def break_off(self) -> None:
        """Its time is over, unless it has ended."""
        if self._task is not None:
            self._over = True
            self._task.cancel()

    def __enter__(self) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("only a task can be broken off")
        self._task, self._before = task, task.cancelling()
        self.until = self._deadlines.begin(self)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        task, self._task = self._task, None
        self._deadlines.ended()
        if self._over and task is not None and task.uncancel() <= self._before and kind is asyncio.CancelledError:
            raise TimeoutError from error
