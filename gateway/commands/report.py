"""``bandian report``: the figures of a period, and the 重点任务台账, from the command line."""

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from gateway.commands.session import with_foundation

if TYPE_CHECKING:
    from gateway.bootstrap.foundation import Foundation
    from gateway.oversight.report import CellReport, PeriodReport


def make_report(first: str, last: str, city: str | None, output: Path | None) -> None:
    """Write the report of the days ``first`` to ``last`` to ``output`` by its suffix, or print it."""
    suffix = None if output is None else output.suffix.lower()
    if suffix not in (None, ".xlsx", ".pdf", ".json"):
        raise typer.BadParameter("文件名以 .xlsx、.pdf 或 .json 结尾", param_hint="--output")
    region = _region(city)
    days = _day(first, "--from"), _day(last, "--to")

    async def work(foundation: "Foundation") -> bytes | list[str]:
        from gateway.bootstrap.rooms import build_oversight
        from gateway.oversight.periods import period
        from gateway.oversight.report import period_report

        service = build_oversight(foundation)
        report = period_report(await service.figures(period(*days), region), service.department_title)
        return as_lines(report) if suffix is None else _rendered(report, suffix, foundation)

    made = with_foundation(work)
    if isinstance(made, list):
        typer.echo("\n".join(made))
    elif output is not None:
        output.write_bytes(made)
        typer.echo(f"已写入 {output}")


def _rendered(report: "PeriodReport", suffix: str, foundation: "Foundation") -> bytes:
    from gateway.oversight.ledger import ledger

    if suffix == ".json":
        return report.model_dump_json(indent=1).encode() + b"\n"
    if suffix == ".xlsx":
        from gateway.oversight.spreadsheet import ledger_xlsx

        return ledger_xlsx(ledger(report, foundation.rules.book()), report)
    from gateway.bootstrap.hub import build_pages
    from gateway.portal.authority.ledger_pdf import ledger_pdf

    return ledger_pdf(build_pages(foundation), ledger(report, foundation.rules.book()))


def as_lines(report: "PeriodReport") -> list[str]:
    """The report as text: classes, then cities, then departments; columns parted by tabs."""
    lines = [f"{report.region_name} {report.first} 至 {report.last}（{'已确定' if report.final else '未确定'}）"]
    lines.append("用户类型\t受理\t办结\t在办\t中位数\t九成不超过\t最长\t超时限\t时间不实\t被拒")
    lines += [_cell_line(each.title, each) for each in (*report.classes, report.total)]
    lines.append("地区\t受理\t办结\t在办\t中位数\t九成不超过\t最长\t超时限\t时间不实\t被拒")
    lines += [_cell_line(each.region_name, each) for each in report.cities]
    if report.departments:
        lines.append("部门\t事项\t同意\t不同意\t未决\t中位数\t九成不超过\t最长\t超时限")
    for each in report.departments:
        states = (each.permits, each.granted, each.refused, each.undecided)
        spent = (each.decided.median, each.decided.p90, each.decided.worst, each.decided.over)
        lines.append("\t".join((f"{each.region_name}{each.title}", *map(_told, (*states, *spent)))))
    return lines


def _cell_line(name: str, cell: "CellReport") -> str:
    counts = (cell.received, cell.completed, cell.open)
    spent = (cell.whole.median, cell.whole.p90, cell.whole.worst, cell.whole.over)
    return "\t".join((name, *map(_told, (*counts, *spent, cell.backdated_events, cell.refused_events))))


def _told(value: float | None) -> str:
    return "-" if value is None else f"{value:g}"


def _day(text: str, option: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter("日期写作 2026-11-27", param_hint=option) from None


def _region(city: str | None) -> str:
    """The code of a city or county, by its code or its name; empty for all."""
    from schemas.regions import REGION_NAMES

    if city is None or city in REGION_NAMES or (len(city) == 6 and city.isascii() and city.isdigit()):
        return city or ""
    found = [code for code, name in REGION_NAMES.items() if code.endswith("00") and name in (city, f"{city}市")]
    if len(found) != 1:
        raise typer.BadParameter("请填写地级市的名称或6位行政区划代码，例如 440100", param_hint="--city")
    return found[0]
