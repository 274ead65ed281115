"""``bandian reviews …``: certificates that do not plainly agree, looked at and settled by a person."""

from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import ValidationError

from gateway.applications.review_tasks import ReviewState, ReviewTask
from gateway.clock import written_in_china
from gateway.commands.session import actor, fail, with_foundation

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from gateway.applications.reviews import ReviewService
    from gateway.bootstrap.foundation import Foundation

app = typer.Typer(no_args_is_help=True, help="证照一致性的人工核查")
Task = Annotated[str, typer.Argument(help="任务编号")]
Officer = Annotated[str, typer.Option(help="工作人员编号，记入存证；不得使用公民身份号码")]


def _with_reviews(work: "Callable[[ReviewService], Awaitable[None]]") -> None:
    """Run ``work`` with the sources and the trust directory at hand: certificates are read anew."""
    from gateway.bootstrap.certificates import build_authorities, build_certificates
    from gateway.bootstrap.clients import clients
    from gateway.bootstrap.rooms import build_reviews

    async def run(foundation: "Foundation") -> None:
        async with clients() as (http, _):
            certificates = build_certificates(foundation, http)
            await work(build_reviews(foundation, certificates, build_authorities(foundation, http)))

    with_foundation(run)


@app.command("list")
def list_tasks(
    state: Annotated[ReviewState | None, typer.Option(help="只看某一状态；默认为全部")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
) -> None:
    """核查任务，旧的在前；不含个人信息。"""

    async def work(reviews: "ReviewService") -> None:
        for task in await reviews.listed(state, limit):
            reasons = "、".join(f"{finding.comparison}:{finding.reason}" for finding in task.findings)
            typer.echo(
                f"{task.task_id}\t{task.state}\t{task.region}\t{written_in_china(task.opened_at)}\t"
                f"{written_in_china(task.expires_at)}\t{reasons}"
            )

    _with_reviews(work)


@app.command()
def show(task_id: Task, officer: Officer) -> None:
    """查看比对内容。每次查看均留痕，申请人可见。"""
    _require_staff_number(officer)

    async def work(reviews: "ReviewService") -> None:
        looked = await reviews.look(task_id, officer, actor())
        _print_task(looked.task)
        for finding, values in looked.shown:
            typer.echo(f"{finding.title}：{finding.says}（{finding.reason}）")
            for value in values:
                typer.echo(f"  {value.side.value} {value.label}：{value.value}")
        for document in looked.unavailable:
            typer.echo(f"暂时无法取得：{document}")
        typer.echo(f"本次查看已留痕（存证 {looked.record_id}），申请人可见")

    _with_reviews(work)


@app.command()
def settle(
    task_id: Task,
    decision: Annotated[ReviewState, typer.Argument(help="accepted 或 rejected")],
    officer: Officer,
    reason: Annotated[str, typer.Option(help="理由，将告知申请人；请勿写入个人信息")],
    no_interest: Annotated[
        bool, typer.Option("--no-interest", help="声明本人不是申请人或经办人，与其无利害关系（回避）")
    ] = False,
) -> None:
    """核查通过或不予通过；须先查看比对内容，只能决定一次。"""
    from schemas.operator_api import SettlementRequest

    try:
        request = SettlementRequest.model_validate(
            {"officer": officer, "decision": decision.value, "reason": reason, "no_interest": no_interest}
        )
    except ValidationError as error:
        place = error.errors(include_input=False, include_context=False, include_url=False)[0]["loc"][0]
        raise fail(_SETTLEMENT_FAULTS[str(place)]) from None

    async def work(reviews: "ReviewService") -> None:
        settled = await reviews.settle(task_id, request, actor())
        made = f"，申请 {settled.task.application_id} 已送出" if settled.task.application_id else ""
        typer.echo(f"{settled.task.state.chinese_title}{made}（存证 {settled.record_id}）")

    _with_reviews(work)


_SETTLEMENT_FAULTS = {
    "officer": "--officer 须为工作人员编号（字母、数字和 _.:-），不得使用公民身份号码",
    "decision": "决定须为 accepted 或 rejected",
    "reason": "--reason 须为 1 至 500 字的一行文字",
    "no_interest": "请以 --no-interest 声明与申请人无利害关系；有利害关系的，请由他人办理",
}


def _require_staff_number(officer: str) -> None:
    from schemas.operator_api import InspectionRequest

    try:
        InspectionRequest(officer=officer)
    except ValidationError:
        raise fail(_SETTLEMENT_FAULTS["officer"]) from None


def _print_task(task: ReviewTask) -> None:
    typer.echo(f"{task.task_id}：{task.state.chinese_title}，{task.region}，{written_in_china(task.opened_at)} 确认")
