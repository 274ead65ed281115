"""``bandian audit``: walks the record of a database that it leaves as it is."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import typer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from adapters.head_keeper import HeadUnreadable, head_paths, read_head
from adapters.key_directory import KeyDirectoryError, open_key_directory
from adapters.storage.engine import DatabaseUrlError
from adapters.storage.transactions import DatabaseUnreadable, reading
from adapters.time_stamping import flaw_of_token
from adapters.witnesses.files import checkpoint_paths
from gateway.clock import date_in_china, system_clock
from gateway.records.audit import AuditReport, Break, Outside, audit
from gateway.records.log import Seal
from gateway.records.notes import (
    COSIGNATURE_TYPE,
    MAX_NOTE_BYTES,
    Note,
    NoteInvalid,
    VerifierKey,
    parse_note,
    parse_vkey,
)
from gateway.records.seal_key import seal_keys_of
from gateway.settings import Settings, SettingsError, load_settings

EXIT_BROKEN: Final = 1
EXIT_USAGE: Final = 2
EXIT_UNREADABLE: Final = 3


@dataclass(frozen=True)
class Given:
    """What the call names: in place of settings, or beside them."""

    database_url: str | None = None
    keys_file: Path | None = None
    head_files: Sequence[Path] = ()
    checkpoint_files: Sequence[Path] = ()
    record_keys_file: Path | None = None


def run_audit(given: Given) -> int:
    """Audit the database that ``given`` or the settings name and print what was found; answers the exit code.

    With a database and a key file the settings are not asked: so a copy can be audited anywhere.
    """
    try:
        settings = None if given.database_url and given.keys_file else load_settings(os.environ)
        database_url = given.database_url or (settings.database() if settings else "")
    except SettingsError as error:
        return _refused(str(error), EXIT_USAGE)
    try:
        keys = _seal_keys(settings, given.keys_file)
        log_keys, witness_keys = _record_keys(settings, given.record_keys_file)
        # Heads and checkpoints first: what was kept before the snapshot is in the snapshot.
        heads = [read_head(path) for path in given.head_files]
        checkpoints = [_read_checkpoint(path) for path in given.checkpoint_files]
        damaged: tuple[Break, ...] = ()
        if settings is not None:
            kept_heads, damaged_heads = _kept(head_paths(settings.head_directory), read_head)
            kept_notes, damaged_notes = _kept(_checkpoint_paths(settings.head_directory), _read_checkpoint)
            heads, checkpoints, damaged = heads + kept_heads, checkpoints + kept_notes, damaged_heads + damaged_notes
        report = _walk(database_url, keys, heads, Outside(checkpoints, log_keys, witness_keys, flaw_of_token))
    except DatabaseUrlError as error:
        return _refused(str(error), EXIT_USAGE)
    except (KeyDirectoryError, HeadUnreadable, DatabaseUnreadable, _KeysUnreadable) as error:
        return _refused(str(error), EXIT_UNREADABLE)
    return _tell(report, damaged)


class _KeysUnreadable(Exception):
    """The text is one sentence."""


def _seal_keys(settings: Settings | None, keys_file: Path | None) -> Mapping[str, Ed25519PublicKey]:
    if keys_file is None:
        if settings is None:
            raise _KeysUnreadable("No keys were named; give a JWK set with --keys.")
        return open_key_directory(settings.key_dir, generate=False, on=date_in_china(system_clock())).seal_keys()
    try:
        return seal_keys_of(keys_file.read_bytes())
    except (OSError, ValueError):
        raise _KeysUnreadable(
            f"{keys_file} holds no seal key; give it a JWK set such as the gateway's /.well-known/jwks.json."
        ) from None


def _record_keys(settings: Settings | None, file: Path | None) -> tuple[Sequence[VerifierKey], Sequence[VerifierKey]]:
    """Keys of the log and of witnesses: out of the file, and the witnesses of the settings."""
    witnesses = [key for each in (settings.witnesses if settings else ()) for key in each.verifier_keys()]
    if file is None:
        return [], witnesses
    try:
        lines = [line for line in file.read_text("utf-8").splitlines() if line and not line.startswith("#")]
        keys = [parse_vkey(line) for line in lines]
    except (OSError, ValueError):
        raise _KeysUnreadable(
            f"{file} holds other things than verifier keys; give it lines such as /.well-known/record-keys has."
        ) from None
    given = [key for key in keys if key.type == COSIGNATURE_TYPE]
    return [key for key in keys if key.type != COSIGNATURE_TYPE], [*witnesses, *given]


def _read_checkpoint(path: Path) -> Note:
    try:
        with path.open("rb") as stream:
            return parse_note(stream.read(MAX_NOTE_BYTES + 1))
    except OSError as error:
        raise HeadUnreadable(f"{path} cannot be opened ({error.strerror}).") from None
    except NoteInvalid:
        raise HeadUnreadable(f"{path} holds no checkpoint.") from None


def _checkpoint_paths(directory: Path) -> Sequence[Path]:
    try:
        return checkpoint_paths(directory)
    except OSError as error:
        raise HeadUnreadable(f"{directory} cannot be opened ({error.strerror}).") from None


KeptT = TypeVar("KeptT")


def _kept(paths: Sequence[Path], read: Callable[[Path], KeptT]) -> tuple[list[KeptT], tuple[Break, ...]]:
    """What is in the directory that the gateway keeps. A damaged file is doubt enough: it was written whole."""
    found: list[KeptT] = []
    damaged: list[Break] = []
    for path in paths:
        try:
            found.append(read(path))
        except HeadUnreadable:
            damaged.append(Break(path.name, "the head kept outside the database cannot be read"))
    return found, tuple(damaged)


def _walk(
    database_url: str, keys: Mapping[str, Ed25519PublicKey], kept: Sequence[Seal], outside: Outside
) -> AuditReport:
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    with reading(database_url) as unit, bar as progress:
        task = progress.add_task("核对存证", total=unit.record_reader.expected())
        return audit(unit.record_reader, keys, lambda passed: progress.advance(task, passed), kept, outside)


def _tell(report: AuditReport, damaged: Sequence[Break]) -> int:
    typer.echo(f"{report.logs} 本日志，{report.entries} 条存证，{report.seals} 个封签；库外链头 {report.heads} 个相符")
    above = report.above
    typer.echo(
        f"超级日志 {above.leaves} 个叶子，{above.checkpoints} 个检查点，{above.cosignatures} 个见证联署已验证，"
        f"{above.time_stamps} 个时间戳；"
        f"库外检查点 {above.kept} 个相符"
    )
    if above.strangers:
        typer.echo(f"注意：{above.strangers} 个见证联署没有给出公钥，未验证。", err=True)
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
