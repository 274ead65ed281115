"""What a repository may do with the database inside one unit of work."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, CursorResult, Executable
from sqlalchemy.engine import NestedTransaction

Parameters = Mapping[str, Any] | Sequence[Mapping[str, Any]] | None


class Statements:
    """Executes statements of one unit of work.

    A unit shares its transaction with those that were waiting beside it. Its savepoint is opened at its first
    statement, so that a unit that only records costs the database nothing of its own.
    """

    def __init__(self, connection: Connection, *, savepoint: bool) -> None:
        self._connection = connection
        self._wants_savepoint = savepoint
        self._savepoint: NestedTransaction | None = None

    def execute(self, statement: Executable, parameters: Parameters = None) -> CursorResult[Any]:
        """Run ``statement``; raises SQLAlchemy's ``DBAPIError`` family."""
        if self._wants_savepoint and self._savepoint is None:
            self._savepoint = self._connection.begin_nested()
        return self._connection.execute(statement, parameters)

    def keep(self) -> None:
        """The unit succeeded: its statements stay in the shared transaction."""
        if self._savepoint is not None:
            self._savepoint.commit()
            self._savepoint = None

    def discard(self) -> None:
        """The unit failed: its statements are undone, its neighbours' are not."""
        if self._savepoint is not None:
            self._savepoint.rollback()
            self._savepoint = None
