"""The roots of days: of a day that is over once, of the open one as it grows, without reading what cannot change again.

A leaf is fixed once its event was first sent by a release that keeps the form of the body beside it: until then a
process of an earlier release may send it first, in a form with another digest. What is fixed from the day's beginning
on is remembered, by each process for itself; whatever comes after the first leaf that is not is read each time.
"""

import asyncio
from collections import OrderedDict, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import partial
from typing import Final

from gateway.reconciliation.days import DayEvent, DayRange
from gateway.reconciliation.ports import ReconciliationTransaction
from gateway.records.merkle import EMPTY, Frontier, leaf_hash
from gateway.transaction import Transactions

PAGE: Final = 1000
MOST_REMEMBERED: Final = 256
"""Utilities."""


_Leaf = tuple[DayEvent, bytes]
"""An event, and the hash of its leaf."""


@dataclass
class _Grown:
    """The tree over a day's events up to the position ``last``, and their applications."""

    last: int
    tree: Frontier = EMPTY
    subjects: set[str] = field(default_factory=set)

    def grow(self, leaves: Sequence[_Leaf]) -> None:
        """Take ``leaves`` in, in order of position."""
        if leaves:
            self.tree = self.tree.grown(hashed for _, hashed in leaves)
            self.subjects.update(event.subject for event, _ in leaves)
            self.last = leaves[-1][0].position


class DayTrees:
    """One per process."""

    def __init__(self, transactions: Transactions[ReconciliationTransaction]) -> None:
        self._transactions = transactions
        self._fixed: OrderedDict[str, tuple[date, int, _Grown]] = OrderedDict()
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def told(self, day: DayRange) -> DayRange:
        """``day`` with its root and the number of its applications. One at a time for each utility."""
        async with self._turns[day.utility]:
            fixed, loose = self._fixed_of(day), None
            while (after := (loose or fixed).last) < day.last:
                page = await self._transactions.read(partial(_page, day=day, after=after))
                if not page:
                    break
                # Here and not where it was read: whoever asked may be gone by now, and another one's turn begun.
                loose = _taken_in(page, fixed, loose)
        whole = loose or fixed
        return replace(day, root=whole.tree.root, subjects=len(fixed.subjects | whole.subjects))

    def _fixed_of(self, day: DayRange) -> _Grown:
        """What is remembered of ``day``: nothing of one that is over, because its root is kept for ever."""
        nothing = _Grown(day.first - 1)
        if day.closed_at is not None:
            return nothing
        on, first, known = self._fixed.pop(day.utility, (day.day, day.first, nothing))
        if (on, first) != (day.day, day.first):
            known = nothing
        self._fixed[day.utility] = day.day, day.first, known
        if len(self._fixed) > MOST_REMEMBERED:
            self._fixed.popitem(last=False)
        return known if known.last <= day.last else nothing


def _page(tx: ReconciliationTransaction, day: DayRange, after: int) -> list[_Leaf]:
    return [(event, leaf_hash(event.leaf())) for event in tx.day_book.events(day.utility, after, day.last, PAGE)]


def _taken_in(page: list[_Leaf], fixed: _Grown, loose: _Grown | None) -> _Grown | None:
    """``page`` goes into ``fixed``, and from the first event on that is not into ``loose``, which is answered."""
    sure = 0
    if loose is None:
        sure = next((number for number, (event, _) in enumerate(page) if not event.fixed), len(page))
        fixed.grow(page[:sure])
        if sure < len(page):
            loose = _Grown(fixed.last, fixed.tree)
    if loose is not None:
        loose.grow(page[sure:])
    return loose
