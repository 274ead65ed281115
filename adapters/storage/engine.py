"""Engines for SQLite and PostgreSQL: the only place that knows dialects."""

import os
import re
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import orjson
from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.pool import NullPool, StaticPool

from adapters.storage.plain import Plain

if TYPE_CHECKING:
    import psycopg

LOCK_TIMEOUT_MS = 10_000
"""How long a statement waits for what another holds; longer, and whoever called would rather be told to come back."""
SWEEP_PATIENCE = 60.0
"""Seconds that ``sweep`` waits for others to let go of what was there before."""
READER_CACHE_KIB = 512
"""Pages that each reading connection to SQLite keeps: a quarter of its own default, since the system has them too."""
LOCK_NOT_AVAILABLE = "55P03"
TRANSIENT_SQLSTATES = frozenset({"40001", "40P01", LOCK_NOT_AVAILABLE})
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


def sqlite_path(database_url: str) -> Path:
    """The file of a SQLite database. Raises ``DatabaseUrlError``."""
    return Path(str(normalise_url(database_url).database))


def make_private_database(database_url: str) -> None:
    """Make the SQLite file with mode 0600, in a 0700 directory where there is none; a file that is there is closed too.

    SQLite gives its ``-wal`` and ``-shm`` files the mode of the database. Raises ``DatabaseUrlError``, ``OSError``.
    """
    path = sqlite_path(database_url)
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
        # What is deleted is overwritten, so that freed pages do not keep it.
        pragmas = ["journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"]
        if snapshots:
            pragmas.append(f"cache_size=-{READER_CACHE_KIB}")
        _prepare_sqlite(engine, *pragmas)
        return engine
    options["pool_pre_ping"] = True
    if snapshots:
        options["isolation_level"] = "REPEATABLE READ"
    engine = create_engine(url, connect_args=_postgres_arguments(), **options)
    _prepare_postgresql(engine)
    return engine


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


def create_memory_engine() -> Engine:
    """A SQLite database that lives as long as the engine, on its one connection: for a simulation in one thread."""
    engine = create_engine(
        "sqlite+pysqlite://",
        connect_args={"check_same_thread": False},
        poolclass=StaticPool,
        json_serializer=lambda value: orjson.dumps(value).decode(),
    )
    _prepare_sqlite(engine, "foreign_keys=ON")
    return engine


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
        Plain(f"BEGIN {mode}").changed(connection, ())


def _prepare_postgresql(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: Any) -> None:
        """Where the server was told not to wait for its disk, it waits for ours; whatever is stricter stays."""
        connection.execute(
            "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
        )
        connection.commit()


class NotSwept(Exception):
    """The text is one sentence for the operator."""


def sweep(database_url: str, tables: Sequence[str]) -> None:
    """Rewrite ``tables`` (SQLite: the whole file, and empty its WAL), so that nothing stays of rows that were changed.

    Whoever else uses them waits meanwhile. WAL archives and backups of PostgreSQL are out of its reach.
    Raises ``NotSwept``.
    """
    engine = create_database_engine(database_url, pool_size=1)
    raw = engine.raw_connection()
    connection: Any = raw.driver_connection
    try:
        if engine.dialect.name == "sqlite":
            for statement in ("VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"):
                connection.execute(statement).close()
        else:
            _rewrite(connection, tables)
    except engine.dialect.loaded_dbapi.Error as error:
        raise _not_swept(type(error).__name__) from None
    finally:
        raw.invalidate()
        engine.dispose()


def _rewrite(connection: "psycopg.Connection[Any]", tables: Sequence[str]) -> None:
    """PostgreSQL keeps dead rows that some open snapshot may still look at, and counts them: then again."""
    from psycopg import sql  # nine megabytes that a process on SQLite does without

    connection.autocommit = True
    said: list[str] = []
    connection.add_notice_handler(lambda notice: said.append(notice.message_detail or ""))
    ends = time.monotonic() + SWEEP_PATIENCE
    for table in tables:
        while True:
            said.clear()
            connection.execute(sql.SQL("VACUUM (FULL, VERBOSE) {}").format(sql.Identifier(table)))
            kept = [found for detail in said for found in re.findall(r"^[0-9]+", detail)]
            if not any(int(count) for count in kept):
                break
            if time.monotonic() > ends:
                raise _not_swept("somebody still reads what was there before")
            time.sleep(0.2)


def _not_swept(why: str) -> NotSwept:
    return NotSwept(
        f"The tables were not rewritten ({why}), so that old pages may still hold what was plain; stop whoever uses "
        "the database, and run: bandian keys reseal --sweep"
    )


def patient_for_locks(connection: Connection, milliseconds: int) -> None:
    """How long the transaction's next statements wait for what another holds; on SQLite nobody else writes then."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = {milliseconds}")


def is_locked_out(error: Exception) -> bool:
    """Whether a statement on PostgreSQL gave up waiting for what another holds; what its savepoint did is lost."""
    return isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) == LOCK_NOT_AVAILABLE


def is_transient(error: DBAPIError) -> bool:
    """Whether the same transaction may succeed when it is run again from its start."""
    original = error.orig
    return getattr(original, "sqlstate", None) in TRANSIENT_SQLSTATES or "database is locked" in str(original)
