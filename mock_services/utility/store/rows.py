"""How every part of the store reads."""

import sqlite3
from typing import Any


def rows(database: sqlite3.Connection, statement: str, *values: Any) -> list[dict[str, Any]]:
    """What ``statement`` finds."""
    return [dict(row) for row in database.execute(statement, values)]


def add_column(database: sqlite3.Connection, table: str, column: str, definition: str) -> None:
    """For a database from before there was one; nothing where there is. The names are ours."""
    if column not in {row["name"] for row in rows(database, f"PRAGMA table_info({table})")}:
        database.execute(f"ALTER TABLE {table} ADD COLUMN {column} {definition}")
