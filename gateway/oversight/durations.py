"""Durations in whole working days, counted into a histogram: memory does not grow with how many there are. Pure.

The median of an even number of values is the mean of the middle two. The 90th percentile is by nearest rank (Hyndman
and Fan, type 1): the smallest value that at least nine in ten do not exceed, so that it is a duration that occurred.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass
class Durations:
    """``days`` – working days → how many took so long. ``limits`` – the limit in working days → for how many.

    ``over`` of those that have a limit exceeded it. A limit of None is none.
    """

    days: Counter[int] = field(default_factory=Counter)
    limits: Counter[int | None] = field(default_factory=Counter)
    over: int = 0

    def add(self, working_days: int, limit: int | None, *, over: bool) -> None:
        """Count one. Raises ``ValueError`` for a negative duration, and for one over a limit that there is not."""
        if working_days < 0 or (over and limit is None):
            raise ValueError("a duration is not negative, and only a limit can be exceeded")
        self.days[working_days] += 1
        self.limits[limit] += 1
        self.over += over

    def merge(self, other: "Durations") -> None:
        """Take in all that ``other`` counted."""
        self.days.update(other.days)
        self.limits.update(other.limits)
        self.over += other.over

    @property
    def count(self) -> int:
        """How many were counted."""
        return self.days.total()

    @property
    def limited(self) -> int:
        """How many of them have a limit."""
        return self.limits.total() - self.limits[None]

    @property
    def median(self) -> float | None:
        """The middle one in working days (halves occur); None where nothing was counted."""
        if not self.count:
            return None
        return (self._ranked((self.count + 1) // 2) + self._ranked(self.count // 2 + 1)) / 2

    @property
    def p90(self) -> int | None:
        """The 90th percentile in working days; None where nothing was counted."""
        return self._ranked(-(-9 * self.count // 10)) if self.count else None

    @property
    def worst(self) -> int | None:
        """The longest in working days; None where nothing was counted."""
        return max(self.days) if self.days else None

    @property
    def share_over(self) -> float | None:
        """Of those that have a limit, the share that exceeded it (0 to 1); None where none has a limit."""
        return self.over / self.limited if self.limited else None

    @property
    def limit_range(self) -> tuple[int, int] | None:
        """The shortest and the longest limit that held; None where none did."""
        known = [limit for limit in self.limits if limit is not None]
        return (min(known), max(known)) if known else None

    def _ranked(self, rank: int) -> int:
        """The ``rank``-th (from 1) in ascending order."""
        for days, seen in self._cumulated():
            if seen >= rank:
                return days
        raise ValueError("no such rank")

    def _cumulated(self) -> Iterator[tuple[int, int]]:
        seen = 0
        for days in sorted(self.days):
            seen += self.days[days]
            yield days, seen
