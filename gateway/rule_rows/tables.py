"""From what an officer says to a row of the table it is for. Pure.

Each table is one function that refuses terms which are no row of it. What the regulation fixes is not the officer's to
say: stages belong to their class, and a whole-process limit counts as the nation's does.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final, TypedDict

from gateway.applications.customer_classes import CeilingRow
from gateway.applications.dated_rows import NATIONAL, DatedRow, RuleTable
from gateway.applications.stages import STAGES
from gateway.applications.time_limits import (
    WHOLE_PROCESS_LIMITS,
    JointReviewLimitRow,
    StageLimitRow,
    WholeLimitRow,
)
from gateway.approvals.review_modes import ReviewModeRow
from gateway.rule_rows.errors import refused
from gateway.rule_rows.model import ExtendableTable, RowTerms
from gateway.wording.phrases import Phrase, listed
from schemas.departments import ReviewMode

MOST_DAYS: Final = 366
MOST_KW: Final = 10_000
MOST_CALENDAR_DAYS: Final = 31
DOCUMENTS: Final = "第（六）条"
NOTHING_ADDED: Final = "规定的环节和申请资料不得增设，请勿添加此类规则行"


@dataclass(frozen=True)
class CalendarRow(DatedRow):
    """Whether the days from ``effective_from`` to ``effective_to`` are working days."""

    is_working_day: bool


CALENDAR_ROWS: RuleTable[CalendarRow] = RuleTable("calendar", [], key=lambda _row: "day")
"""Rows of officers alone: the published calendar is no table."""


class _Common(TypedDict):
    clause: str
    effective_from: date
    effective_to: date | None
    region: str
    note: str


def dated_row(terms: RowTerms) -> DatedRow:
    """The row that ``terms`` describe. Raises ``RuleRowRefused``."""
    basis = terms.basis
    if not (basis.document_number.strip() and basis.clause.strip() and basis.text.strip()):
        raise refused("basis", "请写明依据：文号、条款，以及条款原文或摘要")
    if terms.effective_to is not None and terms.effective_to < terms.effective_from:
        raise refused("dates", "截止日不得早于起始日")
    return _BUILD[terms.table](terms)


def _common(terms: RowTerms) -> _Common:
    return {
        "clause": terms.basis.cited,
        "effective_from": terms.effective_from,
        "effective_to": terms.effective_to,
        "region": terms.region,
        "note": terms.basis.text,
    }


def _stage_limit(terms: RowTerms) -> StageLimitRow:
    if terms.customer_class is None or terms.stage is None:
        raise refused("subject", "请选择用户类型和环节")
    if terms.stage not in STAGES[terms.customer_class]:
        own = listed(Phrase(stage.chinese_title) for stage in STAGES[terms.customer_class])
        raise refused(
            "stage",
            Phrase(
                "{customer_class}只有以下环节：{stages}。{rule}",
                customer_class=Phrase(terms.customer_class.chinese_title),
                stages=own,
                rule=Phrase(NOTHING_ADDED),
            ),
            DOCUMENTS,
        )
    return StageLimitRow(terms.customer_class, terms.stage, _days(terms), **_common(terms))


def _whole_limit(terms: RowTerms) -> WholeLimitRow:
    if terms.customer_class is None:
        raise refused("subject", "请选择用户类型")
    national = WHOLE_PROCESS_LIMITS.find(terms.customer_class, terms.effective_from, "000000")
    if national is None:
        raise refused("dates", "起始日没有可以在其上收紧的国家规定，请核对起始日")
    return WholeLimitRow(terms.customer_class, national.basis, _days(terms), **_common(terms))


def _joint_review_limit(terms: RowTerms) -> JointReviewLimitRow:
    if terms.band is None:
        raise refused("subject", "请选择电压等级")
    return JointReviewLimitRow(terms.band, _days(terms), **_common(terms))


def _ceiling(terms: RowTerms) -> CeilingRow:
    if terms.area is None:
        raise refused("subject", "请选择城市地区或农村地区")
    if terms.ceiling_kw is None or not 1 <= terms.ceiling_kw <= MOST_KW:
        raise refused("ceiling_kw", Phrase("容量上限为 1 至 {most} kW 的整数", most=MOST_KW))
    return CeilingRow(terms.area, terms.ceiling_kw, **_common(terms))


def _review_mode(terms: RowTerms) -> ReviewModeRow:
    if terms.mode is None or terms.mode is ReviewMode.FULL:
        raise refused("subject", "请选择告知承诺、备案或免批；审批方式各地均适用，无须添加", "第（四）条")
    bounds = (terms.max_voltage_v, terms.max_length_m)
    if not all(bound is not None and 0 < bound <= 1_000_000 for bound in bounds):
        raise refused("bounds", "请写明该方式适用到多高的电压（V）和多长的线路（m）", "第（四）条")
    return ReviewModeRow(terms.mode, terms.permit, *bounds, **_common(terms))


def _calendar(terms: RowTerms) -> CalendarRow:
    if terms.is_working_day is None:
        raise refused("subject", "请选择这些日期是工作日还是休息日")
    if terms.effective_to is None or (terms.effective_to - terms.effective_from).days >= MOST_CALENDAR_DAYS:
        raise refused("dates", Phrase("请写明起止日期，一行不超过 {most} 天", most=MOST_CALENDAR_DAYS))
    return CalendarRow(terms.is_working_day, **_common(terms))


def _days(terms: RowTerms) -> int:
    if terms.working_days is None or not 1 <= terms.working_days <= MOST_DAYS:
        raise refused("working_days", Phrase("时限为 1 至 {most} 个工作日的整数", most=MOST_DAYS))
    return terms.working_days


_BUILD: Final[Mapping[ExtendableTable, Callable[[RowTerms], DatedRow]]] = {
    ExtendableTable.STAGE_LIMIT: _stage_limit,
    ExtendableTable.WHOLE_LIMIT: _whole_limit,
    ExtendableTable.JOINT_REVIEW_LIMIT: _joint_review_limit,
    ExtendableTable.ZERO_INVESTMENT: _ceiling,
    ExtendableTable.REVIEW_MODE: _review_mode,
    ExtendableTable.CALENDAR: _calendar,
}


def require_region(terms: RowTerms) -> None:
    """Raises ``RuleRowRefused`` where the row is for no region that a row of its table may be for."""
    if terms.table is ExtendableTable.CALENDAR:
        if terms.region != NATIONAL:
            raise refused("region", "工作日由国务院统一公布，日历行不分地区，请将地区留空")
        return
    if terms.region == NATIONAL:
        raise refused("region", "全国的规定只能由国家修改，请填写本省、市或县的行政区划代码")
    if len(terms.region) not in (2, 4, 6) or not (terms.region.isascii() and terms.region.isdigit()):
        raise refused("region", "请填写 6 位行政区划代码，例如 440100")


def region_prefix(code: str) -> str:
    """``4401`` for ``440100``: how a row says that it is for a city, and ``44`` for a province."""
    text = code.strip()
    if len(text) == 6:
        text = text.removesuffix("0000") if text.endswith("0000") else text.removesuffix("00")
    return text
