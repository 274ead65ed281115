"""Brings a database to the schema of this version; the same migrations on SQLite and PostgreSQL."""

import logging
from collections.abc import Mapping
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from adapters.storage.engine import create_database_engine
from adapters.storage.records import record_unavailable

logging.getLogger("alembic").setLevel(logging.WARNING)
_LOCK_KEY = 0x62616E6469616E
"""``bandian`` in ASCII: the PostgreSQL advisory lock under which one process at a time migrates."""


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    return config


def migrate(database_url: str, revision: str = "head") -> Mapping[str, int]:
    """Upgrade to ``revision`` in one transaction; several processes may call it at once.

    Answers what an upgrade from plain to sealed data left to be told: how many values are still to be sealed
    (``unsealed``, by ``bandian keys reseal``), and how many rows of which tables were dropped; empty where there was
    nothing. Raises ``Overloaded`` when the database does not answer.
    """
    engine = create_database_engine(database_url, pool_size=1)
    try:
        with engine.connect() as pooled:
            connection = pooled.execution_options(sqlite_begin="IMMEDIATE")
            with connection.begin():
                if connection.dialect.name == "postgresql":
                    connection.execute(text("SET LOCAL lock_timeout = 0"))  # who migrates waits for its turn
                    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})
                config = _config()
                config.attributes["connection"] = connection
                command.upgrade(config, revision)
                left: Mapping[str, int] = config.attributes.get("at_rest", {})
                return {name: count for name, count in left.items() if count}
    except OperationalError as error:
        raise record_unavailable("database_unreachable") from error
    finally:
        engine.dispose()
