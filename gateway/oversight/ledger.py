"""The 19 tasks of the 重点任务台账, with what the gateway's own figures say of each. Pure.

是否实现 and 下一步工作计划 are for people: the gateway knows figures, and not whether a task counts as done. Where it
has no figures (outages, planning, publicity, organisation) the row stays empty.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from gateway.applications.customer_classes import CustomerClass
from gateway.applications.rule_book import RuleBook
from gateway.applications.stages import stages_of
from gateway.clock import written_in_china
from gateway.oversight.ledger_text import TASKS, TITLE, LedgerTask
from gateway.oversight.public_rules import AREA_TITLES, rules_in_force
from gateway.oversight.report import CellReport, DepartmentReport, Measure, PeriodReport
from schemas.regions import PROVINCE

MOST_DEPARTMENTS: Final = 8
CHEAPER: Final = 3
INTERFACE: Final = 11
NOTHING_CLOSED: Final = "本期没有办结的申请。"


@dataclass(frozen=True)
class LedgerRow:
    """A task, and what the figures say of it (empty: nothing)."""

    task: LedgerTask
    so_far: str


@dataclass(frozen=True)
class Ledger:
    """The annex for one city, or the province. ``source`` says what the figures rest on."""

    title: str
    place: str
    source: str
    rows: tuple[LedgerRow, ...]


def ledger(report: PeriodReport, rules: RuleBook) -> Ledger:
    """The annex, filled in from ``report``; ``rules`` are those in force."""
    place = report.region_name if report.region else "全省"
    source = (
        f"数据来源：政企协同办电信息共享平台；统计期间 {report.first} 至 {report.last}，"
        f"按办结日期统计，截至 {written_in_china(report.as_of)}。“是否实现”“下一步工作计划”由填报单位填写。"
    )
    filled: dict[int, Callable[[PeriodReport], str]] = {
        **_FILLED,
        CHEAPER: partial(_cheaper, rules=rules),
        INTERFACE: partial(_interface, rules=rules),
    }
    rows = tuple(LedgerRow(task, filled[task.number](report) if task.number in filled else "") for task in TASKS)
    return Ledger(TITLE % place, place, source, rows)


def _quicker(report: PeriodReport) -> str:
    """1 办电更省时."""
    told = [f"{each.title}{_of_whole(each)}" for each in report.classes if each.completed]
    decided = [each for each in report.departments if each.decided.count]
    if decided:
        number, over = sum(each.decided.count for each in decided), sum(each.decided.over for each in decided)
        told.append(f"电力接入工程审批办结{number}项，超时限{over}项")
    return "；".join(told) + "。" if told else NOTHING_CLOSED


def _of_whole(cell: CellReport) -> str:
    return f"办结{cell.completed}件，{_of_measure(cell.whole)}"


def _of_measure(measure: Measure) -> str:
    told = f"用时中位数{measure.median:g}个工作日、九成不超过{measure.p90}个、最长{measure.worst}个"
    if measure.limit_from is None:
        return told
    same = measure.limit_from == measure.limit_to
    limit = f"{measure.limit_to}" if same else f"{measure.limit_from}至{measure.limit_to}"
    return f"{told}（时限{limit}个），超时限{measure.over}件（{measure.over_percent:g}%）"


def _easier(report: PeriodReport) -> str:
    """2 办电更省心."""
    told = []
    for each in (CustomerClass.RESIDENTIAL, CustomerClass.LV_ZERO, CustomerClass.LV_ORDINARY):
        names = [stage.chinese_title for stage in stages_of(each)]
        told.append(f"{each.chinese_title}{len(names)}个环节（{'、'.join(names)}）")
    return f"平台按以下环节办理并拒绝增设：{'；'.join(told)}。本期线上受理{report.total.received}件。"


def _cheaper(report: PeriodReport, rules: RuleBook) -> str:
    """3 办电更省钱."""
    zero = report.of_class(CustomerClass.LV_ZERO)
    return f"{_ceilings(report, rules)}本期按“三零”服务受理低压非居民用户{zero.received}件，办结{zero.completed}件。"


def _ceilings(report: PeriodReport, book: RuleBook) -> str:
    rules = rules_in_force(report.region or PROVINCE, report.last, book)
    told = "、".join(f"{AREA_TITLES[area]}{row.ceiling_kw}kW" for area, row in rules.ceilings if row is not None)
    return f"执行的“零投资”容量上限：{told}。" if told else "期末尚未实行“零投资”。"


def _business(report: PeriodReport) -> str:
    """5 压减用电报装业务办理时间."""
    told = [
        f"{each.title}：" + "、".join(f"{stage.title}中位数{stage.median:g}（超时限{stage.over}件）" for stage in begun)
        for each in report.classes
        if (begun := [stage for stage in each.stages if stage.count])
    ]
    total = report.total
    record = (
        f"如实记录：环节信息{total.events}条，时间不实（倒填、晚报）已标注{total.backdated_events}条，"
        f"跳环节、重走流程等被拒绝{total.refused_events}次"
    )
    return "；".join([*told, record]) + "。"


def _approvals(report: PeriodReport) -> str:
    """6 压减电力接入工程审批时间."""
    if len(report.departments) > MOST_DEPARTMENTS:
        return f"并联审批：{'；'.join(_kinds_of_department(report.departments))}。"
    told = []
    for each in report.departments:
        light = "、".join(
            f"{name}{number}项"
            for name, number in (("告知承诺", each.commitment), ("备案", each.filing), ("免批", each.exempt))
            if number
        )
        decided = f"，{_of_measure(each.decided)}" if each.decided.count else ""
        told.append(f"{each.region_name}{each.title}{each.permits}项{decided}{'，其中' + light if light else ''}")
    return "并联审批：" + "；".join(told) + "。" if told else "本期办结的申请没有电力接入工程审批事项。"


def _kinds_of_department(departments: Sequence[DepartmentReport]) -> list[str]:
    """Departments of one name in all cities together: too many to tell one by one."""
    told = []
    for title in dict.fromkeys(each.title for each in departments):
        same = [each for each in departments if each.title == title]
        number, over = sum(each.decided.count for each in same), sum(each.decided.over for each in same)
        told.append(f"{title}{sum(each.permits for each in same)}项，办结{number}项，超时限{over}项")
    return told


def _online(report: PeriodReport) -> str:
    """7 优化线上用电报装服务."""
    total = report.total
    return (
        f"业务线上申请{total.received}件；环节、审批、时限和信息使用情况可由用户在线查询。在办{total.open}件，"
        f"其中超时限{total.open_over}件。"
    )


def _documents(report: PeriodReport) -> str:
    """8 压减用电报装环节和申请材料."""
    total = report.total
    if not total.completed + total.withdrawn + total.ended:
        return NOTHING_CLOSED
    return (
        f"由平台获取、未向用户收取的资料{total.documents_fetched}份，用户自行上传{total.documents_uploaded}份；"
        f"供电企业超范围索要资料被拒绝{total.refused_requests}次。"
    )


def _platform(report: PeriodReport) -> str:
    """9 加快政企协同办电信息共享平台建设."""
    total = report.total
    if not total.completed + total.withdrawn + total.ended:
        return NOTHING_CLOSED
    permits = sum(each.permits for each in report.departments)
    return (
        f"企业“一证办电”{total.one_certificate}件（{total.one_certificate_percent:g}%），居民“刷脸办电”（含其他核验方式）"
        f"{total.face_verified}件（{total.face_verified_percent:g}%）；一窗受理审批事项{permits}项，结果自动反馈供电企业。"
    )


def _connection(report: PeriodReport) -> str:
    """10 优化接入电网方式."""
    return f"本期低压接入的“三零”用户办结{report.of_class(CustomerClass.LV_ZERO).completed}件。"


def _interface(report: PeriodReport, rules: RuleBook) -> str:
    """11 延伸电网投资界面."""
    return _ceilings(report, rules)


def _openness(_: PeriodReport) -> str:
    """15 提高用电报装信息公开透明度."""
    return (
        "环节、时限、申请资料、收费原则及依据条款已在平台“办事公开”页公开，并提供开放数据；95598与12398热线同步公布；"
        "各市办理情况按月公布。"
    )


_FILLED: Final[Mapping[int, Callable[[PeriodReport], str]]] = {
    1: _quicker,
    2: _easier,
    5: _business,
    6: _approvals,
    7: _online,
    8: _documents,
    9: _platform,
    10: _connection,
    15: _openness,
}
