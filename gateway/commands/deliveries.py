"""``bandian deliveries …``: what is on its way, what is dead, and sending again."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Final

import typer

from gateway.commands.session import actor, with_foundation
from gateway.delivery.ports import DeliveryState, ReplayReason

if TYPE_CHECKING:
    from gateway.bootstrap.foundation import Foundation
    from gateway.delivery.service import DeliveryService

REPLAYED_AT_ONCE: Final = 200

app = typer.Typer(no_args_is_help=True, help="事件送达、死信与重放")
Before = Annotated[str | None, typer.Option(help="只看列在此事件之后的（更早的），用于翻页")]


def _service(foundation: "Foundation") -> "DeliveryService":
    from gateway.delivery.service import DeliveryService

    return DeliveryService(foundation.transactions, foundation.settings.issuer_url)


@app.command("list")
def list_deliveries(
    destination: Annotated[str | None, typer.Option(help="只看某一接收单位")] = None,
    state: Annotated[DeliveryState | None, typer.Option(help="pending、unknown（结果未知）、delivered 或 dead")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
    before: Before = None,
) -> None:
    """最近的送达，新的在前。"""

    async def work(foundation: "Foundation") -> None:
        await _print_list(foundation, destination, state, limit, before)

    with_foundation(work)


@app.command()
def dead(
    destination: Annotated[str | None, typer.Option(help="只看某一接收单位")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
    before: Before = None,
) -> None:
    """死信及其原因，新的在前。"""

    async def work(foundation: "Foundation") -> None:
        await _print_list(foundation, destination, DeliveryState.DEAD, limit, before)

    with_foundation(work)


async def _print_list(
    foundation: "Foundation", destination: str | None, state: DeliveryState | None, limit: int, before: str | None
) -> None:
    page = await _service(foundation).list(destination, state, limit, before)
    for view in page.deliveries:
        event = view.event
        perhaps = "（对方或已收到）" if view.state is DeliveryState.DEAD and view.unknown_since else ""
        typer.echo(
            f"{event.event_id}\t{event.destination}\t{event.type}\t{event.subject}#{event.sequence}\t"
            f"{view.state}\t{view.attempts} 次\t{view.last_reason or ''}{perhaps}"
        )
    if page.more:
        typer.echo(f"更早的：--before {page.deliveries[-1].event.event_id}", err=True)


@app.command()
def destinations() -> None:
    """各接收单位：待送、结果未知、死信，及是否被停用。"""

    async def work(foundation: "Foundation") -> None:
        for state in await _service(foundation).destinations():
            receiver = state.destination
            since = f"自 {receiver.failing_since.isoformat()} 起未成功" if receiver.failing_since else ""
            disabled = f"已停用（{receiver.disabled_at.isoformat()}）" if receiver.disabled_at else "正常"
            typer.echo(
                f"{receiver.code}\t{disabled}\t待送 {state.pending}\t结果未知 {state.unknown}\t死信 {state.dead}\t"
                f"{since}\t{receiver.last_reason or ''}"
            )

    with_foundation(work)


@app.command()
def enable(
    destination: Annotated[str, typer.Argument(help="接收单位")],
    reason: Annotated[ReplayReason, typer.Option(help="为何启用（记入存证）")],
) -> None:
    """重新启用因持续失败而停用的接收单位；等待中的事件随即送出。"""

    async def work(foundation: "Foundation") -> None:
        record_id = await _service(foundation).enable(destination, reason, actor(), foundation.clock())
        typer.echo(f"已启用 {destination}（存证 {record_id}）")

    with_foundation(work)


@app.command()
def show(event_id: Annotated[str, typer.Argument(help="事件编号")]) -> None:
    """一次送达及其每次尝试。"""

    async def work(foundation: "Foundation") -> None:
        view = await _service(foundation).find(event_id)
        typer.echo(f"{view.event.type} → {view.event.destination}：{view.state}")
        for attempt in view.history:
            receipt = "有回执" if attempt.receipt else ""
            began = f"第 {attempt.attempt} 次 {attempt.started_at.isoformat()}"
            typer.echo(f"  {began} {attempt.outcome} {attempt.reason} {receipt}")

    with_foundation(work)


@app.command()
def replay(
    event_id: Annotated[str, typer.Argument(help="事件编号")],
    reason: Annotated[ReplayReason, typer.Option(help="为何重放（记入存证）")],
) -> None:
    """再次送达；接收方按事件编号去重。"""

    async def work(foundation: "Foundation") -> None:
        replayed = await _service(foundation).replay(event_id, reason, actor(), foundation.clock())
        typer.echo(f"已重新排队（存证 {replayed.record_id}）")

    with_foundation(work)


@app.command("replay-since")
def replay_since(
    destination: Annotated[str, typer.Argument(help="接收单位")],
    since: Annotated[str, typer.Argument(help="自何时起，例如 2026-11-23T09:00:00+08:00")],
    reason: Annotated[ReplayReason, typer.Option(help="为何重放（记入存证）")],
) -> None:
    """重放某接收单位自某时起的全部事件；在途的与已删除内容的除外。"""
    begins_at = _instant(since)

    async def work(foundation: "Foundation") -> None:
        service, after, count, more = _service(foundation), 0, 0, True
        while more:
            replayed = await service.replay_since(
                destination, begins_at, after, REPLAYED_AT_ONCE, reason, actor(), foundation.clock()
            )
            after, more = replayed.page.last_position, replayed.page.more
            count += len(replayed.page.event_ids)
            if replayed.record_id is not None:
                typer.echo(f"已重新排队 {count} 件（存证 {replayed.record_id}）")
        if not count:
            typer.echo("没有可重放的事件。")

    with_foundation(work)


def _instant(text: str) -> datetime:
    wanted = typer.BadParameter("须为带时区的时刻，例如 2026-11-23T09:00:00+08:00", param_hint="SINCE")
    try:
        at = datetime.fromisoformat(text)
        if at.tzinfo is None:
            raise wanted
        return at.astimezone(UTC)
    except (ValueError, OverflowError):
        raise wanted from None
