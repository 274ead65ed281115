"""Engines for SQLite and PostgreSQL: the only place that knows dialects."""

from typing import Any

import orjson
from sqlalchemy import Engine, create_engine, event, make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DBAPIError

LOCK_TIMEOUT_MS = 10_000
"""How long a statement waits for what another holds; longer, and whoever called would rather be told to come back."""
TRANSIENT_SQLSTATES = frozenset({"40001", "40P01", "55P03"})
"""Serialisation failure, deadlock, lock not available: the same work may succeed when it is run again."""


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


def create_database_engine(database_url: str, pool_size: int = 4) -> Engine:
    """An engine whose transactions are durable when they are committed (``synchronous=FULL``, fsync on)."""
    url = normalise_url(database_url)
    options: dict[str, Any] = {
        "pool_size": pool_size,
        "max_overflow": 0,
        "pool_timeout": 30,
        "json_serializer": lambda value: orjson.dumps(value).decode(),
    }
    if url.get_backend_name() == "sqlite":
        engine = create_engine(url, connect_args={"check_same_thread": False, "timeout": 10}, **options)
        _prepare_sqlite(engine)
        return engine
    options["pool_pre_ping"] = True
    patience = {"connect_timeout": 5, "options": f"-c lock_timeout={LOCK_TIMEOUT_MS}"}
    return create_engine(url, connect_args={**patience, "application_name": "bandian"}, **options)


def _prepare_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # transactions are begun by us, below: pysqlite's own are begun too late
        for pragma in (
            f"busy_timeout={LOCK_TIMEOUT_MS}",
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
        ):
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def begin(connection: Any) -> None:
        mode = connection.get_execution_options().get("sqlite_begin", "DEFERRED")
        connection.exec_driver_sql(f"BEGIN {mode}")


def is_transient(error: DBAPIError) -> bool:
    """Whether the same transaction may succeed when it is run again from its start."""
    original = error.orig
    return getattr(original, "sqlstate", None) in TRANSIENT_SQLSTATES or "database is locked" in str(original)
