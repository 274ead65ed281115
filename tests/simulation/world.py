"""Virtual time: a clock that only the simulation moves, what is to happen when, and what happened."""

import hashlib
import heapq
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import IO, Any

Action = Callable[[], Awaitable[str | None]]
"""One step; it answers in a few words how it ended, None where nothing worth telling happened."""
TAIL = 40


class VirtualClock:
    """Answers the time that the agenda has come to."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at

    def ticks(self) -> float:
        """Seconds, for whoever measures spans."""
        return self.at.timestamp()


@dataclass(order=True)
class Step:
    """``background`` steps recur for as long as there are others."""

    at: datetime
    number: int
    name: str = field(compare=False)
    action: Action = field(compare=False)
    background: bool = field(compare=False, default=False)


class Agenda:
    """What is to happen, by time and, at one time, in the order in which it was put down."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._steps: list[Step] = []
        self._numbers = 0
        self.foreground = 0

    def at(self, when: datetime, name: str, action: Action, *, background: bool = False) -> None:
        """``when`` that has passed is now; the wire knows milliseconds, and so does the agenda."""
        when = when.replace(microsecond=when.microsecond // 1000 * 1000)
        self._numbers += 1
        self.foreground += not background
        heapq.heappush(self._steps, Step(max(when, self._clock.at), self._numbers, name, action, background))

    def after(self, name: str, action: Action, *, background: bool = False, **delay: float) -> None:
        self.at(self._clock.at + timedelta(**delay), name, action, background=background)

    def next(self) -> Step:
        """The next step, with the clock moved to it."""
        step = heapq.heappop(self._steps)
        self.foreground -= not step.background
        self._clock.at = step.at
        return step


class History:
    """A line for each step that did something, hashed in a stream; the last ones are at hand."""

    def __init__(self, file: IO[str] | None = None) -> None:
        self._hash = hashlib.sha256()
        self._file = file
        self.lines = 0
        self.tail: deque[str] = deque(maxlen=TAIL)

    def tell(self, at: datetime, *words: Any) -> None:
        line = f"{at.astimezone(UTC).isoformat(timespec='milliseconds')} " + " ".join(str(word) for word in words)
        self._hash.update(line.encode() + b"\n")
        self.tail.append(line)
        self.lines += 1
        if self._file is not None:
            self._file.write(line + "\n")

    @property
    def digest(self) -> str:
        """SHA-256 over all lines, hexadecimal."""
        return self._hash.hexdigest()


class Violated(Exception):
    """An invariant does not hold."""

    def __init__(self, invariant: str, detail: str) -> None:
        super().__init__(f"{invariant}: {detail}")
        self.invariant = invariant
        self.detail = detail
