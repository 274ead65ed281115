"""When to try again: full jitter under an exponential ceiling, never sooner than the receiver asked. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

LONGEST_RETRY_AFTER: Final = timedelta(days=1)
LONGEST_CEILING: Final = timedelta(hours=1)
LONGEST_WAIT: Final = LONGEST_RETRY_AFTER + LONGEST_CEILING
"""No wait is longer: what is due later still was put off by a clock that was ahead."""
LATE: Final = timedelta(minutes=5)
"""How much later than planned an attempt may begin and still have the whole time counted as trying."""


@dataclass(frozen=True)
class Backoff:
    """``base`` doubles with each attempt up to ``ceiling``; after ``give_up_after`` of trying it is a dead letter.

    Trying is counted by ``tried``, not by the calendar: neither a clock that is set forward nor days in which no relay
    ran, or nothing was claimed, use it up.
    """

    base: timedelta = timedelta(seconds=1)
    ceiling: timedelta = timedelta(minutes=10)
    give_up_after: timedelta = timedelta(days=3)

    def next_attempt_at(
        self, attempt: int, tried_for: timedelta, at: datetime, chance: float, retry_after: int | None = None
    ) -> datetime | None:
        """When attempt ``attempt + 1`` is due, or None when it is time to give up.

        ``chance`` is uniform in [0, 1); ``retry_after`` is in seconds, as the receiver asked.
        """
        if tried_for >= self.give_up_after:
            return None
        window = min(self.base * (1 << min(attempt - 1, 30)), self.ceiling)
        wait = max(window * chance, timedelta(milliseconds=50))
        if retry_after is not None:
            wait = min(timedelta(seconds=retry_after), LONGEST_RETRY_AFTER) + wait
        return at + wait


def tried(waiting_since: datetime, due_at: datetime, at: datetime) -> timedelta:
    """How much of the time between two attempts counts as trying: never more than was planned, and a little.

    The wait began at ``waiting_since`` and was planned until ``due_at``; the attempt begins ``at``.
    """
    planned = max(due_at - waiting_since, timedelta())
    return min(max(at - waiting_since, timedelta()), planned + LATE)
