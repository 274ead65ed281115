"""Figures of a period, and the public's of a month: counted on demand, kept while they hold."""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from gateway.applications.rule_book import RuleBook, RulesNow
from gateway.approvals.departments import Departments
from gateway.clock import Clock
from gateway.errors import Owner
from gateway.oversight.errors import NotPublished
from gateway.oversight.figures import CITY_DIGITS, Counting, Figures
from gateway.oversight.performance import Performance, publish_month
from gateway.oversight.periods import FIRST_MONTH, Period, final_from, latest_final, month, month_before, month_name
from gateway.oversight.ports import OversightTransaction
from gateway.oversight.satisfaction import Satisfaction, latest_closed, publish_ratings
from gateway.transaction import Transactions

KEPT_FOR: Final = timedelta(minutes=5)
"""How long figures that may still change are taken for those of now."""
KEPT_PERIODS: Final = 64
PROVINCE_DIGITS: Final = 2


@dataclass(frozen=True)
class PeriodFigures:
    """What was counted for ``period`` at the aware instant ``as_of``; ``region`` is a GB/T 2260 code or empty."""

    period: Period
    region: str
    as_of: datetime
    figures: Figures

    @property
    def final(self) -> bool:
        """Whether the closed applications among it can change no more."""
        return self.as_of >= final_from(self.period)


class OversightService:
    """Durations against limits. One count runs at a time: each reads what may be much."""

    def __init__(
        self,
        transactions: Transactions[OversightTransaction],
        rules: RulesNow,
        departments: Departments,
        clock: Clock,
    ) -> None:
        self._transactions = transactions
        self._rules = rules
        self._departments = departments
        self._clock = clock
        self._counting = asyncio.Lock()
        self._kept: OrderedDict[tuple[Period, str], PeriodFigures] = OrderedDict()
        self._months: dict[Period, Performance] = {}
        self._rated: dict[Period, Satisfaction] = {}

    async def figures(self, period: Period, region: str = "") -> PeriodFigures:
        """The figures of ``period`` in a province, a city or all (``region`` empty), no older than five minutes.

        What is open is told as it stands now, whatever the period. Raises ``Overloaded``.
        """
        prefix, key = prefix_of(region), (period, region)
        async with self._counting:
            known, now = self._kept.get(key), self._clock()
            if known is not None and now - known.as_of < KEPT_FOR:
                return known
            counting = Counting(self._rules(), now)

            def count(tx: OversightTransaction) -> None:
                begins_at, ends_at = period.begins_at, period.ends_at
                counting.take_received(tx.observed.received(begins_at, ends_at, prefix))
                counting.take_closed(tx.observed.closed(begins_at, ends_at, prefix))
                counting.take_open(tx.observed.open(prefix))

            await self._transactions.read(count)
            found = PeriodFigures(period, region, now, counting.figures)
            self._kept[key] = found
            self._kept.move_to_end(key)
            while len(self._kept) > KEPT_PERIODS:
                self._kept.popitem(last=False)
            return found

    async def performance(self, name: str | None = None) -> Performance:
        """What the public is told of the month ``name`` (``2026-10``; None: the latest).

        Only a month whose figures are final is told, so that no two answers can be compared. Raises ``PeriodRefused``,
        ``NotPublished``, ``Overloaded``.
        """
        now = self._clock()
        wanted = _published(name, latest_final(now), "performance.month")
        if wanted in self._months:
            return self._months[wanted]
        async with self._counting:
            if wanted in self._months:
                return self._months[wanted]
            counting = Counting(self._rules(), now)
            await self._transactions.read(
                lambda tx: counting.take_closed(tx.observed.closed(wanted.begins_at, wanted.ends_at, ""))
            )
            published = publish_month(month_name(wanted), counting.figures)
            self._months[wanted] = published
            return published

    async def satisfaction(self, name: str | None = None) -> Satisfaction:
        """What the public is told of ratings that were given in the month ``name`` (``2026-10``; None: the latest).

        Only a month that is over is told. Raises ``PeriodRefused``, ``NotPublished``, ``Overloaded``.
        """
        wanted = _published(name, latest_closed(self._clock()), "ratings.month")
        async with self._counting:
            if wanted not in self._rated:
                given = await self._transactions.read(
                    lambda tx: tx.ratings_observed.given(wanted.begins_at, wanted.ends_at)
                )
                self._rated[wanted] = publish_ratings(month_name(wanted), given)
            return self._rated[wanted]

    def published_months(self, most: int) -> list[str]:
        """The names of the months of ``performance`` that can be asked for, the latest first, at most ``most``."""
        return _names_until(latest_final(self._clock()), most)

    def rated_months(self, most: int) -> list[str]:
        """The names of the months of ``satisfaction`` that can be asked for, the latest first, at most ``most``."""
        return _names_until(latest_closed(self._clock()), most)

    @property
    def rules(self) -> RuleBook:
        """The rules in force. Raises ``RulesNotAtHand``."""
        return self._rules()

    def department_title(self, code: str) -> str:
        """What the department of ``code`` is called; a code that nobody here knows stands for itself."""
        department = self._departments.of_code(code)
        return code if department is None else department.title


def _published(name: str | None, latest: Period, check: str) -> Period:
    """The month that is asked for. Raises ``PeriodRefused``, ``NotPublished``."""
    wanted = latest if name is None else month(name)
    if wanted > latest or wanted.first < FIRST_MONTH:
        remedy = "请选择已公布的月份；每月数据在次月初确定后公布"
        raise NotPublished(check=check, owner=Owner.CALLER, remedy=remedy, latest=month_name(latest))
    return wanted


def _names_until(latest: Period, most: int) -> list[str]:
    names: list[str] = []
    while len(names) < most and latest.first >= FIRST_MONTH:
        names.append(month_name(latest))
        latest = month_before(latest)
    return names


def prefix_of(region: str) -> str:
    """The prefix by which regions within ``region`` are found: two digits for a province, four for a city."""
    if not region:
        return ""
    if region.endswith("0000"):
        return region[:PROVINCE_DIGITS]
    return region[:CITY_DIGITS] if region.endswith("00") else region
