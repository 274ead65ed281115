"""Rows of one table written by one statement, said to the drivers as they like it best (``adapters.storage.plain``).

These rows are written with every outcome, event and receipt: SQLAlchemy's constructs would cost more than the database
does. Values go through the columns' own types.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Dialect

from adapters.storage.plain import Plain

NamedRows = Sequence[Mapping[str, Any]]
Converter = Callable[[Any], Any] | None


class AddTogether:
    """New rows of ``table``; each has all of ``columns``, which are all of the table's by default."""

    def __init__(self, table: Table, *columns: str) -> None:
        self._table = table
        self._columns = columns or tuple(table.c.keys())
        into = f"INSERT INTO {table.name} ({', '.join(self._columns)})"
        marks = ", ".join("?" * len(self._columns))
        given = _arrays(table, self._columns)
        self._statement = Plain(f"{into} VALUES ({marks})", f"{into} SELECT * FROM unnest({given})")  # noqa: S608 - names of ours

    def write(self, connection: Connection, rows: NamedRows) -> None:
        """Raises SQLAlchemy's ``DBAPIError`` family."""
        self._statement.write(connection, _converted(self._table, self._columns, connection.dialect, rows))


class ChangeTogether:
    """Changes of rows of ``table`` that are found by ``key``, one or more of its columns."""

    def __init__(self, table: Table, key: Sequence[str], changed: Sequence[str], emptied: Sequence[str] = ()) -> None:
        """Each row has ``key`` and ``changed``; columns that are ``emptied`` become NULL."""
        self._table, self._key, self._columns = table, tuple(key), (*changed, *key)
        name, columns = table.name, ", ".join(self._columns)
        empty = [f"{each} = NULL" for each in emptied]
        one = ", ".join([*(f"{each} = ?" for each in changed), *empty])
        found = " AND ".join(f"{each} = ?" for each in key)
        many = ", ".join([*(f"{each} = given.{each}" for each in changed), *empty])
        found_given = " AND ".join(f"{name}.{each} = given.{each}" for each in key)
        given = f"unnest({_arrays(table, self._columns)}) AS given ({columns})"
        self._statement = Plain(
            f"UPDATE {name} SET {one} WHERE {found}",  # noqa: S608 - names of ours
            f"UPDATE {name} SET {many} FROM {given} WHERE {found_given}",  # noqa: S608 - names of ours
        )

    def write(self, connection: Connection, rows: NamedRows) -> None:
        """Of two changes of one row the later holds. Raises SQLAlchemy's ``DBAPIError`` family."""
        latest = {tuple(row[each] for each in self._key): row for row in rows}
        given = _converted(self._table, self._columns, connection.dialect, list(latest.values()))
        self._statement.write(connection, given)


Together = AddTogether | ChangeTogether


def _converted(table: Table, columns: tuple[str, ...], dialect: Dialect, rows: NamedRows) -> list[tuple[Any, ...]]:
    converters = _converters(table, columns, dialect)
    return [tuple(row[name] if convert is None else convert(row[name]) for name, convert in converters) for row in rows]


@cache
def _converters(table: Table, columns: tuple[str, ...], dialect: Dialect) -> tuple[tuple[str, Converter], ...]:
    return tuple((name, table.c[name].type.dialect_impl(dialect).bind_processor(dialect)) for name in columns)


def _arrays(table: Table, columns: Sequence[str]) -> str:
    """A mark for each column, of the type that PostgreSQL has for it."""
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    return ", ".join(f"?::{table.c[name].type.compile(dialect)}[]" for name in columns)
