"""How a permit may be handled (第（四）条), as dated, region-scoped rows: nobody chooses a lighter mode by naming it.

Everywhere a permit is reviewed in full (审批). For 符合条件的低压短距离电力接入工程 a province or city may have it go
by commitment (告知承诺), by filing (备案) or not at all (免批): that is a row of its own, which names its legal basis
and up to which voltage and length it holds. Without a row there is no such mode.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from gateway.applications.dated_rows import DatedRow, RuleTable, RuleTableError
from gateway.applications.time_limits import END_2020
from gateway.approvals.errors import ReviewModeNotAllowed
from gateway.errors import Owner
from schemas.departments import ConnectionLine, ReviewMode

MODES_CLAUSE = "第（四）条"
_REMEDY = "该工程在当地不适用此办理方式，请改用审批方式，或由主管部门先行设定适用条件及依据。"


@dataclass(frozen=True)
class ReviewModeRow(DatedRow):
    """A mode that a permit (None: any) may be handled by, up to ``max_voltage_v`` volts and ``max_length_m`` metres.

    Only the row for ``FULL`` leaves the bounds out.
    """

    mode: ReviewMode
    permit: str | None = None
    max_voltage_v: int | None = None
    max_length_m: float | None = None

    def covers(self, line: ConnectionLine) -> bool:
        """Whether the line lies within the bounds, which belong to them."""
        return (self.max_voltage_v is None or line.voltage_v <= self.max_voltage_v) and (
            self.max_length_m is None or line.length_m <= self.max_length_m
        )


FULL_EVERYWHERE = ReviewModeRow(ReviewMode.FULL, clause=MODES_CLAUSE, effective_from=END_2020)


class ModesAllowed(Protocol):
    """Whoever answers which modes are allowed; ``ReviewModes`` do, and what keeps the latest of them at hand."""

    def rule_for(self, mode: ReviewMode, permit: str, line: ConnectionLine, region: str, on: date) -> ReviewModeRow:
        """See ``ReviewModes.rule_for``."""
        ...


class ReviewModes:
    """Which modes are allowed where. ``rows`` come from an operator, each with the basis on which a region set it.

    Raises ``RuleTableError`` for rows that contradict each other, and for a row that does not say how far it goes.
    """

    def __init__(self, rows: Iterable[ReviewModeRow] = ()) -> None:
        configured = tuple(rows)
        for row in configured:
            if row.mode is ReviewMode.FULL:
                raise RuleTableError("review_modes: a full review is allowed everywhere and needs no row")
            if not (row.max_voltage_v and row.max_voltage_v > 0 and row.max_length_m and row.max_length_m > 0):
                raise RuleTableError("review_modes: a row names the voltage and the length up to which its mode holds")
        self.table = RuleTable("review_modes", (FULL_EVERYWHERE, *configured), key=lambda row: (row.mode, row.permit))

    def rule_for(self, mode: ReviewMode, permit: str, line: ConnectionLine, region: str, on: date) -> ReviewModeRow:
        """The row that lets ``permit`` be handled by ``mode`` in ``region``, for an application received on ``on``.

        A row for this very permit goes before one for any; of several regions' rows the most local one decides alone.
        Raises ``ReviewModeNotAllowed``, ``RegionMalformed``.
        """
        row = self.table.find((mode, permit), on, region) or self.table.find((mode, None), on, region)
        if row is None or not row.covers(line):
            raise ReviewModeNotAllowed(
                check="joint_review.mode", owner=Owner.UTILITY, remedy=_REMEDY, clause=MODES_CLAUSE
            )
        return row
