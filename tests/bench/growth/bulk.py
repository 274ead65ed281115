"""Rows into a migrated database as fast as it takes them: COPY on PostgreSQL, prepared inserts on SQLite."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import Connection, Table, text

Rows = Sequence[Mapping[str, Any]]


class Bulk:
    """Writes on ``connection``; the caller commits. Values are those that the table's own columns take.

    Foreign keys are not looked up: whoever fills writes both sides. PostgreSQL lets a superuser alone do that.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._on_postgresql = connection.dialect.name == "postgresql"
        self._binders: dict[str, list[tuple[str, Callable[[Any], Any] | None]]] = {}
        self.rows = 0

    def begin(self) -> None:
        """Settings for the transaction that has just begun."""
        if self._on_postgresql:
            self._connection.execute(text("SET LOCAL session_replication_role = replica"))
            self._connection.execute(text("SET LOCAL synchronous_commit = off"))

    def write(self, table: Table, rows: Rows) -> None:
        """Append ``rows``; a column that a row leaves out is NULL."""
        if not rows:
            return
        self.rows += len(rows)
        binders = self._of(table)
        values = ([_bound(binder, row.get(name)) for name, binder in binders] for row in rows)
        driver: Any = self._connection.connection.driver_connection
        if self._on_postgresql:
            _copy(driver, table.name, [name for name, _ in binders], values)
            return
        named = ", ".join(f'"{name}"' for name, _ in binders)
        marks = ", ".join("?" * len(binders))
        driver.executemany(f'INSERT INTO "{table.name}" ({named}) VALUES ({marks})', values)

    def _of(self, table: Table) -> list[tuple[str, Callable[[Any], Any] | None]]:
        found = self._binders.get(table.name)
        if found is None:
            dialect = self._connection.dialect
            kinds = [(column.name, column.type.dialect_impl(dialect)) for column in table.c]
            found = self._binders[table.name] = [(name, kind.bind_processor(dialect)) for name, kind in kinds]
        return found


def _bound(binder: Callable[[Any], Any] | None, value: Any) -> Any:
    bound = value if binder is None else binder(value)
    return bytes(bound) if isinstance(bound, bytes) else bound


def _copy(driver: "psycopg.Connection[Any]", table: str, names: Sequence[str], rows: Any) -> None:
    columns = sql.SQL(", ").join(map(sql.Identifier, names))
    with (
        driver.cursor() as cursor,
        cursor.copy(sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table), columns)) as copy,
    ):
        for row in rows:
            copy.write_row(row)
