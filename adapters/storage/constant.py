"""Constant statements of SQLAlchemy's: composed once, then said to the driver with values alone.

To compose a statement, to look it up among those that were compiled and to make its result costs many times what the
database takes for a row that is found by its key. Values and rows go through the columns' own types, as ever.
"""

from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select
from sqlalchemy.engine import Dialect
from sqlalchemy.sql.dml import UpdateBase
from sqlalchemy.types import TypeEngine

from adapters.storage.plain import driver_of, raise_as_sqlalchemy

Converter = Callable[[Any], Any]
Columns = tuple[tuple[int, Converter], ...]


@dataclass(slots=True)
class _Composed:
    """The text for one dialect, what its values go through, and those that it says by itself.

    ``columns`` that go through something are known once the driver told how it answers them.
    """

    text: str
    writers: tuple[tuple[str, Converter | None], ...]
    positional: bool
    own: Mapping[str, Any]
    columns: Columns | None = None


class Constant:
    """``statement`` with a ``bindparam`` for each value; of an insert the columns are. No list of values (``IN``)."""

    def __init__(self, statement: Select[Any] | UpdateBase) -> None:
        self._statement = statement
        self._composed: dict[str, _Composed] = {}
        self._asked = list(statement.selected_columns) if isinstance(statement, Select) else []
        self._make = _row_of(*(column.name for column in self._asked))

    def rows(self, connection: Connection, values: Mapping[str, Any]) -> list[Any]:
        """Run one that asks; the rows, by name. Raises SQLAlchemy's ``DBAPIError`` family."""
        composed = self._for(connection.dialect)
        found = self._run(connection, composed, values)
        try:
            rows = found.fetchall()
        except Exception as error:
            raise_as_sqlalchemy(connection, composed.text, error)
        columns = composed.columns
        if columns is None:
            columns = composed.columns = self._read_by(connection.dialect, found.description)
        make = self._make
        return [make(*_converted(row, columns)) for row in rows] if columns else [make(*row) for row in rows]

    def changed(self, connection: Connection, values: Mapping[str, Any]) -> int:
        """Run it; how many rows it changed. Raises as ``rows``."""
        return int(self._run(connection, self._for(connection.dialect), values).rowcount)

    def _run(self, connection: Connection, composed: _Composed, values: Mapping[str, Any]) -> Any:
        if composed.own:
            values = {**composed.own, **values}
        given: Any
        if composed.positional:
            given = [values[name] if write is None else write(values[name]) for name, write in composed.writers]
        else:
            given = {name: values[name] if write is None else write(values[name]) for name, write in composed.writers}
        try:
            return driver_of(connection).execute(composed.text, given)
        except Exception as error:
            raise_as_sqlalchemy(connection, composed.text, error)

    def _for(self, dialect: Dialect) -> _Composed:
        composed = self._composed.get(dialect.name)
        if composed is None:
            composed = self._composed[dialect.name] = self._compose(dialect)
        return composed

    def _compose(self, dialect: Dialect) -> _Composed:
        compiled: Any = self._statement.compile(dialect=dialect)
        kinds = {name: bound.type for bound, name in compiled.bind_names.items()}
        names = compiled.positiontup if compiled.positional else kinds
        own = {name: value for name, value in compiled.params.items() if value is not None}
        writers = tuple((name, _writer(kinds[name], dialect)) for name in names)
        return _Composed(compiled.string, writers, compiled.positional, own)

    def _read_by(self, dialect: Dialect, described: Sequence[Sequence[Any]]) -> Columns:
        """A driver may answer the same type in several forms, which it tells with its first answer."""
        readers = [
            (place, column.type.dialect_impl(dialect).result_processor(dialect, told[1]))
            for place, (column, told) in enumerate(zip(self._asked, described, strict=True))
        ]
        return tuple((place, read) for place, read in readers if read is not None)


def _converted(row: Sequence[Any], columns: Columns) -> list[Any]:
    values = list(row)
    for place, read in columns:
        values[place] = read(values[place])
    return values


def _row_of(*names: str) -> Callable[..., Any]:
    return namedtuple("Found", names)


def _writer(kind: TypeEngine[Any], dialect: Dialect) -> Converter | None:
    return kind.dialect_impl(dialect).bind_processor(dialect)
