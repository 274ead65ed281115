"""Statements that are run with every answer, said to the driver itself: composing them costs more than they do."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Connection, CursorResult

from adapters.storage.tables import UtcInstant

_INSTANT = UtcInstant()


class Plain:
    """A constant statement, with ``?`` for each value; ``postgresql`` where that says it otherwise than SQLite.

    Values are as the drivers take them (``instant``), and those of the rows that it answers as the drivers give them.
    """

    def __init__(self, sqlite: str, postgresql: str | None = None) -> None:
        self._sqlite = sqlite
        self._postgresql = (postgresql or sqlite).replace("?", "%s")

    def run(self, connection: Connection, values: Sequence[Any] = ()) -> CursorResult[Any]:
        """Run it. Raises SQLAlchemy's ``DBAPIError`` family."""
        said = self._postgresql if _is_postgresql(connection) else self._sqlite
        return connection.exec_driver_sql(said, tuple(values))

    def run_on(self, connection: Connection, rows: Sequence[Sequence[Any]], *values: Any) -> CursorResult[Any]:
        """Run it on ``rows``, which it takes first: by ``unnest`` or, where there are no bytes, ``json_each``."""
        if _is_postgresql(connection):
            return self.run(connection, (*(list(column) for column in zip(*rows, strict=True)), *values))
        return self.run(connection, (orjson.dumps(rows).decode(), *values))

    def run_each(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        """Write ``rows``, whatever they hold: SQLite takes them one by one."""
        if _is_postgresql(connection):
            self.run_on(connection, rows)
        else:
            connection.exec_driver_sql(self._sqlite, list(rows))


def instant(connection: Connection, at: datetime) -> Any:
    """``at`` as a column of ``UtcInstant`` holds it."""
    return _INSTANT.process_bind_param(at, connection.dialect)


def _is_postgresql(connection: Connection) -> bool:
    return connection.dialect.name == "postgresql"
