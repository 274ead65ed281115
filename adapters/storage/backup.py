"""Backups in the databases' own forms, beside gateways that write: SQLite's online backup, ``pg_dump``'s custom format.

A backup is two files: what ``sqlite3`` or ``pg_restore`` reads by itself, and beside it the manifest
(``gateway.backups.manifest``). Both are the owner's alone, and appear whole or not at all. A restore never writes over
anything; what it makes is refused by every process until it is adopted (``gateway.restorations``).
"""

import os
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from hashlib import file_digest
from pathlib import Path
from typing import Final
from urllib.parse import quote
from uuid import uuid4

from sqlalchemy import Connection, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError

from adapters.storage.backup_contents import contents_of
from adapters.storage.engine import DatabaseUrlError, create_database_engine, create_reading_engine, normalise_url
from adapters.storage.migrate import migrate
from adapters.storage.restorations import mark_restored
from adapters.storage.schema_version import SchemaState, newest, state_of
from gateway.backups.manifest import Contents, DatabaseKind, Manifest, NotAManifest, decode_manifest, encode_manifest
from gateway.errors import Overloaded

MANIFEST_SUFFIX: Final = ".manifest.json"
SCRATCH_PREFIX: Final = "bandian_scratch_"
_LOCK_WAIT: Final = "60s"
"""How long ``pg_dump`` waits for a table that is being migrated."""
_NOT_THE_VERSION: Final = "TABLE DATA public alembic_version"


class BackupRefused(Exception):
    """Nothing was made, or nothing can be said; the text is one sentence for the operator (in Chinese)."""


def manifest_path(file: Path) -> Path:
    """Where the manifest of a backup lies."""
    return file.with_name(file.name + MANIFEST_SUFFIX)


def take_backup(database_url: str, file: Path, at: datetime, lookup_key: str | None) -> Manifest:
    """Back up to ``file`` and its manifest. Neither may be there. Raises ``BackupRefused``, ``DatabaseUrlError``."""
    for path in (file, manifest_path(file)):
        if path.exists():
            raise BackupRefused(f"{path} 已存在；备份不覆盖任何文件，请换一个名字。")
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        kind, made_with, contents = _dump(database_url, draft)
        size, digest = _sized(draft)
        manifest = Manifest(kind, at, size, digest, made_with, contents, lookup_key)
        # The manifest comes first: a backup without one is not used.
        _write_whole(manifest_path(file), encode_manifest(manifest))
        _sync(draft)
        draft.replace(file)
        _sync(file.parent)
    except OSError as error:
        raise BackupRefused(f"{file} 无法写入（{error.strerror}）；请换一处可写且空间足够的地方。") from None
    except (SQLAlchemyError, sqlite3.Error) as error:
        cause = type(getattr(error, "orig", None) or error).__name__
        raise BackupRefused(f"数据库不存在、已损坏或没有应答（{cause}）；没有生成备份。") from None
    finally:
        draft.unlink(missing_ok=True)
    return manifest


def _dump(database_url: str, draft: Path) -> tuple[DatabaseKind, str, Contents]:
    url = normalise_url(database_url)
    if url.get_backend_name() == "sqlite":
        _copy_sqlite(Path(str(url.database)), draft)
        with _reading(f"sqlite:///{draft}") as connection:
            return DatabaseKind.SQLITE, f"sqlite {sqlite3.sqlite_version}", _served(connection)
    with _reading(database_url) as connection:
        contents = _served(connection)
        # What pg_dump reads is the very moment that the manifest tells of.
        snapshot = connection.execute(text("SELECT pg_export_snapshot()")).scalar_one()
        made_with = _run_tool("pg_dump", ["--version"], None).strip()
        dump = ["--format=custom", "--no-owner", "--no-privileges", "--no-password", f"--snapshot={snapshot}"]
        _run_tool("pg_dump", [*dump, f"--lock-wait-timeout={_LOCK_WAIT}", f"--file={draft}"], url)
    return DatabaseKind.POSTGRESQL, made_with, contents


def _copy_sqlite(path: Path, draft: Path) -> None:
    """All pages in one step, which is one moment: writers go on meanwhile into the WAL."""
    source_uri = f"file:{quote(str(path.absolute()))}?mode=ro"
    with (
        closing(sqlite3.connect(source_uri, uri=True, timeout=10)) as source,
        closing(sqlite3.connect(draft)) as copy,
    ):
        source.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE").fetchall()
        said = copy.execute("PRAGMA quick_check").fetchone()
    if said != ("ok",):
        raise BackupRefused("数据库文件已损坏（quick_check 未通过）；没有生成备份，请用上一份备份恢复。")


