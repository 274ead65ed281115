"""Changes of the units of one batch, kept back and written together: one statement for the rows of many units.

They are written before anybody of the batch asks the database something, so that each unit sees what those before it
did. Where writing them fails, nobody can say whose fault it is: the batch is run again with every change at its time.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Executable
from sqlalchemy.exc import DBAPIError

from adapters.storage.together import Together

Change = Executable | Together


class NotTogether(Exception):
    """What was kept back could not be written together."""


class Deferred:
    """Rows by statement, in order. Statements that are kept back side by side change different tables."""

    def __init__(self) -> None:
        self._rows: list[tuple[Change, Mapping[str, Any]]] = []

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, statement: Change, row: Mapping[str, Any]) -> None:
        """Keep back ``statement``, a constant, with ``row`` as its parameters."""
        self._rows.append((statement, row))

    def truncate(self, length: int) -> None:
        """Forget rows beyond ``length``: those of a unit that failed."""
        del self._rows[length:]

    def write(self, connection: Connection, most: int | None = None) -> None:
        """Write the first ``most`` rows, or all of them. Raises ``NotTogether``."""
        now, self._rows = self._rows[:most], [] if most is None else self._rows[most:]
        together: dict[Change, list[Mapping[str, Any]]] = {}
        for statement, row in now:
            together.setdefault(statement, []).append(row)
        try:
            for statement, rows in together.items():
                if isinstance(statement, Together):
                    statement.write(connection, rows)
                else:
                    connection.execute(statement, rows)
        except DBAPIError as error:
            raise NotTogether(type(error.orig).__name__) from error
