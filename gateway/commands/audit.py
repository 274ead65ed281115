"""``bandian audit``: walks the record of a database that it leaves as it is."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import typer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from rich.console import Console
from rich.progress import Progress

from adapters.head_keeper import HeadUnreadable, head_paths, read_head
from adapters.key_directory import KeyDirectoryError, open_key_directory
from adapters.storage.transactions import DatabaseUnreadable, reading
from gateway.clock import date_in_china, system_clock
from gateway.records.audit import AuditReport, Break, audit
from gateway.records.log import Seal
from gateway.records.seal_key import seal_keys_of
from gateway.settings import Settings, SettingsError, load_settings

EXIT_BROKEN: Final = 1
EXIT_USAGE: Final = 2
EXIT_UNREADABLE: Final = 3


def run_audit(keys_file: Path | None, head_files: Sequence[Path]) -> int:
    """Audit the database of the settings and print what was found; answers the exit code.

    ``keys_file`` is a JWK set with the seal keys, in place of the key directory; ``head_files`` are heads that were
    kept elsewhere.
    """
    try:
        settings = load_settings(os.environ)
        database_url = settings.database()
    except SettingsError as error:
        return _refused(str(error), EXIT_USAGE)
    try:
        keys = _seal_keys(settings, keys_file)
        # Heads first: what was kept before the snapshot is in the snapshot.
        elsewhere = [read_head(path) for path in head_files]
        kept, unreadable = _kept_heads(settings.head_directory)
        report = _walk(database_url, keys, [*kept, *elsewhere])
    except (KeyDirectoryError, HeadUnreadable, DatabaseUnreadable, _KeysUnreadable) as error:
        return _refused(str(error), EXIT_UNREADABLE)
    return _tell(report, unreadable)


class _KeysUnreadable(Exception):
    """The text is one sentence."""


def _seal_keys(settings: Settings, keys_file: Path | None) -> Mapping[str, Ed25519PublicKey]:
    if keys_file is None:
        return open_key_directory(settings.key_dir, generate=False, on=date_in_china(system_clock())).seal_keys()
    try:
        return seal_keys_of(keys_file.read_bytes())
    except (OSError, ValueError):
        raise _KeysUnreadable(
            f"{keys_file} holds no seal key; give it a JWK set such as the gateway's /.well-known/jwks.json."
        ) from None


def _kept_heads(directory: Path) -> tuple[Sequence[Seal], tuple[Break, ...]]:
    """What is in the directory that the gateway keeps. A damaged head is doubt enough: it was written whole."""
    heads: list[Seal] = []
    damaged: list[Break] = []
    for path in head_paths(directory):
        try:
            heads.append(read_head(path))
        except HeadUnreadable:
            damaged.append(Break(path.name, "the head kept outside the database cannot be read"))
    return heads, tuple(damaged)


def _walk(database_url: str, keys: Mapping[str, Ed25519PublicKey], kept: Sequence[Seal]) -> AuditReport:
    console = Console(stderr=True)
    bar = Progress(console=console, transient=True, disable=not console.is_terminal)
    with reading(database_url) as unit, bar as progress:
        task = progress.add_task("核对存证", total=None)
        return audit(unit.record_reader, keys, lambda entries: progress.advance(task, entries), kept)


def _tell(report: AuditReport, damaged: Sequence[Break]) -> int:
    typer.echo(f"{report.logs} 本日志，{report.entries} 条存证，{report.seals} 个封签；库外链头 {report.heads} 个相符")
    if report.unkept:
        typer.echo(f"注意：{report.unkept} 本日志没有库外链头可对照，其末尾是否被截断无从得知。", err=True)
    broken = [*damaged, *report.broken]
    for found in broken:
        typer.echo(_printable(f"不符：{found.where}：{found.reason}"), err=True)
    if broken:
        return EXIT_BROKEN
    typer.echo("完好。" if report.entries else "没有任何存证。")
    return 0


def _refused(sentence: str, code: int) -> int:
    typer.echo(_printable(sentence), err=True)
    return code


def _printable(text: str) -> str:
    """What was tampered with may hold anything, and is shown on a terminal."""
    return "".join(character if character.isprintable() else "?" for character in text)
