"""What a repository may do with the database inside one unit of work."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection, CursorResult, Executable, Table

from adapters.storage.constant import Constant
from adapters.storage.deferred import Change, Deferred
from adapters.storage.plain import Plain, Rows, is_postgresql
from adapters.storage.sealed import AtRest, KnownRow, context_of, open_row, read_remembered, seal_values
from adapters.storage.together import NamedRows, Together
from gateway.crypto.keyed_digest import Use

T = TypeVar("T")
Parameters = Mapping[str, Any] | Sequence[Mapping[str, Any]] | None


_SAVEPOINT, _RELEASE = Plain("SAVEPOINT unit"), Plain("RELEASE SAVEPOINT unit")
_ROLL_BACK = Plain("ROLLBACK TO SAVEPOINT unit")


class Statements:
    """Executes statements of one unit of work, and seals and opens what is personal in them.

    A unit shares its transaction with those that were waiting beside it. Its savepoint is opened at its first
    statement, so that a unit that only records costs the database nothing of its own. Once it is kept or discarded, the
    next unit may have this.
    """

    def __init__(
        self, connection: Connection, at_rest: AtRest, *, savepoint: bool, deferred: Deferred | None = None
    ) -> None:
        """``deferred`` are changes of this batch that are kept back; without it none are."""
        self._connection = connection
        self.at_rest = at_rest
        self._wants_savepoint = savepoint
        self._has_savepoint = False
        self._deferred = deferred
        self._own_from = 0 if deferred is None else len(deferred)

    @property
    def writes_alone(self) -> bool:
        """Whether nobody else writes to the database while this unit does."""
        return not is_postgresql(self._connection)

    def execute(self, statement: Executable, parameters: Parameters = None) -> CursorResult[Any]:
        """Run ``statement``; raises SQLAlchemy's ``DBAPIError`` family."""
        self._begin()
        return self._connection.execute(statement, parameters)

    def say(self, statement: Plain, values: Sequence[Any] = ()) -> Rows:
        """Run one that is said to the driver itself; raises as ``execute``."""
        self._begin()
        return statement.rows(self._connection, values)

    def ask(self, statement: Constant, **values: Any) -> list[Any]:
        """The rows of one that is constant; raises as ``execute``."""
        self._begin()
        return statement.rows(self._connection, values)

    def do(self, statement: Constant, values: Mapping[str, Any]) -> int:
        """Run one that is constant; how many rows it changed. Raises as ``execute``."""
        self._begin()
        return statement.changed(self._connection, values)

    def say_for(self, statement: Plain, asked: Rows, *values: Any) -> Rows:
        """Run one that takes rows first, if any (``Plain.rows_for``); raises as ``execute``."""
        if not asked:
            return []
        self._begin()
        return statement.rows_for(self._connection, asked, *values)

    def write(self, change: Together, rows: NamedRows) -> None:
        """Make ``change`` of all ``rows``, if any. Raises as ``execute``."""
        if rows:
            self._begin()
            change.write(self._connection, rows)

    def _begin(self) -> None:
        """Before a statement: a savepoint to undo it by, and whatever was kept back is written."""
        if self._wants_savepoint and not self._has_savepoint:
            if self._deferred is not None:
                self._deferred.write(self._connection, self._own_from)  # others', which this unit cannot undo
                self._own_from = 0
            # Said to the driver: SQLAlchemy's own savepoints cost as much as the statement that they are for.
            _SAVEPOINT.changed(self._connection, ())
            self._has_savepoint = True
        if self._deferred:
            self._deferred.write(self._connection)

    def defer(self, statement: Change, row: Mapping[str, Any]) -> None:
        """Run ``statement``, a constant, with ``row`` no later than the next statement of this or another unit.

        Units that only look at what was read ahead, and change like this, share a statement for each table, and need
        no savepoint. Raises as ``execute``, or later; then everything that the batch did is done again one by one.
        """
        if self._deferred is not None and self._wants_savepoint:
            self._deferred.add(statement, row)
        elif isinstance(statement, Together):
            self.write(statement, [row])
        else:
            self.execute(statement, row)

    def sealed(self, table: Table, values: Mapping[str, Any], **row_key: Any) -> dict[str, Any]:
        """``values`` of one row of ``table``, ready to be written: those of sealed columns are sealed.

        The row's primary key is among them, or is named by ``row_key``. Raises as ``Sealer.seal``.
        """
        return seal_values(self.at_rest.sealer, table, values, row_key)

    def opened(self, table: Table, row: KnownRow) -> dict[str, Any]:
        """``row`` of ``table``, by column, with sealed columns opened; it has the primary key.

        Raises ``StoredDataUnreadable``, ``AlgorithmUnavailable``.
        """
        return open_row(self.at_rest.sealer, table, row)

    def remembered(self, table: Table, column: str, row: KnownRow, parse: Callable[[Any], T]) -> T:
        """See ``read_remembered``."""
        return read_remembered(self.at_rest, table, column, row, parse)

    def remember(self, table: Table, column: str, row: Mapping[str, Any], value: Any) -> None:
        """``value`` is what ``remembered`` would read of ``row``, as ``sealed`` answered it."""
        self.at_rest.remembered.keep(context_of(table, column, row), row[column], value)

    def holder_digest(self, holder_code: str) -> str:
        """The keyed digest that a holder is looked up by, the same in every table."""
        return self.at_rest.digests.of(Use.HOLDER, holder_code)

    def keep(self) -> None:
        """The unit succeeded: its statements stay in the shared transaction."""
        if self._has_savepoint:
            _RELEASE.changed(self._connection, ())
            self._has_savepoint = False
        self._own_from = 0 if self._deferred is None else len(self._deferred)

    def discard(self) -> None:
        """The unit failed: its statements are undone, its neighbours' are not."""
        if self._deferred is not None:
            self._deferred.truncate(self._own_from)
        if self._has_savepoint:
            _ROLL_BACK.changed(self._connection, ())
            _RELEASE.changed(self._connection, ())
            self._has_savepoint = False
