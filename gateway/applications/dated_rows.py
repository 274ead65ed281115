"""Dated, region-scoped rule rows, and the table that answers which one applies.

A rule is a row: what it says, its clause, the days it is in force, and the region it is for. A province changes a rule
by adding a row, and an application is judged by the rows in force on the day it was received. A table checks its rows
when it is built, so a contradiction stops the start and never reaches an application.
"""

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from itertools import combinations
from typing import Generic, TypeVar

from gateway.applications.errors import NoRuleInForce, RegionMalformed
from gateway.errors import Owner

NATIONAL = ""
"""The region of a row that holds everywhere: the empty prefix of every GB/T 2260 code."""

ROW_REGION_LENGTHS = (0, 2, 4, 6)
REGION_CODE_LENGTHS = (6, 9, 12)


class RuleTableError(ValueError):
    """The rows of a table contradict each other or themselves; the table is not built."""


@dataclass(frozen=True, kw_only=True)
class DatedRow:
    """What every rule row carries.

    ``effective_from`` and ``effective_to`` are both in force (``None``: until further notice); ``region`` is a prefix
    of GB/T 2260 codes (``44`` is all of Guangdong), ``NATIONAL`` is everywhere.
    """

    clause: str
    effective_from: date
    effective_to: date | None = None
    region: str = NATIONAL
    note: str = ""

    def in_force(self, on: date) -> bool:
        """Whether the row is in force on the China date ``on``."""
        return self.effective_from <= on and (self.effective_to is None or on <= self.effective_to)

    def meets(self, other: "DatedRow") -> bool:
        """Whether there is a day on which both rows are in force."""
        return self.effective_from <= (other.effective_to or date.max) and other.effective_from <= (
            self.effective_to or date.max
        )


RowT = TypeVar("RowT", bound=DatedRow)
RowT_co = TypeVar("RowT_co", bound=DatedRow, covariant=True)
Narrowing = Callable[[RowT, RowT], bool]
"""Whether a region's row (second) may stand beside the broader one (first): 鼓励进一步压减, never the reverse."""


class ClashKind(StrEnum):
    """Why a row cannot stand beside another one."""

    OVERLAPS = "overlaps"
    """Same region, same matter, and a day in common."""
    WORSE_THAN_BROADER = "worse_than_broader"
    """It would put people worse off than the row of the nation, province or city above it."""
    BETTER_THAN_LOCAL = "better_than_local"
    """A row below it would then put people worse off than it does, and that row would go first."""


@dataclass(frozen=True)
class Clash(Generic[RowT_co]):
    """``there`` is the row of the table that is in the way."""

    kind: ClashKind
    there: RowT_co


def require_region_code(region: str) -> str:
    """``region`` when it is shaped like a GB/T 2260 code; raises ``RegionMalformed``. Unknown codes pass."""
    if len(region) in REGION_CODE_LENGTHS and region.isascii() and region.isdigit():
        return region
    raise RegionMalformed(check="region.shape", owner=Owner.CALLER, remedy="请提供6位（或9、12位）数字的行政区划代码。")


class RuleTable(Generic[RowT]):
    """An immutable table of rule rows.

    ``key`` says what a row is about: of rows with the same key and region, at most one may be in force on a day. Of
    the rows in force that cover a region, the most local one applies. ``may_narrow`` refuses a local row that would
    put people worse off than the broader row it stands beside. Raises ``RuleTableError`` when the rows do not fit.
    """

    def __init__(
        self,
        name: str,
        rows: Iterable[RowT],
        key: Callable[[RowT], Hashable],
        may_narrow: Narrowing[RowT] | None = None,
    ) -> None:
        self.name = name
        self.rows = tuple(rows)
        self._key = key
        self._may_narrow = may_narrow
        self._by_key: dict[Hashable, list[RowT]] = {}
        for row in self.rows:
            self._check_row(row)
            self._by_key.setdefault(key(row), []).append(row)
        for same in self._by_key.values():
            for one, other in combinations(same, 2):
                self._check_pair(one, other)
            same.sort(key=lambda row: len(row.region), reverse=True)

    def extended(self, rows: Iterable[RowT]) -> "RuleTable[RowT]":
        """A new table with ``rows`` added, checked as a whole."""
        return RuleTable(self.name, (*self.rows, *rows), self._key, self._may_narrow)

    def clash(self, row: RowT) -> "Clash[RowT] | None":
        """What keeps ``row`` from being added; None where ``extended`` would take it."""
        for there in self._by_key.get(self._key(row), ()):
            kind = self._clash(row, there)
            if kind is not None:
                return Clash(kind, there)
        return None

    def applying(self, row: RowT, on: date, region: str) -> RowT | None:
        """The row about what ``row`` is about that applies on ``on`` in ``region``, or None."""
        return self.find(self._key(row), on, region)

    def find(self, key: Hashable, on: date, region: str) -> RowT | None:
        """The row about ``key`` that applies on the China date ``on`` in ``region``, or None."""
        require_region_code(region)
        return self._most_local(self._by_key.get(key, ()), on, region)

    def get(self, key: Hashable, on: date, region: str) -> RowT:
        """Like ``find``; raises ``NoRuleInForce`` when there is none."""
        row = self.find(key, on, region)
        if row is None:
            raise NoRuleInForce(
                check=f"rules.{self.name}",
                owner=Owner.GATEWAY,
                remedy="受理之日没有适用的规则，请由主管部门补录当日有效的规则行及其依据后再办理。",
            )
        return row

    @staticmethod
    def _most_local(rows: Iterable[RowT], on: date, region: str) -> RowT | None:
        return next((row for row in rows if row.in_force(on) and region.startswith(row.region)), None)

    def _check_row(self, row: RowT) -> None:
        if not row.clause:
            raise RuleTableError(f"{self.name}: a row has no clause: {row}")
        if row.effective_to is not None and row.effective_to < row.effective_from:
            raise RuleTableError(f"{self.name}: a row ends before it begins: {row}")
        if len(row.region) not in ROW_REGION_LENGTHS or (row.region and not row.region.isdecimal()):
            raise RuleTableError(f"{self.name}: not a region prefix of 2, 4 or 6 digits: {row}")

    def _check_pair(self, one: RowT, other: RowT) -> None:
        match self._clash(one, other):
            case ClashKind.OVERLAPS:
                raise RuleTableError(f"{self.name}: two rows are in force on the same day: {one} and {other}")
            case ClashKind.WORSE_THAN_BROADER | ClashKind.BETTER_THAN_LOCAL:
                raise RuleTableError(
                    f"{self.name}: a region's row is worse for people than the broader one: {one} and {other}"
                )

    def _clash(self, new: RowT, there: RowT) -> ClashKind | None:
        if not new.meets(there):
            return None
        if new.region == there.region:
            return ClashKind.OVERLAPS
        if self._may_narrow is None:
            return None
        if new.region.startswith(there.region) and not self._may_narrow(there, new):
            return ClashKind.WORSE_THAN_BROADER
        if there.region.startswith(new.region) and not self._may_narrow(new, there):
            return ClashKind.BETTER_THAN_LOCAL
        return None
