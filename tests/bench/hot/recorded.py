"""What the database says of the load afterwards: speed that was bought by leaving work out does not count."""

import sqlite3
from contextlib import closing
from typing import Any

import psycopg

DISCLOSED = "licence.disclosed"
_DONE = b'"result":"done"'


class SpeedBought(Exception):
    """What was answered is not what was recorded: the figures are worth nothing."""


def recorded(database_url: str, action: str = DISCLOSED) -> int:
    """Entries of ``action`` in the record; a refusal is none."""
    statement = f"SELECT count(*) FROM record_entries WHERE action = '{action}' AND "
    if database_url.startswith("sqlite:///"):
        return int(_first(database_url, f"{statement} instr(leaf, x'{_DONE.hex()}') > 0"))
    return int(_first(database_url, f"{statement} position('\\x{_DONE.hex()}'::bytea in leaf) > 0"))


def newest_leaf(database_url: str, action: str = DISCLOSED) -> bytes:
    """The bytes of the last such entry."""
    statement = f"SELECT leaf FROM record_entries WHERE action = '{action}' ORDER BY sequence DESC LIMIT 1"
    return bytes(_first(database_url, statement))


def sealed_size(database_url: str, table: str, column: str) -> int:
    """Bytes of the longest ``column`` in ``table``; 0 where there is no row."""
    length = "length" if database_url.startswith("sqlite:///") else "octet_length"
    return int(_first(database_url, f"SELECT coalesce(max({length}({column})), 0) FROM {table}"))


def require_recorded(database_url: str, before: int, answered: int, action: str = DISCLOSED) -> None:
    """As many entries as answers, beyond those of ``before``. Raises ``SpeedBought``."""
    if (entries := recorded(database_url, action) - before) != answered:
        raise SpeedBought(f"{answered} answers, {entries} entries of {action}")


def _first(database_url: str, statement: str) -> Any:
    if database_url.startswith("sqlite:///"):
        with closing(sqlite3.connect(database_url.removeprefix("sqlite:///"))) as connection:
            return connection.execute(statement).fetchone()[0]
    with psycopg.connect(database_url) as connection:
        row = connection.execute(statement.encode()).fetchone()
    assert row is not None
    return row[0]
