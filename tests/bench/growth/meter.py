"""What a unit of work costs a database: time, and how much it looks at."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text

from adapters.storage.outbox import ReadOnlyOutbox
from adapters.storage.records import ReadOnlyRecords
from adapters.storage.statements import Statements
from adapters.storage.unit_of_work import SqlUnitOfWork
from tests.support.storage import AT_REST

STEPS_AT_ONCE = 10
ROUNDS = 5
_LOOKED_AT = text("SELECT coalesce(sum(seq_tup_read + idx_tup_fetch), 0) FROM pg_stat_xact_user_tables")


@dataclass(frozen=True)
class Cost:
    """The median of some rounds in milliseconds, and what each looked at: rows, or steps of SQLite's machine."""

    ms: float
    looked_at: int


class Meter:
    """Asks over one connection, each time in a transaction that is rolled back, so that the same can be asked again."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._steps = 0
        self._on_sqlite = connection.dialect.name == "sqlite"
        if self._on_sqlite:
            driver: Any = connection.connection.dbapi_connection
            driver.set_progress_handler(self._stepped, STEPS_AT_ONCE)

    def cost_of(self, work: Callable[[SqlUnitOfWork], object], rounds: int = ROUNDS) -> Cost:
        """Of one ``work``."""
        took, looked_at = [], 0
        for _ in range(rounds):
            with self._connection.begin() as transaction:
                before, began = self._looked_at(), time.perf_counter()
                work(_unit(self._connection))
                took.append(1000 * (time.perf_counter() - began))
                looked_at = self._looked_at() - before
                transaction.rollback()
        return Cost(statistics.median(took), looked_at)

    def _looked_at(self) -> int:
        return self._steps if self._on_sqlite else int(self._connection.execute(_LOOKED_AT).scalar_one())

    def _stepped(self) -> int:
        self._steps += STEPS_AT_ONCE
        return 0


def _unit(connection: Connection) -> SqlUnitOfWork:
    return SqlUnitOfWork(Statements(connection, AT_REST, savepoint=False), ReadOnlyRecords(), ReadOnlyOutbox())
