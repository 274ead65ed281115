"""``bandian keys …``: the keys of the gateway, above all those under which personal data rest in the database."""

import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.commands.session import actor, fail, settings_or_exit, with_foundation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from adapters.data_keys import DatedDataKey, LiveDataKeys
    from adapters.storage.resealing import Resealed, UnreadableRow
    from gateway.bootstrap.foundation import Foundation

app = typer.Typer(no_args_is_help=True, help="密钥：新建、轮换、重新加密、停用")

SETTLED_AFTER = timedelta(minutes=5)
"""By then every process has read a new data key, and none seals with the one before it."""
MOST_NAMED = 100
"""Rows that cannot be opened; the others are counted."""


@app.command()
def init() -> None:
    """为新平台生成尚缺的密钥：签名密钥、检索摘要密钥、包装密钥（file:）、首个数据密钥。已有的不动。"""
    from adapters.data_keys import open_data_keys
    from adapters.key_directory import open_key_directory
    from gateway.bootstrap.foundation import open_key_provider
    from gateway.clock import date_in_china, system_clock
    from gateway.start_refusals import StartRefused, told_in_one_sentence

    settings = settings_or_exit()
    on = date_in_china(system_clock())
    try:
        with told_in_one_sentence():
            open_key_directory(settings.key_dir, generate=True, on=on)
            provider = open_key_provider(settings, generate=True)
            found = open_data_keys(settings.data_key_directory, provider, generate=True, on=on)
    except StartRefused as error:
        raise fail(str(error)) from None
    typer.echo(f"密钥齐备：{settings.key_dir}，数据密钥 {len(found)} 个（{settings.data_key_directory}）")
    typer.echo("请立即备份密钥目录和包装密钥，并与数据库备份分开保管；包装密钥丢失，已加密的数据无法恢复。")


@app.command("list")
def list_keys(
    rows: Annotated[bool, typer.Option(help="统计每个数据密钥加密了多少个值（读遍全库）")] = False,
) -> None:
    """列出签名密钥与数据密钥，不显示密钥内容。"""

    async def work(foundation: "Foundation") -> None:
        for key in foundation.keys.published():
            typer.echo(f"签名\t{key.kid}\t{'、'.join(sorted(key.algorithms))}")
        usage = await foundation.transactions.read(lambda tx: tx.sealed_rows.usage()) if rows else None
        keys = _data_keys(foundation)
        for dated in keys.dated:
            counted = "" if usage is None else f"\t{usage.get(dated.key.key_id, 0)} 个值"
            typer.echo(f"数据\t{dated.key.key_id}\t{dated.seals_from}\t{_state(keys, dated, foundation)}{counted}")
        for missing in sorted((usage or {}).keys() - {dated.key.key_id for dated in keys.dated}):
            typer.echo(f"数据\t{missing}\t—\t不在本机\t{(usage or {})[missing]} 个值")

    with_foundation(work)


@app.command()
def rotate(
    start: Annotated[
        datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="自该日（中国日期）起用于加密；默认今天")
    ] = None,
) -> None:
    """新增一个数据密钥；旧密钥仍可解密。多台机器时请定在将来的日期，并先把文件复制到每台机器。"""

    async def work(foundation: "Foundation") -> None:
        from adapters.data_keys import add_data_key
        from gateway.bootstrap.foundation import open_key_provider
        from gateway.clock import date_in_china
        from gateway.records.entries import Fact, RecordEntry

        settings, now = foundation.settings, foundation.clock()
        on = date_in_china(now) if start is None else start.date()
        if on < date_in_china(now):
            raise fail("起用日期不能早于今天。")
        made = add_data_key(settings.data_key_directory, open_key_provider(settings), on)
        facts: dict[str, Fact] = {"key": made.key.key_id, "seals_from": on.isoformat()}
        entry = RecordEntry("data_key.added", now, actor(), facts=facts)
        record_id = await foundation.transactions.write(lambda tx: tx.records.append(entry))
        typer.echo(f"数据密钥 {made.key.key_id} 自 {on} 起用：{made.path}（存证 {record_id}）；请备份该文件。")
        typer.echo("运行中的进程一分钟内自动读取。把旧数据改用新密钥：bandian keys reseal")

    with_foundation(work)


@app.command()
def reseal(
    pause_ms: Annotated[int, typer.Option(min=0, max=10_000, help="每批之间停顿的毫秒数，让位于业务")] = 20,
    sweep: Annotated[bool, typer.Option(help="随后重写各表，不留旧内容（期间独占各表）")] = False,
) -> None:
    """把全部数据改用当前的数据密钥与算法加密：小批进行，可随时中断后再运行，不影响服务。"""

    unreadable: list[UnreadableRow] = []

    async def work(foundation: "Foundation") -> None:
        resealed = await reseal_and_record(foundation, {}, pause_ms / 1000)
        unreadable.extend(resealed.unreadable)
        for name, count in resealed.rows.items():
            typer.echo(f"{name}\t{count} 行")
        key_id = _data_keys(foundation).current().key_id
        typer.echo(f"完成：改用数据密钥 {key_id} 的共 {sum(resealed.rows.values())} 行。")

    with_foundation(work)
    if sweep:
        _sweep()
    _tell_unreadable(unreadable)


