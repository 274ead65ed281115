"""NamedRows of one table written by one statement, said to the drivers as they like it best.

These rows are written with every outcome, event and receipt: SQLAlchemy's constructs would cost more than the database
does. Values go through the columns' own types. SQLite repeats a prepared statement; PostgreSQL takes arrays.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.engine import Dialect

NamedRows = Sequence[Mapping[str, Any]]
Converter = Callable[[Any], Any] | None


class AddTogether:
    """New rows of ``table``; each has all of ``columns``, which are all of the table's by default."""

    def __init__(self, table: Table, *columns: str) -> None:
        self._table = table
        self._columns = columns or tuple(table.c.keys())

    def write(self, connection: Connection, rows: NamedRows) -> None:
        """Raises SQLAlchemy's ``DBAPIError`` family."""
        names = ", ".join(self._columns)
        if connection.dialect.name == "postgresql":
            given = _arrays(self._table, self._columns, connection.dialect)
            statement = f"INSERT INTO {self._table.name} ({names}) SELECT * FROM unnest({given})"  # noqa: S608 - names of ours
        else:
            marks = ", ".join("?" * len(self._columns))
            statement = f"INSERT INTO {self._table.name} ({names}) VALUES ({marks})"  # noqa: S608 - names of ours
        _say(connection, statement, _converted(self._table, self._columns, connection.dialect, rows))


class ChangeTogether:
    """Changes of rows of ``table`` that are found by ``key``, one or more of its columns."""

    def __init__(self, table: Table, key: Sequence[str], changed: Sequence[str], emptied: Sequence[str] = ()) -> None:
        """Each row has ``key`` and ``changed``; columns that are ``emptied`` become NULL."""
        self._table, self._key = table, tuple(key)
        self._columns = (*changed, *key)
        self._emptied = [f"{name} = NULL" for name in emptied]
        self._changed = tuple(changed)

    def write(self, connection: Connection, rows: NamedRows) -> None:
        """Of two changes of one row the later holds. Raises SQLAlchemy's ``DBAPIError`` family."""
        name, postgresql = self._table.name, connection.dialect.name == "postgresql"
        source = {each: f"given.{each}" if postgresql else "?" for each in self._columns}
        values = ", ".join([*(f"{each} = {source[each]}" for each in self._changed), *self._emptied])
        found = " AND ".join(f"{name}.{each} = {source[each]}" for each in self._key)
        statement = f"UPDATE {name} SET {values} WHERE {found}"  # noqa: S608 - names of ours
        if postgresql:
            given = _arrays(self._table, self._columns, connection.dialect)
            columns = ", ".join(self._columns)
            statement = f"UPDATE {name} SET {values} FROM unnest({given}) AS given ({columns}) WHERE {found}"  # noqa: S608
        latest = {tuple(row[each] for each in self._key): row for row in rows}
        _say(connection, statement, _converted(self._table, self._columns, connection.dialect, list(latest.values())))


Together = AddTogether | ChangeTogether


def _say(connection: Connection, statement: str, rows: list[tuple[Any, ...]]) -> None:
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(statement, tuple(list(column) for column in zip(*rows, strict=True)))
    else:
        connection.exec_driver_sql(statement, rows)


def _converted(table: Table, columns: tuple[str, ...], dialect: Dialect, rows: NamedRows) -> list[tuple[Any, ...]]:
    converters = _converters(table, columns, dialect)
    return [tuple(row[name] if convert is None else convert(row[name]) for name, convert in converters) for row in rows]


@cache
def _converters(table: Table, columns: tuple[str, ...], dialect: Dialect) -> tuple[tuple[str, Converter], ...]:
    return tuple((name, table.c[name].type.dialect_impl(dialect).bind_processor(dialect)) for name in columns)


@cache
def _arrays(table: Table, columns: tuple[str, ...], dialect: Dialect) -> str:
    return ", ".join(f"%s::{table.c[name].type.compile(dialect)}[]" for name in columns)
