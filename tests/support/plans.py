"""How a database goes about what a unit of work asks it: the plan of every statement, as it would be kept."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from psycopg import sql
from sqlalchemy import Connection, event


def plans_of(connection: Connection, work: Callable[[], object]) -> list[str]:
    """The plan of each SELECT that ``work`` runs on ``connection``, in order.

    On PostgreSQL the generic one: that a statement which is asked all the time ends with, whatever its parameters.
    """
    with _selects_seen(connection) as seen:
        work()
    if connection.dialect.name == "sqlite":
        return ["\n".join(_on_sqlite(connection, *each)) for each in seen]
    connection.exec_driver_sql("SET LOCAL plan_cache_mode = force_generic_plan")
    return ["\n".join(_on_postgresql(connection, *each)) for each in seen]


@contextmanager
def _selects_seen(connection: Connection) -> Iterator[list[tuple[str, Any]]]:
    seen: list[tuple[str, Any]] = []

    def see(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_more: Any) -> None:
        if statement.startswith(("SELECT", "WITH")):
            seen.append((statement, parameters))

    event.listen(connection, "before_cursor_execute", see)
    try:
        yield seen
    finally:
        event.remove(connection, "before_cursor_execute", see)


def _on_sqlite(connection: Connection, statement: str, parameters: Any) -> list[str]:
    return [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)]


def _on_postgresql(connection: Connection, statement: str, parameters: Mapping[str, Any]) -> list[str]:
    names = list(dict.fromkeys(re.findall(r"%\((\w+)\)s", statement)))
    numbered = re.sub(r"%\((\w+)\)s", lambda found: f"${names.index(found[1]) + 1}", statement).replace("%%", "%")
    driver: Any = connection.connection.driver_connection
    driver.execute(f"PREPARE asked AS {numbered}")
    values = sql.SQL(", ").join(sql.Literal(parameters[name]) for name in names)
    call = sql.SQL("EXECUTE asked ({})").format(values) if names else sql.SQL("EXECUTE asked")
    lines = [row[0] for row in driver.execute(sql.SQL("EXPLAIN {}").format(call))]
    driver.execute("DEALLOCATE asked")
    return lines
