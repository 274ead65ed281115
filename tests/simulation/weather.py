"""Chance, outages and holidays: everything that is drawn comes from one seeded stream."""

import random
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta

import chinese_calendar

from gateway.clock import CHINA_TIME, date_in_china

OUTAGES_OF_DAYS = 0.25
"""Of all outages; the rest last minutes to hours."""


class Weather:
    """``calm``: from now on nothing fails any more. ``faults`` counts what befell whom."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.calm = False
        self.faults: Counter[str] = Counter()
        self._outages: dict[str, list[tuple[datetime, datetime]]] = {}

    def plan(self, names: Iterable[str], since: datetime, days: float) -> None:
        """Draw the outages of each of ``names`` for the days to come."""
        for name in sorted(names):
            spans = []
            for _ in range(self.rng.randrange(3)):
                begins = since + timedelta(days=self.rng.uniform(0, days))
                long = self.rng.random() < OUTAGES_OF_DAYS
                spans.append(
                    (begins, begins + timedelta(hours=self.rng.uniform(18, 90) if long else self.rng.uniform(0.1, 6)))
                )
            self._outages[name] = sorted(spans)

    def down(self, name: str, at: datetime) -> bool:
        """Whether ``name`` does not answer at ``at``."""
        if self.calm or not any(begins <= at < ends for begins, ends in self._outages.get(name, ())):
            return False
        self.faults["outage"] += 1
        return True

    def strikes(self, fault: str, share: float) -> bool:
        """Whether ``fault`` happens now, as it does with ``share`` of all chances."""
        if self.calm or self.rng.random() >= share:
            return False
        self.faults[fault] += 1
        return True

    def chance(self, share: float) -> bool:
        """A choice that is no fault."""
        return self.rng.random() < share

    def between(self, least: float, most: float) -> float:
        return self.rng.uniform(least, most)


def office_hours(at: datetime, rng: random.Random) -> datetime:
    """``at`` itself on a working day, else some time of the next one: offices are shut on holidays."""
    on = date_in_china(at)
    if chinese_calendar.is_workday(on):
        return at
    while not chinese_calendar.is_workday(on):
        on += timedelta(days=1)
    opens = datetime(on.year, on.month, on.day, 9, tzinfo=CHINA_TIME)
    return opens + timedelta(minutes=rng.randrange(480))
