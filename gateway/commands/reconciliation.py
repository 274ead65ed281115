"""``bandian reconcile …``: what utilities hold against what they were sent, day by day."""

from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.clock import date_in_china, written_in_china
from gateway.commands.session import with_foundation

if TYPE_CHECKING:
    from gateway.bootstrap.foundation import Foundation
    from gateway.reconciliation.service import ReconciliationService

app = typer.Typer(no_args_is_help=True, help="与供电企业按日对账")
KINDS = {
    "missed_by_utility": "供电企业缺失",
    "altered_at_utility": "供电企业所存内容有改动",
    "unknown_to_gateway": "本平台没有",
    "under_way": "送达中",
}
Utility = Annotated[str, typer.Argument(help="供电企业代码")]


def _service(foundation: "Foundation") -> "ReconciliationService":
    from gateway.bootstrap.rooms import build_reconciliation

    return build_reconciliation(foundation)


@app.command("list")
def list_reports(
    utility: Annotated[str | None, typer.Option(help="只看某一供电企业")] = None,
    differing: Annotated[bool, typer.Option(help="只看与本平台不一致的")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
) -> None:
    """供电企业的对账报告，近的在前；每日以最近一次为准。"""

    async def work(foundation: "Foundation") -> None:
        from gateway.reconciliation.views import report_view

        for report in await _service(foundation).reports(utility, only_differing=differing, limit=limit):
            view = report_view(report)
            remaining = "、".join(f"{KINDS[kind]} {count}" for kind, count in view.unhealed.items())
            told = "一致" if view.agrees else f"差异 {view.differences_total}，未复原：{remaining or '无'}"
            typer.echo(f"{view.day}\t{view.utility}\t{written_in_china(view.reported_at)}\t{told}")

    with_foundation(work)


@app.command()
def show(utility: Utility, day: Annotated[str, typer.Argument(help="中国日期，如 2026-11-27")]) -> None:
    """一份对账报告：哪一方缺了什么、是否已重发复原。"""
    wanted = _day(day)

    async def work(foundation: "Foundation") -> None:
        from gateway.reconciliation.views import report_view

        view = report_view(await _service(foundation).find_report(utility, wanted), whole=True)
        typer.echo(f"{utility} {view.day}：{'一致' if view.agrees else '不一致'}（存证 {view.record_id}）")
        for each in view.differences:
            healed = "已复原" if each.healed else "未复原"
            typer.echo(f"  {each.position or '-'}\t{each.event_id}\t{KINDS[each.kind]}\t{healed}")
        if view.differences_total > len(view.differences):
            typer.echo(f"  另有 {view.differences_total - len(view.differences)} 项未列出")

    with_foundation(work)


@app.command("day")
def show_day(
    utility: Utility, day: Annotated[str | None, typer.Argument(help="中国日期；默认为今天，截至现在")] = None
) -> None:
    """本平台一日的数目、位置与默克尔根，供与供电企业核对。"""
    given = _day(day) if day is not None else None

    async def work(foundation: "Foundation") -> None:
        wanted = given or date_in_china(foundation.clock())
        (found,) = await _service(foundation).days(utility, wanted, wanted)
        state = "已关闭" if found.closed_at is not None else "未结束"
        root = found.root.hex() if found.root is not None else ""
        typer.echo(f"{found.day}\t{state}\t{found.count} 件\t位置 {found.first}–{found.last}\t{root}")

    with_foundation(work)


def _day(text: str) -> date:
    try:
        return datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007 - a date has no zone
    except ValueError:
        raise typer.BadParameter("日期写作 2026-11-27") from None