def _served(connection: Connection) -> Contents:
    if state_of(connection) is not SchemaState.SERVED:
        raise BackupRefused("数据库不是本版本的结构；请先运行 bandian migrate，或用与之相配的版本备份。")
    return contents_of(connection)


@contextmanager
def _reading(database_url: str) -> Iterator[Connection]:
    engine = create_reading_engine(database_url)
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def read_manifest(file: Path) -> Manifest:
    """The manifest of the backup in ``file``, after the file was held against it. Raises ``BackupRefused``."""
    try:
        manifest = decode_manifest(manifest_path(file).read_bytes())
        size, digest = _sized(file)
    except OSError as error:
        raise BackupRefused(f"{error.filename} 无法读取（{error.strerror}）；备份与其清单须放在一起。") from None
    except NotAManifest:
        raise BackupRefused(f"{manifest_path(file)} 不是备份清单，或已损坏。") from None
    if (size, digest) != (manifest.size, manifest.sha256):
        raise BackupRefused(f"{file} 与清单不符（大小或 SHA-256）：文件已损坏、不完整或被更换，不能使用。")
    return manifest


@dataclass(frozen=True)
class Restored:
    """``migrated_from`` is the revision of a backup that an earlier version made; ``unsealed`` as ``migrate`` tells."""

    migrated_from: str | None
    unsealed: int = 0


def restore(file: Path, manifest: Manifest, database_url: str, at: datetime) -> Restored:
    """Restore into a database that is not there (SQLite) or empty (PostgreSQL), marked as to be adopted.

    Raises ``BackupRefused``, ``DatabaseUrlError``; what was begun is taken away again, or refused by every process.
    """
    try:
        url = normalise_url(database_url)
    except DatabaseUrlError as error:
        raise BackupRefused(str(error)) from None
    if url.get_backend_name() != manifest.database.value:
        raise BackupRefused(
            f"这是 {manifest.database} 的备份，只能恢复到同类数据库；--into 指向 {url.get_backend_name()}。"
        )
    if manifest.contents.schema_revision > newest():
        raise BackupRefused("备份来自更新的版本；请用那一版的 bandian 恢复。")
    try:
        if manifest.database is DatabaseKind.SQLITE:
            return _restore_sqlite(file, manifest, Path(str(url.database)), at)
        return _restore_postgresql(file, manifest, database_url, url, at)
    except OSError as error:
        raise BackupRefused(f"{error.filename or url.database} 无法写入（{error.strerror}）。") from None
    except (SQLAlchemyError, sqlite3.Error) as error:
        cause = type(getattr(error, "orig", None) or error).__name__
        raise BackupRefused(f"目标数据库没有应答，或备份无法载入（{cause}）。") from None
    except Overloaded as error:
        raise BackupRefused(f"目标数据库没有应答，或正被占用（{error.check}）。") from None


