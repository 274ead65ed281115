"""Statements that are run with every answer, said to the driver itself: composing them costs more than they do."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NoReturn

import orjson
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from adapters.storage.tables import UtcInstant

_INSTANT = UtcInstant()
Rows = Sequence[tuple[Any, ...]]
Columns = Sequence[Sequence[Any]]
"""Rows the other way round, one column at least."""


class Plain:
    """A constant statement, with ``?`` for each value; ``postgresql`` where that says it otherwise than SQLite.

    Values are as the drivers take them (``instant``), and those of the rows that it answers as the drivers give them.
    It belongs to the transaction that ``connection`` has begun.
    """

    def __init__(self, sqlite: str, postgresql: str | None = None) -> None:
        self._sqlite = sqlite
        # The drivers' own binary form: the lists of a batch need not be spelled out as text.
        self._postgresql = (postgresql or sqlite).replace("?::", "%b::").replace("?", "%s")

    def rows(self, connection: Connection, values: Sequence[Any] = ()) -> Rows:
        """Run it; the rows that it answers. Raises SQLAlchemy's ``DBAPIError`` family."""
        said = self._said(connection)
        try:
            found: Rows = driver_of(connection).execute(said, values).fetchall()
        except Exception as error:
            raise_as_sqlalchemy(connection, said, error)
        return found

    def changed(self, connection: Connection, values: Sequence[Any]) -> int:
        """Run it; how many rows it changed. Raises as ``rows``."""
        said = self._said(connection)
        try:
            return int(driver_of(connection).execute(said, values).rowcount)
        except Exception as error:
            raise_as_sqlalchemy(connection, said, error)

    def rows_for(self, connection: Connection, asked: Rows, *values: Any) -> Rows:
        """Run it for rows that it takes first: by ``unnest`` or, where there are no bytes, ``json_each``."""
        if is_postgresql(connection):
            return self.rows(connection, (*_columns(asked), *values))
        return self.rows(connection, (orjson.dumps(asked).decode(), *values))

    def write(self, connection: Connection, rows: Rows) -> None:
        """Write ``rows``, whatever they hold: SQLite takes them one by one. Raises as ``rows``."""
        self.write_columns(connection, _columns(rows))

    def write_columns(self, connection: Connection, columns: Columns) -> None:
        """``write`` the other way round."""
        if is_postgresql(connection):
            self.changed(connection, list(map(list, columns)))
            return
        try:
            driver_of(connection).executemany(self._sqlite, zip(*columns, strict=True))
        except Exception as error:
            raise_as_sqlalchemy(connection, self._sqlite, error)

    def write_for(self, connection: Connection, columns: Columns) -> None:
        """``write_columns`` by a statement that takes them as ``rows_for`` gives them."""
        if is_postgresql(connection):
            self.changed(connection, list(map(list, columns)))
        else:
            self.changed(connection, (orjson.dumps(list(zip(*columns, strict=True))).decode(),))

    def _said(self, connection: Connection) -> str:
        return self._postgresql if is_postgresql(connection) else self._sqlite


def instant(connection: Connection, at: datetime) -> Any:
    """``at`` as a column of ``UtcInstant`` holds it."""
    return _INSTANT.process_bind_param(at, connection.dialect)


def is_postgresql(connection: Connection) -> bool:
    """SQLite else."""
    return connection.dialect.name == "postgresql"


def _columns(rows: Rows) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


def driver_of(connection: Connection) -> Any:
    """The driver's own connection, in the transaction that ``connection`` has begun."""
    return connection.connection.driver_connection


def raise_as_sqlalchemy(connection: Connection, said: str, error: Exception) -> NoReturn:
    """As SQLAlchemy raises what a driver raised; a connection that was lost is not used again."""
    driver = connection.dialect.loaded_dbapi
    if not isinstance(error, driver.Error):
        raise error
    lost = connection.dialect.is_disconnect(error, driver_of(connection), None)
    if lost:
        connection.invalidate(error)
    raise DBAPIError.instance(
        said, (), error, driver.Error, hide_parameters=True, connection_invalidated=lost, dialect=connection.dialect
    ) from error