@app.command()
def retire(key_id: Annotated[str, typer.Argument(help="数据密钥编号（bandian keys list）")]) -> None:
    """删除一个不再使用的数据密钥文件；仍有数据由它加密，或它可能仍在使用时拒绝。"""

    async def work(foundation: "Foundation") -> None:
        from gateway.records.entries import RecordEntry

        keys, now = _data_keys(foundation), foundation.clock()
        dated = next((each for each in keys.dated if each.key.key_id == key_id), None)
        if dated is None:
            raise fail("没有此编号的数据密钥；bandian keys list 可查看。")
        _refuse_in_use(keys, dated)
        used = (await foundation.transactions.read(lambda tx: tx.sealed_rows.usage())).get(key_id, 0)
        if used:
            raise fail(f"仍有 {used} 个值由它加密；请先运行：bandian keys reseal")
        entry = RecordEntry("data_key.retired", now, actor(), facts={"key": key_id})
        record_id = await foundation.transactions.write(lambda tx: tx.records.append(entry))
        dated.path.unlink()
        typer.echo(f"已停用数据密钥 {key_id}（存证 {record_id}）。更早的数据库备份仍需要它：其备份请与之同存。")

    with_foundation(work)


@app.command()
def rewrap() -> None:
    """用当前的包装密钥重新包装全部数据密钥（更换包装密钥时：新旧两把都在位后运行，再撤去旧的）。"""

    async def work(foundation: "Foundation") -> None:
        from adapters.data_keys import wrap_anew
        from gateway.bootstrap.foundation import open_key_provider

        provider, keys = open_key_provider(foundation.settings), _data_keys(foundation)
        for dated in keys.dated:
            wrap_anew(dated, provider)
        typer.echo(f"已重新包装 {len(keys.dated)} 个数据密钥；确认备份后可撤去旧的包装密钥。")

    with_foundation(work)


_AFTER_PLAIN = "注意：升级前的备份与 PostgreSQL 的 WAL 归档里仍有明文，请按保存期限清除。"


def seal_upgraded(left: Mapping[str, int]) -> None:
    """After an upgrade that left plain values: seal them, record it, and rewrite what held them."""

    unreadable: list[UnreadableRow] = []

    async def work(foundation: "Foundation") -> None:
        resealed = await reseal_and_record(foundation, left, 0)
        unreadable.extend(resealed.unreadable)
        typer.echo(f"已加密升级前的数据 {sum(resealed.rows.values())} 行。")

    with_foundation(work)
    _sweep()
    typer.echo(_AFTER_PLAIN)
    _tell_unreadable(unreadable)


def _sweep() -> None:
    """Rewrite the tables that have sealed columns, so that no freed page or dead row keeps what they held before."""
    from adapters.storage.engine import NotSwept, sweep
    from adapters.storage.resealing import rewritten_tables

    try:
        sweep(settings_or_exit().database(), rewritten_tables())
    except NotSwept as error:
        raise fail(str(error)) from None


async def reseal_and_record(foundation: "Foundation", left: Mapping[str, int], pause_s: float) -> "Resealed":
    """Seal anew what does not rest under today's key and algorithm. Recorded at the end.

    ``left`` is what an upgrade said (``adapters.storage.migrate.migrate``).
    """
    from adapters.storage.resealing import reseal_everything
    from gateway.records.entries import Fact, RecordEntry

    resealed = await reseal_everything(foundation.transactions, pause_s)
    if resealed.rows or resealed.digests_keyed or left:
        facts: dict[str, Fact] = {
            "key": _data_keys(foundation).current().key_id,
            "algorithm": foundation.settings.at_rest_algorithm.value,
            "rows": [f"{name}:{count}" for name, count in resealed.rows.items()],
            "digests_keyed": resealed.digests_keyed,
            "unreadable": [f"{row.table}:{row.check}" for row in resealed.unreadable[:MOST_NAMED]],
            "dropped": [f"{name}:{count}" for name, count in sorted(left.items()) if name != "unsealed"],
        }
        entry = RecordEntry("storage.resealed", foundation.clock(), actor(), facts=facts)
        await foundation.transactions.write(lambda tx: tx.records.append(entry))
    return resealed


def _tell_unreadable(unreadable: "Sequence[UnreadableRow]") -> None:
    """Name what had to be left, and end with exit code 1 where there is any."""
    for row in unreadable[:MOST_NAMED]:
        named = "\t".join(map(str, row.key))
        typer.echo(f"{row.table}\t{named}\t{row.check}\t数据密钥 {row.key_id or '—'}", err=True)
    if unreadable:
        raise fail(
            f"{len(unreadable)} 行无法打开，保持原样，其余均已完成：at_rest.key_unknown 请找回该数据密钥；"
            "其他情形该数据可能被改动或移动过，请与备份核对。"
        )


def _data_keys(foundation: "Foundation") -> "LiveDataKeys":
    assert foundation.keys.data is not None
    return foundation.keys.data


def _state(keys: "LiveDataKeys", dated: "DatedDataKey", foundation: "Foundation") -> str:
    from gateway.clock import date_in_china

    if dated.key.key_id == keys.current().key_id:
        return "正在使用"
    return "尚未起用" if dated.seals_from > date_in_china(foundation.clock()) else "仅用于解密"


def _refuse_in_use(keys: "LiveDataKeys", dated: "DatedDataKey") -> None:
    current = next(each for each in keys.dated if each.key.key_id == keys.current().key_id)
    if dated.key.key_id == current.key.key_id:
        raise fail("它正用于加密；请先运行：bandian keys rotate")
    if time.time() - current.path.stat().st_mtime < SETTLED_AFTER.total_seconds():
        raise fail("接替它的密钥才放入不久，运行中的进程可能仍在用它加密；请五分钟后再试。")