def _restore_sqlite(file: Path, manifest: Manifest, target: Path, at: datetime) -> Restored:
    for path in (target, target.with_name(target.name + "-wal")):
        if path.exists():
            raise BackupRefused(f"{path} 已存在；恢复不覆盖任何数据库，请指向一个还不存在的文件。")
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.{uuid4().hex}")
    try:
        with open(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as copy, file.open("rb") as source:
            shutil.copyfileobj(source, copy, 1 << 20)
        restored = _finish(f"sqlite:///{draft}", manifest, at)
        with closing(sqlite3.connect(draft)) as connection:
            connection.execute("PRAGMA journal_mode=DELETE").fetchall()
        _sync(draft)
        os.link(draft, target)  # refuses what has come there meanwhile
        _sync(target.parent)
    finally:
        for leftover in (draft, *(draft.with_name(draft.name + end) for end in ("-wal", "-shm", "-journal"))):
            leftover.unlink(missing_ok=True)
    return restored


def _restore_postgresql(file: Path, manifest: Manifest, database_url: str, url: URL, at: datetime) -> Restored:
    with _reading(database_url) as connection:
        taken = connection.execute(
            text(
                "SELECT count(*) FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace"
                " WHERE nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')"
                " AND relkind IN ('r', 'p', 'v', 'm', 'S')"
            )
        ).scalar_one()
    if taken:
        raise BackupRefused("目标数据库不是空的；恢复不覆盖任何数据库，请新建一个（CREATE DATABASE）再恢复。")
    listed = _run_tool("pg_restore", ["--list", str(file)], None).splitlines()
    # Without its version row no process takes the database for one, until all is there and marked.
    wanted = "\n".join(line for line in listed if _NOT_THE_VERSION not in line)
    with tempfile.NamedTemporaryFile("w", suffix=".list") as chosen:
        chosen.write(wanted + "\n")
        chosen.flush()
        load = ["--no-owner", "--no-privileges", "--no-password", "--exit-on-error", "--single-transaction"]
        _run_tool("pg_restore", [*load, f"--use-list={chosen.name}", str(file)], url)
    return _finish(database_url, manifest, at)


def _finish(database_url: str, manifest: Manifest, at: datetime) -> Restored:
    """Mark the database, which then has its version; one of an earlier version is migrated before."""
    revision = manifest.contents.schema_revision
    older, unsealed = revision < newest(), 0
    engine = create_database_engine(database_url, pool_size=1)
    try:
        if older:
            with engine.begin() as connection:
                _tell_version(connection, revision)
            unsealed = migrate(database_url).get("unsealed", 0)
        with engine.begin() as connection:
            mark_restored(connection, manifest.sha256, manifest.taken_at, at)
            if not older:
                _tell_version(connection, revision)
    finally:
        engine.dispose()
    return Restored(revision if older else None, unsealed)


def _tell_version(connection: Connection, revision: str) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("INSERT INTO alembic_version VALUES (:revision)"), {"revision": revision})


@contextmanager
def scratch_database(kind: DatabaseKind, server_url: str | None, near: Path) -> Iterator[str]:
    """URL of a database that is not there yet (SQLite) or empty (PostgreSQL, on the server of ``server_url``).

    It is taken away afterwards. Raises ``BackupRefused`` where none can be made.
    """
    if kind is DatabaseKind.SQLITE:
        with tempfile.TemporaryDirectory(prefix=f".{SCRATCH_PREFIX}", dir=near) as directory:
            yield f"sqlite:///{directory}/restored.sqlite3"
        return
    if server_url is None or normalise_url(server_url).get_backend_name() != kind.value:
        raise BackupRefused("这是 PostgreSQL 的备份：请以 --scratch 指明一个可以新建数据库的 PostgreSQL 地址。")
    name = SCRATCH_PREFIX + uuid4().hex[:12]
    engine = create_database_engine(server_url, pool_size=1).execution_options(isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as admin:
            admin.execute(text(f'CREATE DATABASE "{name}"'))
    except SQLAlchemyError as error:
        engine.dispose()
        cause = type(getattr(error, "orig", None) or error).__name__
        raise BackupRefused(
            f"无法新建临时数据库（{cause}）：请以 --scratch 指明一个允许 CREATE DATABASE 的用户与服务器。"
        ) from None
    try:
        yield normalise_url(server_url).set(database=name).render_as_string(hide_password=False)
    finally:
        with suppress(SQLAlchemyError), engine.connect() as admin:
            admin.execute(text(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))
        engine.dispose()


def _run_tool(tool: str, arguments: list[str], url: URL | None) -> str:
    """What a PostgreSQL client tool prints. The password goes by its environment, never by its arguments."""
    path = shutil.which(tool)
    if path is None:
        raise BackupRefused(
            f"本机没有 {tool}：请安装 PostgreSQL 客户端工具（版本不低于服务器），或在装有它的机器上运行本命令。"
        )
    named = [] if url is None else [f"--dbname={_without_password(url)}"]
    ran = subprocess.run(  # noqa: S603 - the tool's own path, and arguments that no shell reads
        [path, *arguments[:-1], *named, arguments[-1]],
        env=_environment(url),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if ran.returncode:
        said = next((line for line in ran.stderr.splitlines() if "error" in line), "")
        raise BackupRefused(f"{tool} 未能完成（退出码 {ran.returncode}）：{said[:300]}")
    return ran.stdout


def _without_password(url: URL) -> str:
    return url.set(drivername="postgresql", password=None).render_as_string()


def _environment(url: URL | None) -> Mapping[str, str]:
    password = None if url is None else url.password
    return {**os.environ, "LC_ALL": "C", **({"PGPASSWORD": str(password)} if password else {})}


def _sized(path: Path) -> tuple[int, str]:
    with path.open("rb") as stream:
        digest = file_digest(stream, "sha256").hexdigest()
        return stream.tell(), digest


def _write_whole(path: Path, content: bytes) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
