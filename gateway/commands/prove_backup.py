"""``bandian prove-backup``: restores a backup elsewhere, and shows whether it can be relied on."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import typer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from adapters.head_keeper import HeadUnreadable, head_paths, read_head
from adapters.key_directory import KeyDirectory, KeyDirectoryError, open_key_directory
from adapters.storage.backup import BackupRefused, Restored, read_manifest, restore, scratch_database
from adapters.storage.backup_contents import Examined, Opened, examine
from adapters.storage.engine import DatabaseUrlError
from adapters.storage.transactions import DatabaseUnreadable, reading
from gateway.backups.manifest import DatabaseKind, Manifest, lookup_key_id
from gateway.backups.proof import differences, entries_after, sort_kept
from gateway.bootstrap.foundation import open_live_data_keys
from gateway.clock import date_in_china, system_clock
from gateway.crypto.sealing import KeyProviderError, Sealer
from gateway.records.audit import audit
from gateway.records.log import Seal
from gateway.records.seal_key import seal_keys_of
from gateway.settings import Settings, SettingsError, load_settings

EXIT_NOT_PROVED: Final = 1
EXIT_USAGE: Final = 2
EXIT_UNREADABLE: Final = 3
_MOST_NAMED: Final = 10


@dataclass
class Report:
    """What was shown, line by line; the backup is proved while nothing failed."""

    failed: bool = field(default=False, init=False)

    def good(self, line: str) -> None:
        typer.echo(f"✓ {line}")

    def note(self, line: str) -> None:
        typer.echo(f"- {line}")

    def bad(self, line: str) -> None:
        self.failed = True
        typer.echo("✗ " + "".join(character if character.isprintable() else "?" for character in line))


def run_prove(file: Path, scratch: str | None, keys_file: Path | None, head_files: Sequence[Path]) -> int:
    """Restore ``file`` into a database of its own, prove it, and take it away; answers the exit code.

    ``scratch`` is a PostgreSQL server for a backup of PostgreSQL, that of the settings when it is left out;
    ``keys_file`` a JWK set with the seal keys, in place of the key directory; ``head_files`` heads kept elsewhere.
    """
    os.umask(0o077)
    report = Report()
    try:
        settings = load_settings(os.environ)
        manifest = read_manifest(file)
        seal_keys = _seal_keys(settings, keys_file)
        kept = [*_kept_heads(settings), *(read_head(path) for path in head_files)]
        report.good(f"文件与清单相符：{manifest.size} 字节，SHA-256 {manifest.sha256}")
        server = scratch or (None if settings.on_sqlite else settings.database())
        near = file.parent if manifest.database is DatabaseKind.SQLITE else Path()
        with scratch_database(manifest.database, server, near) as url:
            restored = restore(file, manifest, url, system_clock())
            _tell_restored(report, manifest, restored)
            _prove_record(report, url, manifest, seal_keys, kept)
            _prove_contents(report, examine(url, _sealer(report, settings)), manifest, settings, restored)
    except SettingsError as error:
        typer.echo(str(error), err=True)
        return EXIT_USAGE
    except (BackupRefused, DatabaseUnreadable, DatabaseUrlError, HeadUnreadable, KeyDirectoryError) as error:
        typer.echo(f"无法验证：{error}", err=True)
        return EXIT_UNREADABLE
    typer.echo("这份备份不可依赖：见上面标 ✗ 的各项。" if report.failed else "这份备份可以依赖。")
    return EXIT_NOT_PROVED if report.failed else 0


def _seal_keys(settings: Settings, keys_file: Path | None) -> Mapping[str, Ed25519PublicKey]:
    if keys_file is None:
        return _key_directory(settings).seal_keys()
    try:
        return seal_keys_of(keys_file.read_bytes())
    except (OSError, ValueError):
        raise BackupRefused(f"{keys_file} 不是含封签公钥的 JWK Set（如 /.well-known/jwks.json）。") from None


def _key_directory(settings: Settings) -> KeyDirectory:
    return open_key_directory(settings.key_dir, generate=False, on=date_in_china(system_clock()))


def _kept_heads(settings: Settings) -> list[Seal]:
    return [read_head(path) for path in head_paths(settings.head_directory)]


def _sealer(report: Report, settings: Settings) -> Sealer | None:
    try:
        return Sealer(open_live_data_keys(settings.model_copy(update={"generate_keys": False}), system_clock))
    except (KeyDirectoryError, KeyProviderError, SettingsError) as error:
        report.bad(f"没有可用的数据密钥（{error}）：备份里加密的内容无人能打开，这份备份等于没有")
        return None


def _tell_restored(report: Report, manifest: Manifest, restored: Restored) -> None:
    report.good(f"已恢复到临时数据库（{manifest.database}，{manifest.made_with}，{manifest.taken_at.isoformat()}）")
    if restored.migrated_from is not None:
        report.note(f"备份的结构是 {restored.migrated_from}，已在临时数据库上升级到本版本")


def _prove_record(
    report: Report, url: str, manifest: Manifest, keys: Mapping[str, Ed25519PublicKey], kept: Sequence[Seal]
) -> None:
    """The audit, with the manifest's heads and those kept outside that the backup is late enough to hold."""
    sorted_heads = sort_kept(kept, manifest.contents)
    with reading(url) as unit:
        found = audit(unit.record_reader, keys, kept=[*manifest.contents.heads, *sorted_heads.held])
    for broken in found.broken[:_MOST_NAMED]:
        report.bad(f"存证不符：{broken.where}：{broken.reason}")
    if not found.broken:
        report.good(
            f"存证完好：{found.logs} 本日志，{found.entries} 条，{found.seals} 封；"
            f"清单链头 {len(manifest.contents.heads)} 个、库外链头 {len(sorted_heads.held)} 个相符"
        )
    if sorted_heads.later:
        lost = entries_after(sorted_heads.later, manifest.contents)
        report.note(f"备份之后至少又有 {lost} 条存证（库外链头为证）：以这份备份恢复，就会缺这些")


