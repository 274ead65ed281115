"""``bandian retention …``: what is kept for how long, and removing what the time is over for."""

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.commands.session import actor, with_foundation

if TYPE_CHECKING:
    from gateway.bootstrap.foundation import Foundation

app = typer.Typer(no_args_is_help=True, help="个人信息的留存期限")


@app.command()
def show() -> None:
    """每类信息留存多久、自何时起算、依据，以及现在到期多少。"""

    async def work(foundation: "Foundation") -> None:
        await _list_due(foundation)

    with_foundation(work)


@app.command()
def run(
    dry_run: Annotated[bool, typer.Option(help="只列出到期的，不删除")] = False,
) -> None:
    """立即删除到期的信息（平时由网关每分钟自动执行）；分小批，每批记入存证。"""

    async def work(foundation: "Foundation") -> None:
        from gateway.bootstrap.clients import clients
        from gateway.bootstrap.hub import build_hub

        if dry_run:
            await _list_due(foundation)
            return
        async with clients() as (http, _):
            removed = await build_hub(foundation, http).housekeeping.purge_once(actor())
        for code, count in removed.items():
            typer.echo(f"{code}\t{count}")
        typer.echo(f"共删除 {sum(removed.values())} 项。")

    with_foundation(work)


async def _list_due(foundation: "Foundation") -> None:
    from gateway.bootstrap.rooms import build_retention

    for due in await build_retention(foundation).due():
        policy = due.policy
        typer.echo(
            f"{policy.code}\t{policy.title}\t自{policy.after}起 {_days(policy.kept)}\t{policy.basis}\t到期 {due.count}"
        )


def _days(kept: timedelta) -> str:
    if kept < timedelta(days=1):
        return f"{int(kept.total_seconds())} 秒" if kept else "即时"
    return f"{kept.days} 天"
