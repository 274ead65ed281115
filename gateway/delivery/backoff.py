"""When to try again: full jitter under an exponential ceiling, never sooner than the receiver asked. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True)
class Backoff:
    """``base`` doubles with each attempt up to ``ceiling``; after ``give_up_after`` the event is a dead letter."""

    base: timedelta = timedelta(seconds=1)
    ceiling: timedelta = timedelta(minutes=10)
    give_up_after: timedelta = timedelta(days=3)

    def next_attempt_at(
        self, attempt: int, first_attempt_at: datetime, at: datetime, chance: float, retry_after: int | None = None
    ) -> datetime | None:
        """When attempt ``attempt + 1`` is due, or None when it is time to give up.

        ``chance`` is uniform in [0, 1); ``retry_after`` is in seconds, as the receiver asked.
        """
        if at - first_attempt_at >= self.give_up_after:
            return None
        window = min(self.base * (1 << min(attempt - 1, 30)), self.ceiling)
        wait = max(window * chance, timedelta(milliseconds=50))
        if retry_after is not None:
            wait = timedelta(seconds=min(retry_after, 86_400)) + wait
        return at + wait
