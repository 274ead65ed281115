"""What a repository may do with the database inside one unit of work."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, CursorResult, Executable, Row, Table

from adapters.storage.sealed import AtRest, open_row, seal_values
from gateway.crypto.keyed_digest import Use

Parameters = Mapping[str, Any] | Sequence[Mapping[str, Any]] | None


class Statements:
    """Executes statements of one unit of work, and seals and opens what is personal in them.

    A unit shares its transaction with those that were waiting beside it. Its savepoint is opened at its first
    statement, so that a unit that only records costs the database nothing of its own.
    """

    def __init__(self, connection: Connection, at_rest: AtRest, *, savepoint: bool) -> None:
        self._connection = connection
        self.at_rest = at_rest
        self._wants_savepoint = savepoint
        self._has_savepoint = False

    def execute(self, statement: Executable, parameters: Parameters = None) -> CursorResult[Any]:
        """Run ``statement``; raises SQLAlchemy's ``DBAPIError`` family."""
        if self._wants_savepoint and not self._has_savepoint:
            # Said to the driver: SQLAlchemy's own savepoints cost as much as the statement that they are for.
            self._connection.exec_driver_sql("SAVEPOINT unit")
            self._has_savepoint = True
        return self._connection.execute(statement, parameters)

    def sealed(self, table: Table, values: Mapping[str, Any], **row_key: Any) -> dict[str, Any]:
        """``values`` of one row of ``table``, ready to be written: those of sealed columns are sealed.

        The row's primary key is among them, or is named by ``row_key``. Raises as ``Sealer.seal``.
        """
        return seal_values(self.at_rest.sealer, table, values, row_key)

    def opened(self, table: Table, row: Row[Any]) -> dict[str, Any]:
        """``row`` of ``table``, by column, with sealed columns opened; it has the primary key.

        Raises ``StoredDataUnreadable``, ``AlgorithmUnavailable``.
        """
        return open_row(self.at_rest.sealer, table, row)

    def holder_digest(self, holder_code: str) -> str:
        """The keyed digest that a holder is looked up by, the same in every table."""
        return self.at_rest.digests.of(Use.HOLDER, holder_code)

    def keep(self) -> None:
        """The unit succeeded: its statements stay in the shared transaction."""
        if self._has_savepoint:
            self._connection.exec_driver_sql("RELEASE SAVEPOINT unit")
            self._has_savepoint = False

    def discard(self) -> None:
        """The unit failed: its statements are undone, its neighbours' are not."""
        if self._has_savepoint:
            self._connection.exec_driver_sql("ROLLBACK TO SAVEPOINT unit")
            self._connection.exec_driver_sql("RELEASE SAVEPOINT unit")
            self._has_savepoint = False
