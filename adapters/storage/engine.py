"""Engines for SQLite and PostgreSQL: the only place that knows dialects."""

import os
import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson
from sqlalchemy import Engine, create_engine, event, make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.pool import NullPool

LOCK_TIMEOUT_MS = 10_000
"""How long a statement waits for what another holds; longer, and whoever called would rather be told to come back."""
TRANSIENT_SQLSTATES = frozenset({"40001", "40P01", "55P03"})
"""Serialisation failure, deadlock, lock not available: the same work may succeed when it is run again."""


_SQLITE_MAGIC = b"SQLite format 3\0"


class DatabaseUrlError(ValueError):
    """The start is refused; the text is one sentence for the operator, without the address."""


def normalise_url(database_url: str) -> URL:
    """``postgresql://…`` is taken by psycopg 3. Raises ``DatabaseUrlError`` for anything but it and SQLite."""
    try:
        url = make_url(database_url)
    except (ArgumentError, ValueError):
        raise DatabaseUrlError(
            "The database address cannot be read; write it as postgresql://user@host:5432/name."
        ) from None
    match url.get_backend_name():
        case "postgresql":
            return url.set(drivername="postgresql+psycopg")
        case "sqlite" if url.database and url.database != ":memory:":
            return url.set(drivername="sqlite+pysqlite")
        case "sqlite":
            raise DatabaseUrlError("A SQLite database in memory is another one for each connection; name a file.")
        case other:
            raise DatabaseUrlError(f"{other} is neither sqlite nor postgresql; name a database of one of them.")


def make_private_database(database_url: str) -> None:
    """Make the SQLite file with mode 0600, in a 0700 directory where there is none; a file that is there is closed too.

    SQLite gives its ``-wal`` and ``-shm`` files the mode of the database. Raises ``DatabaseUrlError``, ``OSError``.
    """
    path = Path(str(normalise_url(database_url).database))
    for missing in reversed([parent for parent in path.parents if not parent.exists()]):
        missing.mkdir(mode=0o700, exist_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    with path.open("rb") as stream:
        if stream.read(len(_SQLITE_MAGIC)) not in (b"", _SQLITE_MAGIC):
            return  # somebody's file, named by mistake: opening it will say so
    for file in (path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")):
        if file.exists() and file.stat().st_mode & 0o077:
            file.chmod(0o600)


def create_database_engine(database_url: str, pool_size: int = 4, *, snapshots: bool = False) -> Engine:
    """An engine whose transactions are durable when they are committed (``synchronous=FULL``, fsync on).

    With ``snapshots`` all that a transaction reads is of one moment. SQLite's reads always are; PostgreSQL's are
    by REPEATABLE READ.
    """
    url = normalise_url(database_url)
    options: dict[str, Any] = {
        "pool_size": pool_size,
        "max_overflow": 0,
        "pool_timeout": 30,
        "json_serializer": lambda value: orjson.dumps(value).decode(),
    }
    if url.get_backend_name() == "sqlite":
        engine = create_engine(url, connect_args={"check_same_thread": False, "timeout": 10}, **options)
        _prepare_sqlite(engine, "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON")
        return engine
    options["pool_pre_ping"] = True
    if snapshots:
        options["isolation_level"] = "REPEATABLE READ"
    return create_engine(url, connect_args=_postgres_arguments(), **options)


def create_reading_engine(database_url: str) -> Engine:
    """One connection that sees one moment in each transaction, writes nothing, and makes no file that is not there.

    SQLite's text is taken as it lies there, also where it is no UTF-8.
    """
    url = normalise_url(database_url)
    if url.get_backend_name() == "sqlite":
        uri = f"file:{quote(str(Path(url.database or '').absolute()))}?mode=ro"

        def connect() -> sqlite3.Connection:
            connection = sqlite3.connect(uri, uri=True, check_same_thread=False, timeout=LOCK_TIMEOUT_MS / 1000)
            connection.text_factory = lambda data: data.decode("utf-8", "backslashreplace")
            return connection

        engine = create_engine("sqlite+pysqlite://", creator=connect, poolclass=NullPool)
        _prepare_sqlite(engine, "query_only=ON")
        return engine
    arguments = _postgres_arguments(" -c default_transaction_read_only=on")
    return create_engine(url, connect_args=arguments, isolation_level="REPEATABLE READ", poolclass=NullPool)


def _postgres_arguments(more_options: str = "") -> dict[str, Any]:
    options = f"-c lock_timeout={LOCK_TIMEOUT_MS}{more_options}"
    return {"connect_timeout": 5, "options": options, "application_name": "bandian"}


def _prepare_sqlite(engine: Engine, *pragmas: str) -> None:
    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # transactions are begun by us, below: pysqlite's own are begun too late
        for pragma in (f"busy_timeout={LOCK_TIMEOUT_MS}", *pragmas):
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def begin(connection: Any) -> None:
        mode = connection.get_execution_options().get("sqlite_begin", "DEFERRED")
        connection.exec_driver_sql(f"BEGIN {mode}")


def is_transient(error: DBAPIError) -> bool:
    """Whether the same transaction may succeed when it is run again from its start."""
    original = error.orig
    return getattr(original, "sqlstate", None) in TRANSIENT_SQLSTATES or "database is locked" in str(original)
