"""When to look again. Pure.

An undecided look is repeated under an exponential ceiling, for as long as the application is open. A feed's hint that
could not be seen yet – status lists are published with a delay – is looked for again a few times.
"""

from datetime import datetime, timedelta

BASE, CEILING = timedelta(seconds=15), timedelta(hours=1)
UNSEEN_AGAIN = (timedelta(minutes=1), timedelta(minutes=10), timedelta(hours=1), timedelta(hours=6))
"""How long after each look a hint is looked for again; after the last one the stage boundaries and the sweep do."""
FURTHEST_AHEAD = timedelta(hours=12)
"""Nothing is put off further, nor leased for longer: what is due later was put there by a clock that ran fast."""


def after_undecided(attempt: int, at: datetime, chance: float, retry_after: int | None = None) -> datetime:
    """When attempt ``attempt + 1`` is due. ``chance`` is uniform in [0, 1); ``retry_after`` in seconds, as asked."""
    window = min(BASE * (1 << min(attempt - 1, 20)), CEILING)
    wait = window / 2 + window / 2 * chance
    if retry_after is not None:
        wait = max(wait, min(timedelta(seconds=retry_after), CEILING * 2))
    return at + wait


def after_unseen(attempt: int, at: datetime) -> datetime | None:
    """When a hint that was not seen at ``attempt`` is looked for again; None when it is given up."""
    return at + UNSEEN_AGAIN[attempt - 1] if attempt <= len(UNSEEN_AGAIN) else None


def after_pull_failed(failures: int, at: datetime, poll: timedelta, chance: float) -> datetime:
    """When a feed that did not answer ``failures`` times before is pulled again."""
    window = min(poll * (1 << min(failures, 10)), max(poll, CEILING / 12))
    return at + window / 2 + window / 2 * chance
