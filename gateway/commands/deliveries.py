"""``bandian deliveries …``: what is on its way, what is dead, and sending again."""

from typing import TYPE_CHECKING, Annotated

import typer

from gateway.commands.session import actor, with_foundation
from gateway.delivery.ports import DeliveryState, ReplayReason

if TYPE_CHECKING:
    from gateway.bootstrap import Foundation
    from gateway.delivery.service import DeliveryService

app = typer.Typer(no_args_is_help=True, help="事件送达、死信与重放")


def _service(foundation: "Foundation") -> "DeliveryService":
    from gateway.delivery.service import DeliveryService

    return DeliveryService(foundation.transactions, foundation.settings.issuer_url)


@app.command("list")
def list_deliveries(
    destination: Annotated[str | None, typer.Option(help="只看某一接收单位")] = None,
    state: Annotated[DeliveryState | None, typer.Option(help="pending、delivered 或 dead")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
) -> None:
    """最近的送达，新的在前。"""

    async def work(foundation: "Foundation") -> None:
        for view in await _service(foundation).list(destination, state, limit):
            event = view.event
            typer.echo(
                f"{event.event_id}\t{event.destination}\t{event.type}\t{event.subject}#{event.sequence}\t"
                f"{view.state}\t{view.attempts} 次\t{view.last_reason or ''}"
            )

    with_foundation(work)


@app.command()
def show(event_id: Annotated[str, typer.Argument(help="事件编号")]) -> None:
    """一次送达及其每次尝试。"""

    async def work(foundation: "Foundation") -> None:
        view = await _service(foundation).find(event_id)
        typer.echo(f"{view.event.type} → {view.event.destination}：{view.state}")
        for attempt in view.history:
            receipt = "有回执" if attempt.receipt else ""
            typer.echo(f"  第 {attempt.attempt} 次 {attempt.started_at.isoformat()} {attempt.reason} {receipt}")

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
