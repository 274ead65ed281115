"""The book of rules with the rows that officers added, and whether one more fits into it. Pure.

The published tables come first, then the approved rows. A row is taken where it tightens, and where no other one says
the same for the same region on a day in common.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any, Final

from gateway.applications.customer_classes import CeilingRow
from gateway.applications.dated_rows import Clash, ClashKind, DatedRow, RuleTable
from gateway.applications.rule_book import RuleBook
from gateway.applications.time_limits import JointReviewLimitRow, StageLimitRow, WholeLimitRow
from gateway.applications.working_days import ONE_DAY, WorkingCalendar
from gateway.approvals.review_modes import ReviewModeRow, ReviewModes
from gateway.clock import date_in_china
from gateway.rule_rows.errors import refused
from gateway.rule_rows.model import ExtendableTable, OperatorRow, RowStatus, RowTerms
from gateway.rule_rows.tables import CALENDAR_ROWS, CalendarRow, dated_row, require_region
from gateway.wording.phrases import Phrase

NOTICE: Final = timedelta(minutes=10)
"""How long before midnight in China a row that begins the next day is approved at the latest. By then every process
has read it, or judges nothing (``live.STALE_AFTER`` is shorter)."""
TIGHTEN: Final = "第（三）条、第（四）条"
WIDEN: Final = "第（九）条"


@dataclass(frozen=True)
class Published:
    """What stands before any officer's row: the published tables, and what this province's settings say."""

    calendar: Mapping[date, bool] = field(default_factory=dict)
    complete_years: tuple[int, ...] = ()
    modes: tuple[ReviewModeRow, ...] = ()


@dataclass(frozen=True)
class Rules:
    """All that officers' rows may extend, with the rows that do."""

    book: RuleBook
    modes: ReviewModes
    calendar: RuleTable[CalendarRow]
    added: tuple[OperatorRow, ...] = ()
    """The approved rows of officers."""

    def table(self, name: ExtendableTable) -> RuleTable[Any]:
        """The table of that name."""
        tables: dict[ExtendableTable, RuleTable[Any]] = {
            ExtendableTable.STAGE_LIMIT: self.book.stage_limits,
            ExtendableTable.WHOLE_LIMIT: self.book.whole_limits,
            ExtendableTable.JOINT_REVIEW_LIMIT: self.book.joint_review_limits,
            ExtendableTable.ZERO_INVESTMENT: self.book.ceilings,
            ExtendableTable.REVIEW_MODE: self.modes.table,
            ExtendableTable.CALENDAR: self.calendar,
        }
        return tables[name]


def rules_with(published: Published, rows: Iterable[OperatorRow]) -> Rules:
    """The rules with every approved one of ``rows``.

    Raises ``RuleTableError`` where they contradict each other or what is published, which no approval lets happen.
    """
    counted = tuple(row for row in rows if row.status is RowStatus.APPROVED)
    added = [dated_row(row.terms) for row in counted]
    plain = RuleBook()
    calendar = CALENDAR_ROWS.extended(_of(CalendarRow, added))
    days = {
        row.effective_from + ONE_DAY * offset: row.is_working_day
        for row in calendar.rows
        for offset in range(((row.effective_to or row.effective_from) - row.effective_from).days + 1)
    }
    book = RuleBook(
        calendar=WorkingCalendar({**published.calendar, **days}, published.complete_years),
        stage_limits=plain.stage_limits.extended(_of(StageLimitRow, added)),
        whole_limits=plain.whole_limits.extended(_of(WholeLimitRow, added)),
        joint_review_limits=plain.joint_review_limits.extended(_of(JointReviewLimitRow, added)),
        ceilings=plain.ceilings.extended(_of(CeilingRow, added)),
    )
    return Rules(book, ReviewModes((*published.modes, *_of(ReviewModeRow, added))), calendar, counted)


def _of(kind: type[Any], rows: Iterable[DatedRow]) -> list[Any]:
    return [row for row in rows if isinstance(row, kind)]


def earliest_start(at: datetime) -> date:
    """The first day in China that a row approved at ``at`` may begin on, or that its end may leave free.

    Nothing that was received by then was judged by it, so no judgement ever changes afterwards.
    """
    return date_in_china(at + NOTICE) + ONE_DAY


def require_fits(terms: RowTerms, rules: Rules, at: datetime) -> DatedRow:
    """The row, where it may be added to ``rules`` at ``at``. Raises ``RuleRowRefused``, which says why not."""
    require_region(terms)
    row = dated_row(terms)
    first = earliest_start(at)
    if terms.effective_from < first:
        raise refused(
            "begins_too_early",
            Phrase("申请按受理之日的规则办理，规则行不得溯及既往：起始日最早为 {first}", first=first),
            "第（三）条",
        )
    clash = rules.table(terms.table).clash(row)
    if clash is not None:
        raise _clashes(terms, clash)
    return row


def _clashes(terms: RowTerms, clash: Clash[DatedRow]) -> Exception:
    there = clash.there
    named = Phrase(
        "“{clause}”（{region}，{first} 起至 {last}）",
        clause=there.clause,
        region=there.region or Phrase("全国"),
        first=there.effective_from,
        last=there.effective_to or Phrase("另行规定时"),
    )
    if clash.kind is ClashKind.OVERLAPS:
        return refused(
            "overlaps", Phrase("同一地区同一事项在同一日期已有规则行 {row}，请先使其终止或另选日期", row=named)
        )
    wider = terms.table is ExtendableTable.ZERO_INVESTMENT
    clause = WIDEN if wider else TIGHTEN
    if clash.kind is ClashKind.WORSE_THAN_BROADER:
        says = "“零投资”容量上限只能提高，不能低于上级规定" if wider else "时限只能压减，不能长于上级规定"
        return refused("loosens", Phrase("{reason}：{row}，请修改后再试", reason=Phrase(says), row=named), clause)
    return refused(
        "local_row_worse", Phrase("下级的规则行 {row} 将比本行更不利于申请人，请先使其终止", row=named), clause
    )


def ended(terms: RowTerms, on: date, at: datetime) -> RowTerms:
    """The terms with ``on`` as the last day in force. Raises ``RuleRowRefused``."""
    last = earliest_start(at) - ONE_DAY
    if on < last or on < terms.effective_from:
        day = max(last, terms.effective_from)
        raise refused(
            "ends_too_early", Phrase("已生效的规则行不得溯及既往地终止：截止日最早为 {day}", day=day), "第（三）条"
        )
    if terms.effective_to is not None and on >= terms.effective_to:
        raise refused("ends_no_sooner", Phrase("该行本就于 {day} 截止，请另立新行延续", day=terms.effective_to))
    return replace(terms, effective_to=on)


def rows_about(table: RuleTable[Any], prefix: str, on: date) -> list[DatedRow]:
    """The rows in force on ``on`` that cover the region ``prefix`` or lie within it, the broadest first."""
    found = [
        row
        for row in table.rows
        if row.in_force(on) and (row.region.startswith(prefix) or prefix.startswith(row.region))
    ]
    return sorted(found, key=lambda row: (len(row.region), row.region))
