"""``bandian backup``, ``restore`` and ``adopt-restored``. ``prove-backup`` stands in ``prove_backup``."""

import asyncio
from contextlib import suppress
from pathlib import Path

import typer

from adapters.head_keeper import all_heads, set_aside
from adapters.key_directory import KeyDirectoryError, open_key_directory
from adapters.storage.backup import BackupRefused, manifest_path, read_manifest, restore, take_backup
from adapters.storage.engine import DatabaseUrlError
from adapters.storage.restorations import StillServed, end_logs_of
from adapters.witnesses.files import LATEST, latest_checkpoint
from gateway.backups.manifest import Manifest, lookup_key_id
from gateway.bootstrap.foundation import Foundation, lay_foundation
from gateway.clock import date_in_china, system_clock
from gateway.commands.session import actor, fail, settings_or_exit
from gateway.restorations.service import Adopted, adopt
from gateway.settings import Settings, SettingsError
from gateway.start_refusals import StartRefused, told_in_one_sentence

_NEXT = """接下来：
1. 启动网关；未送达的事件会再次送出，接收方按事件编号去重。
2. 请各供电企业对账（GET /v1/reconciliation）：他们持有而本库没有的，就是备份之后丢失的。
3. 请各部门把备份时间之后的审批结果重新推送；以其结果编号去重。
4. 登记与密钥若在备份之后改过，请重做（bandian partners）。"""


def run_backup(file: Path) -> None:
    """Back up the database of the settings to ``file``, and say what belongs to it."""
    settings = settings_or_exit()
    try:
        manifest = take_backup(settings.database(), file, system_clock(), _lookup_key(settings))
    except (BackupRefused, DatabaseUrlError, SettingsError) as error:
        raise fail(str(error)) from None
    typer.echo(f"已备份：{file}（{manifest.size} 字节），清单 {manifest_path(file)}")
    for line in _needed(manifest):
        typer.echo(line)
    typer.echo("备份里没有任何密钥。请另行、分开保管密钥目录与包装密钥；并以 bandian prove-backup 验证这份备份。")


def _lookup_key(settings: Settings) -> str | None:
    """None where the keys are not at hand: whoever backs up need not have them."""
    with suppress(KeyDirectoryError):
        on = date_in_china(system_clock())
        return lookup_key_id(open_key_directory(settings.key_dir, generate=False, on=on).lookup_secret)
    return None


def _needed(manifest: Manifest) -> list[str]:
    contents = manifest.contents
    return [
        f"结构 {contents.schema_revision}，存证日志 {len(contents.heads)} 本，"
        f"事件 {sum(sum(count.states.values()) for count in contents.outbox.values())} 个",
        f"恢复时需要的数据密钥：{'、'.join(contents.data_keys) or '无'}；"
        f"封签公钥：{'、'.join(contents.seal_keys) or '无'}；"
        f"检索摘要密钥：{manifest.lookup_key or '未知（本机没有密钥目录）'}",
    ]


def run_restore(file: Path, into: str) -> None:
    """Restore ``file`` into a database that is empty or not there yet."""
    try:
        manifest = read_manifest(file)
        restored = restore(file, manifest, into, system_clock())
    except BackupRefused as error:
        raise fail(str(error)) from None
    typer.echo(f"已恢复到目标数据库：备份时间 {manifest.taken_at.isoformat()}。")
    if restored.migrated_from is not None:
        typer.echo(f"结构已由 {restored.migrated_from} 升级到本版本。")
    if restored.unsealed:
        typer.echo("升级前的值尚未加密：启用之后请运行 bandian keys reseal --sweep。")
    typer.echo("任何进程都会拒绝以它服务，直到运行：bandian audit（看缺了什么），然后 bandian adopt-restored。")


def run_adopt(*, confirmed: bool) -> None:
    """Let the restored database of the settings be served, in an epoch of its own."""
    settings = settings_or_exit()
    try:
        with told_in_one_sentence():
            foundation = lay_foundation(settings)
            try:
                adopted = asyncio.run(_adopted(foundation, confirmed=confirmed))
            finally:
                foundation.close()
            if adopted is not None:
                _set_aside(settings, adopted)
    except StartRefused as error:
        raise fail(str(error)) from None
    except StillServed:
        raise fail("仍有进程在使用这个数据库：请停止全部 serve 与 worker；被杀掉的进程须等三十秒。") from None
    if adopted is None:
        typer.echo("此数据库不是恢复而来，也不比库外链头更旧：无需启用。")
        return
    typer.echo(f"已启用（第 {adopted.restoration.number} 次恢复，存证 {adopted.record_id}）。\n{_NEXT}")


def _set_aside(settings: Settings, adopted: Adopted) -> None:
    """What left the former database, and is not in this one, must not be met as if it were this one's."""
    directory, into = settings.head_directory, f"superseded-{adopted.restoration.number}"
    moved = set_aside(directory, adopted.lost, into)
    checkpoint = latest_checkpoint(directory)
    if checkpoint is not None and checkpoint.origin != settings.checkpoint_origin:
        (directory / into).mkdir(mode=0o700, exist_ok=True)
        (directory / LATEST).replace(directory / into / LATEST)
        moved += 1
    if moved:
        typer.echo(f"与本库矛盾的链头和检查点 {moved} 个已移到 {directory / into}，请与恢复的说明一同保存。")


def _refuse_second_history(settings: Settings, anchored: int) -> None:
    """A checkpoint of before, and one of from now on, would be two histories under one name."""
    kept = latest_checkpoint(settings.head_directory)
    if kept is not None and kept.origin == settings.checkpoint_origin and kept.size > anchored:
        raise fail(
            f"名为 {kept.origin} 的存证已签发过本库没有的检查点（{kept.size} 个叶子，本库 {anchored} 个）："
            f"请先把 BANDIAN_RECORD_ORIGIN 设为新的名字（如 {kept.origin}-2），告知各见证方，再运行本命令。"
        )


async def _adopted(foundation: Foundation, *, confirmed: bool) -> Adopted | None:
    transactions, settings = foundation.transactions, foundation.settings
    await transactions.require_current_schema()
    kept = all_heads(settings.head_directory)
    waiting, lost, anchored = await transactions.read(
        lambda tx: (tx.restorations.waiting(), tx.restorations.contradicted(kept), tx.super_log.head().frontier.size)
    )
    if waiting is None and not lost:
        return None
    _refuse_second_history(settings, anchored)
    for head in lost:
        typer.echo(
            f"缺失：日志 {head.log_id} 在库外留有第 {head.number} 封（至第 {head.last_sequence} 条），本库没有。"
        )
    if waiting is not None and waiting.backup_taken_at is not None:
        typer.echo(f"备份时间 {waiting.backup_taken_at.isoformat()}；此后的一切不在本库。")
    if not confirmed and not typer.confirm("以此数据库继续服务？旧库从此不得再用"):
        raise fail("没有启用。")
    await asyncio.to_thread(end_logs_of, settings.database(), foundation.clock())
    return await adopt(transactions, foundation.clock, actor(), kept)
