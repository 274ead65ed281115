"""An outbox with many rows on one connection, and what it costs to ask it something."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, text

from adapters.storage.deliveries import outbox
from adapters.storage.engine import create_database_engine
from adapters.storage.outbox import ReadOnlyOutbox
from adapters.storage.records import ReadOnlyRecords
from adapters.storage.sealed import AtRest, seal_values
from adapters.storage.statements import Statements
from adapters.storage.unit_of_work import SqlUnitOfWork
from tests.support.storage import AT_REST

STEPS_AT_ONCE = 10


def event_row(destination: str, position: int, each: int, at: datetime, **changes: Any) -> dict[str, Any]:
    """A row of the outbox, due since ``at``; every ``each`` events in a row belong to one application."""
    application, sequence = divmod(position - 1, each)
    values = {
        "event_id": f"evt_{position:06}_{destination}",
        "destination": destination,
        "position": position,
        "subject": f"app_{application}",
        "sequence": sequence + 1,
        "channel": "webhook",
        "type": "test",
        "at": at,
        "data": {"said": "x" * 600},
        "state": "pending",
        "attempts": 0,
        "next_attempt_at": at,
        "scheduled_at": at,
        "tried_for_s": 0.0,
        "unknown_since": None,
        "settled_at": None,
    }
    return seal_values(AT_REST.sealer, outbox, values | changes, {})


class LongQueue:
    """Units of work on ``connection``, whose transactions the caller begins."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._steps = 0
        if connection.dialect.name == "sqlite":
            driver: Any = connection.connection.dbapi_connection
            driver.set_progress_handler(self._stepped, STEPS_AT_ONCE)

    @property
    def unit(self) -> SqlUnitOfWork:
        return self.unit_with(AT_REST)

    def unit_with(self, at_rest: AtRest) -> SqlUnitOfWork:
        """Of a process with other keys."""
        return SqlUnitOfWork(Statements(self.connection, at_rest, savepoint=False), ReadOnlyRecords(), ReadOnlyOutbox())

    def append(self, rows: list[dict[str, Any]]) -> None:
        """Commit ``rows`` as they are."""
        with self.connection.begin():
            self.connection.execute(insert(outbox), rows)
        self.analyse()

    def analyse(self) -> None:
        """As PostgreSQL's autovacuum does; on SQLite nobody does."""
        if self.connection.dialect.name == "postgresql":
            with self.connection.begin():
                self.connection.execute(text("ANALYZE"))

    def cost_of(self, work: Callable[[SqlUnitOfWork], object]) -> int:
        """PostgreSQL: rows of the outbox that were looked at. SQLite: steps of its machine, several for a row."""
        with self.connection.begin() as transaction:
            began = self._looked_at()
            work(self.unit)
            cost = self._looked_at() - began
            transaction.rollback()
        return cost

    def _looked_at(self) -> int:
        if self.connection.dialect.name == "sqlite":
            return self._steps
        read = text("SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'outbox'")
        return int(self.connection.execute(read).scalar_one())

    def _stepped(self) -> int:
        self._steps += STEPS_AT_ONCE
        return 0


@contextmanager
def long_queue(database_url: str) -> Iterator[LongQueue]:
    """Over a migrated database."""
    engine = create_database_engine(database_url, pool_size=1)
    try:
        with engine.connect() as connection:
            yield LongQueue(connection)
    finally:
        engine.dispose()