def _prove_contents(
    report: Report, found: Examined, manifest: Manifest, settings: Settings, restored: Restored
) -> None:
    for difference in () if restored.migrated_from else differences(manifest.contents, found.contents):
        report.bad(f"与清单不同：{difference}")
    for destination, count in found.contents.outbox.items():
        states = "，".join(f"{state} {number}" for state, number in sorted(count.states.items()))
        report.note(f"送达 {destination}：{states}；至第 {count.last_position} 位")
    for gap in found.gaps[:_MOST_NAMED]:
        what = f"申请 {gap.subject} 的序号" if gap.subject else "位置"
        report.bad(f"送达 {gap.destination}：{what}不连续（{gap.count} 个，自 {gap.first} 至 {gap.last}）")
    for destination in found.behind[:_MOST_NAMED]:
        report.bad(f"送达 {destination}：计数器落后于已发出的号，号会重复")
    if not found.gaps and not found.behind:
        report.good("各接收方的位置连续，各申请的序号连续，计数器相符")
    if found.opened is not None:
        _prove_opened(report, found.opened)
    _prove_lookup_key(report, manifest, settings)


def _prove_opened(report: Report, opened: Opened) -> None:
    for (table, check, key_id), number in sorted(opened.unreadable.items())[:_MOST_NAMED]:
        why = f"数据密钥 {key_id} 不在本机：没有它，这些内容就没有了" if check == "at_rest.key_unknown" else check
        report.bad(f"{table}：{number} 个加密值打不开（{why}）")
    if not opened.unreadable:
        report.good(f"加密的值全部打开：{opened.values} 个")


def _prove_lookup_key(report: Report, manifest: Manifest, settings: Settings) -> None:
    if manifest.lookup_key is None:
        report.note("清单没有记检索摘要密钥（备份时密钥目录不在）：无法核对")
        return
    try:
        present = lookup_key_id(_key_directory(settings).lookup_secret)
    except KeyDirectoryError:
        report.bad("没有密钥目录：检索摘要密钥（lookup.key）不在，恢复后无法按人查到申请")
        return
    if present == manifest.lookup_key:
        report.good("检索摘要密钥（lookup.key）就是备份时的那一把")
    else:
        report.bad("检索摘要密钥（lookup.key）不是备份时的那一把：恢复后无法按人查到申请")
