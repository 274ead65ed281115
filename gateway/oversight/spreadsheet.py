"""The 重点任务台账 as a spreadsheet: the annex on the first sheet, the figures that it rests on behind it.

Text stays text: nothing that stands in a cell is ever taken for a formula or a link.
"""

import io
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from gateway.oversight.ledger import Ledger
from gateway.oversight.ledger_text import CITY_HEADS, LEFT_HEADS
from gateway.oversight.report import CellReport, Measure, PeriodReport

if TYPE_CHECKING:
    import xlsxwriter
    from xlsxwriter.format import Format
    from xlsxwriter.worksheet import Worksheet

MEDIA_TYPE: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
WIDTHS: Final = (12, 6, 16, 62, 10, 48, 22)
HEAD_ROWS: Final = 3
CHARACTERS: Final = 30
"""Chinese characters that fit into a line of the widest column, for the height of a row: Excel does not grow a row by
itself where it has merged cells."""
LINE_POINTS: Final = 15
MOST_POINTS: Final = 409
MEASURE_HEADS: Final = (
    "件数",
    "时限（最短）",
    "时限（最长）",
    "中位数",
    "九成不超过",
    "最长",
    "超时限",
    "超时限比例（%）",
)

Value = str | int | float | None


def ledger_xlsx(ledger: Ledger, report: PeriodReport) -> bytes:
    """The workbook. The same ledger and report make the same bytes."""
    import xlsxwriter  # three megabytes that most processes never need

    buffer = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with xlsxwriter.Workbook(buffer, options) as book:
        book.set_properties({"title": ledger.title, "created": report.as_of.replace(tzinfo=None)})
        _annex(book, ledger)
        _sheet(book, "办理时长", _duration_heads(), _durations(report))
        _sheet(book, "办理情况", _cell_heads(), (_cell(each) for each in (report.total, *report.cities, *report.cells)))
        _sheet(book, "审批事项", _department_heads(), _departments(report))
    return buffer.getvalue()


def _annex(book: "xlsxwriter.Workbook", ledger: Ledger) -> None:
    sheet = book.add_worksheet("重点任务台账")
    plain = {"font_name": "宋体", "font_size": 10, "text_wrap": True, "valign": "vcenter", "border": 1}
    text = book.add_format({**plain, "align": "left"})
    head = book.add_format({**plain, "bold": True, "align": "center", "bg_color": "#E8EEF9"})
    number = book.add_format({**plain, "align": "center"})
    title = book.add_format({"font_name": "宋体", "font_size": 15, "bold": True, "align": "center", "text_wrap": True})
    note = book.add_format({"font_name": "宋体", "font_size": 9, "text_wrap": True, "valign": "top"})
    for column, width in enumerate(WIDTHS):
        sheet.set_column(column, column, width)
    last = len(WIDTHS) - 1
    sheet.merge_range(0, 0, 0, last, ledger.title, title)
    sheet.set_row(0, 44)
    for column, name in enumerate(LEFT_HEADS):
        sheet.merge_range(1, column, 2, column, name, head)
    sheet.merge_range(1, len(LEFT_HEADS), 1, last, ledger.place, head)
    for column, name in enumerate(CITY_HEADS, len(LEFT_HEADS)):
        sheet.write_string(2, column, name, head)
    for place, row in enumerate(ledger.rows, HEAD_ROWS):
        lines = max(len(row.task.requirement) / CHARACTERS, len(row.so_far) / (CHARACTERS * 0.75))
        sheet.set_row(place, min(MOST_POINTS, LINE_POINTS * (2 + int(lines))))
        sheet.write_number(place, 1, row.task.number, number)
        for column, value in enumerate((row.task.title, row.task.requirement, "", row.so_far, ""), 2):
            sheet.write_string(place, column, value, text)
    _parts(sheet, ledger, head)
    below = HEAD_ROWS + len(ledger.rows)
    sheet.merge_range(below, 0, below, last, ledger.source, note)
    sheet.set_row(below, 30)
    sheet.freeze_panes(HEAD_ROWS, len(LEFT_HEADS))
    sheet.set_landscape()
    sheet.set_paper(8)
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(1, 2)


def _parts(sheet: "Worksheet", ledger: Ledger, head: "Format") -> None:
    """任务类型 spans its tasks."""
    parts = [row.task.part for row in ledger.rows]
    for part in dict.fromkeys(parts):
        first = HEAD_ROWS + parts.index(part)
        last = first + parts.count(part) - 1
        if first == last:
            sheet.write_string(first, 0, part, head)
        else:
            sheet.merge_range(first, 0, last, 0, part, head)


def _sheet(book: "xlsxwriter.Workbook", name: str, heads: Sequence[str], rows: Iterable[Sequence[Value]]) -> None:
    sheet = book.add_worksheet(name)
    bold = book.add_format({"bold": True, "bg_color": "#E8EEF9", "text_wrap": True, "valign": "vcenter"})
    sheet.write_row(0, 0, heads, bold)
    sheet.set_column(0, len(heads) - 1, 13)
    sheet.freeze_panes(1, 2)
    for place, row in enumerate(rows, 1):
        for column, value in enumerate(row):
            if isinstance(value, str):
                sheet.write_string(place, column, value)
            elif value is not None:
                sheet.write_number(place, column, value)


def _duration_heads() -> tuple[str, ...]:
    return ("地区", "用户类型", "环节", *MEASURE_HEADS)


def _durations(report: PeriodReport) -> Iterable[Sequence[Value]]:
    for cell in (*report.classes, *report.cells):
        yield (cell.region_name, cell.title, "全过程", *_measure(cell.whole))
        for stage in cell.stages:
            yield (cell.region_name, cell.title, stage.title, *_measure(stage))


def _measure(each: Measure) -> tuple[Value, ...]:
    return (
        *(each.count, each.limit_from, each.limit_to, each.median, each.p90, each.worst, each.over, each.over_percent),
    )


_CELL: Final[dict[str, str]] = {
    "region_name": "地区",
    "title": "用户类型",
    "received": "受理",
    "completed": "办结",
    "withdrawn": "撤回",
    "ended": "终止",
    "open": "在办",
    "open_over": "在办超时限",
    "one_certificate": "一证办电",
    "face_verified": "居民核验办电",
    "documents_fetched": "免提交资料",
    "documents_uploaded": "上传资料",
    "events": "环节信息",
    "backdated_events": "时间不实",
    "refused_events": "被拒环节信息",
    "refused_requests": "被拒超范围索要",
    "provisional": "日历未公布",
}


def _cell_heads() -> tuple[str, ...]:
    return tuple(_CELL.values())


def _cell(cell: CellReport) -> Sequence[Value]:
    told: dict[str, Any] = cell.model_dump()
    return [told[name] for name in _CELL]


def _department_heads() -> tuple[str, ...]:
    light = ("审批", "告知承诺", "备案", "免批", "同意", "不同意", "未决", "时间不实")
    return ("部门代码", "部门", "事项", *light, *MEASURE_HEADS)


def _departments(report: PeriodReport) -> Iterable[Sequence[Value]]:
    for each in report.departments:
        modes = (each.full, each.commitment, each.filing, each.exempt)
        states = (each.granted, each.refused, each.undecided, each.backdated)
        yield (each.department, each.title, each.permits, *modes, *states, *_measure(each.decided))
