"""Tables and repository of restorations, and the epoch of numbers that they count."""

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Integer,
    Row,
    ScalarSelect,
    Table,
    Text,
    cast,
    func,
    insert,
    literal,
    select,
    update,
)
from sqlalchemy.exc import SQLAlchemyError

from adapters.storage.engine import create_database_engine
from adapters.storage.records import record_logs, record_seals, record_unavailable
from adapters.storage.statements import Statements
from adapters.storage.tables import UtcInstant, metadata
from gateway.records.log import Seal
from gateway.restorations.ports import Restoration
from schemas.events import EPOCH

restorations = Table(
    "restorations",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("backup_sha256", Text),
    Column("backup_taken_at", UtcInstant),
    Column("restored_at", UtcInstant),
    Column("adopted_at", UtcInstant),
    Column("record_id", Text),
)

_NEVER = datetime(9999, 12, 31, tzinfo=UTC)


def first_number() -> ScalarSelect[int]:
    """What lies before the first number of a counter that begins now: the epochs of adopted restorations."""
    count = cast(func.coalesce(func.max(restorations.c.number), 0), BigInteger)
    return select(count * literal(EPOCH, BigInteger())).scalar_subquery()


def is_waiting(connection: Connection) -> bool:
    """Whether this database was restored and not adopted yet."""
    waiting = select(restorations.c.number).where(restorations.c.adopted_at.is_(None)).limit(1)
    return connection.execute(waiting).scalar_one_or_none() is not None


def mark_restored(connection: Connection, backup_sha256: str, backup_taken_at: datetime, restored_at: datetime) -> None:
    """Nothing serves from this database until it is adopted, and no log of before it is ever continued."""
    connection.execute(update(restorations).where(restorations.c.adopted_at.is_(None)).values(adopted_at=restored_at))
    number = connection.execute(select(func.coalesce(func.max(restorations.c.number), 0) + 1)).scalar_one()
    connection.execute(
        insert(restorations).values(
            number=number, backup_sha256=backup_sha256, backup_taken_at=backup_taken_at, restored_at=restored_at
        )
    )
    end_logs(connection, restored_at)


def held_logs(connection: Connection, at: datetime) -> int:
    """How many logs a process holds now: it is alive, or died within the last half minute."""
    held = select(func.count()).where(record_logs.c.held_until >= at, record_logs.c.held_until < _NEVER)
    return int(connection.execute(held).scalar_one())


def end_logs(connection: Connection, at: datetime) -> None:
    """Let every log that is there end where it stands: its next entries were given out, and are lost."""
    ended = update(record_logs).where(record_logs.c.held_until < _NEVER)
    connection.execute(ended.values(holder=f"ended {at:%Y%m%dT%H%M%SZ}", held_until=_NEVER))


class SqlRestorations:
    """``gateway.restorations.ports.Restorations``."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    def waiting(self) -> Restoration | None:
        query = select(restorations).where(restorations.c.adopted_at.is_(None)).order_by(restorations.c.number)
        row = self._statements.execute(query).first()
        return None if row is None else _restoration(row)

    def last_number(self) -> int:
        return int(self._statements.execute(select(func.coalesce(func.max(restorations.c.number), 0))).scalar_one())

    def contradicted(self, kept: Sequence[Seal]) -> Sequence[Seal]:
        return [seal for seal in kept if not self._holds(seal)]

    def _holds(self, seal: Seal) -> bool:
        query = select(record_seals.c.previous_hash, record_seals.c.signature, record_seals.c.root)
        found = self._statements.execute(
            query.where(record_seals.c.log_id == seal.log_id, record_seals.c.number == seal.number)
        ).one_or_none()
        return found is not None and (bytes(found.previous_hash), bytes(found.signature), bytes(found.root)) == (
            seal.previous_hash,
            seal.signature,
            seal.root,
        )

    def adopt(self, restoration: Restoration, adopted_at: datetime, record_id: str) -> None:
        # Imported here: outbox counters begin at ``first_number`` of this module.
        from adapters.storage.deliveries import outbox_counters

        adopted = {"adopted_at": adopted_at, "record_id": record_id}
        own = restorations.c.number == restoration.number
        if not self._statements.execute(update(restorations).where(own).values(**adopted)).rowcount:
            self._statements.execute(insert(restorations).values(number=restoration.number, **adopted))
        self._statements.execute(update(outbox_counters).values(last=self.last_number() * EPOCH))


def _restoration(row: Row[tuple[object, ...]]) -> Restoration:
    return Restoration(row.number, row.backup_sha256, row.backup_taken_at, row.restored_at, row.adopted_at)


class StillServed(Exception):
    """Some process holds a log of this database: it would go on giving out numbers."""


def end_logs_of(database_url: str, at: datetime) -> None:
    """End every log before the database is adopted; may be repeated. Raises ``StillServed``, ``Overloaded``."""
    engine = create_database_engine(database_url, pool_size=1)
    try:
        with engine.connect() as pooled, pooled.execution_options(sqlite_begin="IMMEDIATE").begin():
            if held_logs(pooled, at):
                raise StillServed
            end_logs(pooled, at)
    except SQLAlchemyError as error:
        raise record_unavailable("database_unreachable") from error
    finally:
        engine.dispose()
