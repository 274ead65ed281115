"""The 重点任务台账: the annex's own rows, filled in from the figures; as spreadsheet and as PDF."""

import io
import zipfile
from collections.abc import Callable
from datetime import date, timedelta
from random import Random
from xml.etree import ElementTree

import pytest

from gateway.oversight.figures import Counting
from gateway.oversight.ledger import Ledger, LedgerRow, ledger
from gateway.oversight.ledger_text import TASKS
from gateway.oversight.periods import Period
from gateway.oversight.ports import Observed
from gateway.oversight.report import PeriodReport, period_report
from gateway.oversight.service import PeriodFigures
from gateway.oversight.spreadsheet import ledger_xlsx
from gateway.portal.assets import Assets
from gateway.portal.authority.ledger_pdf import ledger_pdf, parts_of
from gateway.portal.rendering import Pages, Site
from gateway.portal.typesetting import can_typeset
from tests.support.oversight import RULES, a_population, application
from tests.support.storage import NOON, SetClock

LATER = NOON + timedelta(days=90)
NAMESPACE = {"s": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}


def a_report(*days: tuple[int, ...], region: str = "440100") -> PeriodReport:
    counting = Counting(RULES, LATER)
    made = [application(f"app_{number}", days=each) for number, each in enumerate(days)]
    counting.take_closed(
        Observed(each.region, each.customer_class, each.intake, each.lifecycle, 2, 0, refused_events=1) for each in made
    )
    period = Period(date(2026, 3, 1), date(2026, 3, 31))
    return period_report(PeriodFigures(period, region, LATER, counting.figures), str)


def cells(workbook: bytes, sheet: int = 1) -> dict[str, str]:
    """Place → text of a sheet, read without the library that wrote it. Formulas are failures."""
    with zipfile.ZipFile(io.BytesIO(workbook)) as parts:
        shared = ElementTree.fromstring(parts.read("xl/sharedStrings.xml"))
        texts = ["".join(each.itertext()) for each in shared.findall("s:si", NAMESPACE)]
        root = ElementTree.fromstring(parts.read(f"xl/worksheets/sheet{sheet}.xml"))
    assert not root.findall(".//s:f", NAMESPACE)
    found = {}
    for each in root.findall(".//s:c", NAMESPACE):
        value = each.findtext("s:v", None, NAMESPACE)
        if value is not None:
            found[each.attrib["r"]] = texts[int(value)] if each.get("t") == "s" else value
    return found


def test_the_annex_has_19_tasks_in_seven_parts() -> None:
    assert [task.number for task in TASKS] == list(range(1, 20))
    assert [len([task for task in TASKS if task.part.startswith(part)]) for part in "一二三四五六七"] == [
        *(4, 2, 3, 3, 2, 2, 3),
    ]
    assert all(task.title.endswith("。") and task.requirement.endswith("。") for task in TASKS)


def test_what_the_data_say_is_filled_in_and_the_rest_is_left() -> None:
    filled = {row.task.number: row.so_far for row in ledger(a_report((1, 3, 2), (2, 4, 3)), RULES).rows}
    assert [number for number, text in filled.items() if not text] == [4, 12, 13, 14, 16, 17, 18, 19]
    assert "办结2件，用时中位数7.5个工作日、九成不超过9个、最长9个（时限6个），超时限1件（50%）" in filled[1]
    assert "被拒绝2次" in filled[5]
    assert "城市地区160kW、农村地区160kW" in filled[3]
    assert "未向用户收取的资料4份" in filled[8]
    assert "企业“一证办电”2件（100%）" in filled[9]


def test_a_period_in_which_nothing_happened_says_so() -> None:
    filled = {row.task.number: row.so_far for row in ledger(a_report(), RULES).rows}
    assert filled[1] == filled[8] == filled[9] == "本期没有办结的申请。"


def test_the_spreadsheet_has_the_annexs_layout() -> None:
    report = a_report((1, 3, 2))
    found = cells(ledger_xlsx(ledger(report, RULES), report))
    assert found["A1"].startswith("广州市《关于全面提升“获得电力”服务水平")
    assert [found[place] for place in ("A2", "B2", "C2", "D2", "D3", "E3", "F3", "G3")] == [
        *("任务类型", "序号", "任务内容", "广州市", "具体要求", "是否实现", "截至目前完成情况", "下一步工作计划"),
    ]
    assert [found[f"B{row}"] for row in range(4, 23)] == [str(number) for number in range(1, 20)]
    assert (found["A4"], found["A8"], found["C22"]) == ("一、工作目标", "二、压减办电时间", "做好总结推广。")
    assert found["D12"] == TASKS[8].requirement
    assert {found.get(f"{column}{row}", "") for column in "EG" for row in range(4, 23)} == {""}, "left for people"
    assert cells(ledger_xlsx(ledger(report, RULES), report), 2)["D2"] == "0"


def test_text_stays_text() -> None:
    report = a_report((1, 3, 2))
    usual = ledger(report, RULES)
    rows = tuple(LedgerRow(row.task, "=HYPERLINK(1)" if row.task.number == 4 else "http://x") for row in usual.rows)
    made = ledger_xlsx(Ledger(usual.title, "=1+1", usual.source, rows), report)
    found = cells(made)
    assert (found["D2"], found["F7"], found["F8"]) == ("=1+1", "=HYPERLINK(1)", "http://x")
    with zipfile.ZipFile(io.BytesIO(made)) as parts:
        assert not [name for name in parts.namelist() if "rels" in name and b"hyperlink" in parts.read(name)]


def test_the_same_report_makes_the_same_bytes() -> None:
    report = a_report((1, 3, 2))
    assert ledger_xlsx(ledger(report, RULES), report) == ledger_xlsx(ledger(report, RULES), report)


def test_the_pdf_is_one_and_says_it_all(need_pango: Callable[[], None]) -> None:
    need_pango()
    pages = Pages(Site("办电网关", https=True), Assets(), SetClock())
    filled = ledger(a_report((1, 3, 2)), RULES)
    assert sum(parts_of(filled).values()) == 19
    made = ledger_pdf(pages, filled)
    assert made.startswith(b"%PDF-")
    assert len(made) > 20_000, "its type is in it"


@pytest.fixture
def need_pango() -> Callable[[], None]:
    from tests.support.require import skip_or_fail

    def need() -> None:
        if not can_typeset():
            skip_or_fail("Pango")

    return need


def test_a_whole_province_tells_its_departments_together() -> None:
    made, reviews = a_population(NOON, Random(7))
    by_application = {each.application_id: each.review for each in reviews}
    counting = Counting(RULES, LATER)
    counting.take_closed(
        Observed(e.region, e.customer_class, e.intake, e.lifecycle, 2, 0, by_application.get(e.application_id))
        for e in made
        if e.lifecycle.closed_at is not None
    )
    period = Period(date(2026, 3, 1), date(2026, 5, 31))
    report = period_report(PeriodFigures(period, "", LATER, counting.figures), lambda code: code.partition("-")[0])
    told = {row.task.number: row.so_far for row in ledger(report, RULES).rows}[6]
    for title in ("planning", "road", "greenery"):
        same = [each for each in report.departments if each.title == title]
        assert (
            f"{title}{sum(each.permits for each in same)}项，办结{sum(each.decided.count for each in same)}项" in told
        )
    assert ledger(report, RULES).title.startswith("全省《")
