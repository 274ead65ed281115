"""Brings a database to the schema of this version; the same migrations on SQLite and PostgreSQL, beside a gateway.

Migrations after ``IN_ONE`` only add (``tests/conformance/test_migrations.py`` holds them to it). On PostgreSQL each is
a transaction of its own that waits for a lock ``LOCK_WAIT_MS`` at most: whoever writes meanwhile queues behind it for
no longer, and the migration tries again. On SQLite all are one short transaction that writers wait out.
"""

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError, OperationalError

from adapters.storage.engine import create_database_engine, is_transient
from adapters.storage.records import record_unavailable
from adapters.storage.schema_version import SERVES_FROM, SchemaState, newest, revision_of, state_of, tell_compatibility

logging.getLogger("alembic").setLevel(logging.WARNING)
_LOCK_KEY = 0x62616E6469616E
"""``bandian`` in ASCII: the PostgreSQL advisory lock under which one process at a time migrates."""

IN_ONE: Final = "0004"
"""Up to here migrations change what is there, and run as one transaction before anything serves."""
LOCK_WAIT_MS: Final = 2000
MOST_TRIES: Final = 30
"""How often a migration that met a held lock is tried before it is given up."""
TURN_POLL_S: Final = 0.2


def _config(more_versions: Path | None) -> Config:
    config = Config()
    folder = Path(__file__).parent / "migrations"
    config.set_main_option("script_location", str(folder))
    config.set_main_option("path_separator", "os")
    if more_versions is not None:
        config.set_main_option("version_locations", f"{folder / 'versions'}:{more_versions}")
    return config


def migrate(
    database_url: str, revision: str = "head", more_versions: Path | None = None, serves_from: str = SERVES_FROM
) -> Mapping[str, int]:
    """Upgrade to ``revision``; several processes may call it at once, beside gateways that serve.

    Revisions of a later release may lie in ``more_versions``, and serve code of ``serves_from`` and later.
    Answers what an upgrade from plain to sealed data left to be told: how many values are still to be sealed
    (``unsealed``, by ``bandian keys reseal``), and how many rows of which tables were dropped; empty where there was
    nothing, and where a later release has migrated already and serves this one too. Raises ``Overloaded`` when the
    database does not answer or is of a release that this one cannot work beside, or a lock was held all the time.
    """
    engine = create_database_engine(database_url, pool_size=1)
    config = _config(more_versions)
    try:
        with engine.connect() as pooled:
            connection = pooled.execution_options(sqlite_begin="IMMEDIATE")
            if more_versions is None and _is_later(connection):
                return {}
            config.attributes["connection"] = connection
            if connection.dialect.name == "sqlite":
                with connection.begin():
                    _tell(connection, config, revision, serves_from)
                    command.upgrade(config, revision)
                    _tell(connection, config, revision, serves_from)
            else:
                with _turn(connection):
                    _migrate_beside_others(connection, config, revision, serves_from)
        left: Mapping[str, int] = config.attributes.get("at_rest", {})
        return {name: count for name, count in left.items() if count}
    except OperationalError as error:
        check = "schema_locked" if is_transient(error) else "database_unreachable"
        raise record_unavailable(check) from error
    finally:
        engine.dispose()


def _is_later(connection: Connection) -> bool:
    """Whether a later release has migrated, and lets this one work on. Raises ``Overloaded`` where it does not."""
    with connection.begin():
        if (revision_of(connection) or "") <= newest():
            return False
        if state_of(connection) is SchemaState.NEWER:
            raise record_unavailable("schema_newer")
        return True


@contextmanager
def _turn(connection: Connection) -> Iterator[None]:
    """One process at a time. Asked for again and again: a statement that waits would keep a snapshot, and an index
    that is built concurrently waits for every snapshot to go."""
    held = {"key": _LOCK_KEY}
    while True:
        with connection.begin():
            if connection.execute(text("SELECT pg_try_advisory_lock(:key)"), held).scalar_one():
                break
        time.sleep(TURN_POLL_S)
    try:
        yield
    finally:
        with connection.begin():
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), held)


def _migrate_beside_others(connection: Connection, config: Config, revision: str, serves_from: str) -> None:
    with connection.begin():
        _tell(connection, config, revision, serves_from)
        if (revision_of(connection) or "") < IN_ONE:
            connection.execute(text("SET LOCAL lock_timeout = 0"))
            command.upgrade(config, revision if revision != "head" and revision < IN_ONE else IN_ONE)
    if revision != "head" and revision <= IN_ONE:
        return
    with connection.begin():
        connection.execute(text(f"SET lock_timeout = {LOCK_WAIT_MS}"))
    for attempt in range(1, MOST_TRIES + 1):
        try:
            command.upgrade(config, revision)
            connection.rollback()  # ends what looking began
            break
        except DBAPIError as error:
            connection.rollback()
            if attempt == MOST_TRIES or not is_transient(error):
                raise
    with connection.begin():
        _tell(connection, config, revision, serves_from)


def _tell(connection: Connection, config: Config, revision: str, serves_from: str) -> None:
    """Of every revision that this version's code can write."""
    scripts = ScriptDirectory.from_config(config)
    known: list[Any] = list(scripts.walk_revisions("base", revision))
    tell_compatibility(connection, [each.revision for each in known if each.revision > serves_from], serves_from)
