"""Rows of one table written by one statement, said to the drivers as they like it best (``adapters.storage.plain``).

These rows are written with every outcome, event and receipt: SQLAlchemy's constructs would cost more than the database
does. Values go through the columns' own types, column by column, as PostgreSQL takes them.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

from adapters.storage.plain import Columns, Plain

NamedRows = Sequence[Mapping[str, Any]]
Converter = Callable[[Any], Any]


class Together(ABC):
    """A change that is made of many rows at once."""

    @abstractmethod
    def write(self, connection: Connection, rows: NamedRows) -> None:
        """Make it of ``rows``, one at least. Raises SQLAlchemy's ``DBAPIError`` family."""


class AddTogether(Together):
    """New rows of ``table``; each has all of ``columns``, which are all of the table's by default."""

    def __init__(self, table: Table, *columns: str) -> None:
        self._table = table
        self._columns = columns or tuple(table.c.keys())
        into = f"INSERT INTO {table.name} ({', '.join(self._columns)})"
        marks = ", ".join("?" * len(self._columns))
        given = _arrays(table, self._columns)
        self._statement = Plain(
            f"{into} VALUES ({marks})",
            f"{into} SELECT * FROM unnest({given})",  # noqa: S608 - names of ours
        )

    def write(self, connection: Connection, rows: NamedRows) -> None:
        """See ``Together``."""
        self._statement.write_columns(connection, _by_column(self._table, self._columns, connection.dialect, rows))


class AddFound(Together):
    """New rows of ``table`` that ``statement`` makes of what it finds for the ``given`` columns, none of them of bytes.

    It takes the rows as ``Plain.write_for`` gives them.
    """

    def __init__(self, table: Table, given: Sequence[str], statement: Plain) -> None:
        self._table, self._given, self._statement = table, tuple(given), statement

    def write(self, connection: Connection, rows: NamedRows) -> None:
        """See ``Together``."""
        self._statement.write_for(connection, _by_column(self._table, self._given, connection.dialect, rows))


class ChangeTogether(Together):
    """Changes of rows of ``table`` that are found by ``key``, one or more of its columns."""

    def __init__(self, table: Table, key: Sequence[str], changed: Sequence[str], emptied: Sequence[str] = ()) -> None:
        """Each row has ``key`` and ``changed``; columns that are ``emptied`` become NULL."""
        self._table, self._key, self._columns = table, itemgetter(*key), (*changed, *key)
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
        """See ``Together``; of two changes of one row the later holds."""
        latest = list({self._key(row): row for row in rows}.values())
        self._statement.write_columns(connection, _by_column(self._table, self._columns, connection.dialect, latest))


def _by_column(table: Table, columns: tuple[str, ...], dialect: Dialect, rows: NamedRows) -> Columns:
    """The rows' values as the driver takes them, a list for each of two columns or more."""
    found: list[Sequence[Any]] = list(zip(*map(itemgetter(*columns), rows), strict=True))
    for place, convert in _converters(table, columns, dialect):
        found[place] = [convert(value) for value in found[place]]
    return found


@cache
def _converters(table: Table, columns: tuple[str, ...], dialect: Dialect) -> tuple[tuple[int, Converter], ...]:
    """Of those columns alone whose values are not taken as they are."""
    converters = ((place, _converter(table, name, dialect)) for place, name in enumerate(columns))
    return tuple((place, convert) for place, convert in converters if convert is not None)


def _converter(table: Table, name: str, dialect: Dialect) -> Converter | None:
    kind = table.c[name].type
    if isinstance(kind, TypeDecorator):  # ours: what they make of a value is what the drivers take
        return partial(kind.process_bind_param, dialect=dialect)
    convert: Converter | None = kind.dialect_impl(dialect).bind_processor(dialect)
    return convert


def _arrays(table: Table, columns: Sequence[str]) -> str:
    """A mark for each column, of the type that PostgreSQL has for it."""
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    return ", ".join(f"?::{table.c[name].type.compile(dialect)}[]" for name in columns)
