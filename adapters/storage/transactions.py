"""``gateway.transaction.Transactions`` over one database: one writer, and reads on connections of their own."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TypeVar

from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from adapters.storage.engine import create_database_engine, create_reading_engine
from adapters.storage.outbox import ReadOnlyOutbox
from adapters.storage.reading import ReadingThreads
from adapters.storage.records import ReadOnlyRecords, record_unavailable
from adapters.storage.restorations import is_waiting
from adapters.storage.schema_version import SchemaState, state_of
from adapters.storage.sealed import AtRest
from adapters.storage.statements import Statements
from adapters.storage.unit_of_work import SqlUnitOfWork
from adapters.storage.writer import GroupWriter, WriterWatch
from gateway.clock import Clock
from gateway.crypto.keyed_digest import MIN_KEY_BYTES, KeyedDigest
from gateway.crypto.sealing import FixedKeys, Sealer
from gateway.delivery.hand_over import HandOver
from gateway.records.ports import HeadKeeper
from gateway.records.seal_key import SealSigner

ResultT = TypeVar("ResultT")


class SqlTransactions:
    """The database of one process. ``open`` it once, ``close`` it once."""

    def __init__(
        self,
        database_url: str,
        signer: SealSigner,
        at_rest: AtRest,
        clock: Clock,
        head_keeper: HeadKeeper | None = None,
        source: str = "",
        watch: WriterWatch | None = None,
    ) -> None:
        """``source`` is the gateway's issuer, the ``source`` of every event."""
        self.at_rest = at_rest
        self.gate: Callable[[], None] = lambda: None
        """Asked before each write; what it raises refuses it."""
        self._head_keeper = head_keeper
        self._reading = ReadingThreads(database_url)
        self._write_engine = create_database_engine(database_url, pool_size=1)
        self._writer = GroupWriter(self._write_engine, signer, at_rest, clock, head_keeper, source, watch)

    def open(self) -> None:
        """Start the writer."""
        self._writer.start()

    def close(self) -> None:
        """Commit what waits, keep the head of the record, and let every connection go."""
        self._writer.close()
        if self._head_keeper is not None:
            self._head_keeper.close()
        self._reading.close()
        self._write_engine.dispose()

    @property
    def waiting(self) -> int:
        """Units of work that wait for the next commit."""
        return self._writer.waiting

    async def write(self, work: Callable[[SqlUnitOfWork], ResultT]) -> ResultT:
        """See ``Transactions.write``. Raises whatever ``gate`` raises."""
        self.gate()
        return await self._writer.submit(work)

    def about_to_write(self) -> AbstractContextManager[None]:
        """See ``Transactions.about_to_write``."""
        return self._writer.about_to_write()

    def hand_over_to(self, hand_over: HandOver | None) -> None:
        """Hand what is committed for delivery to a relay of this process."""
        self._writer.hand_over = hand_over

    async def write_regardless(self, work: Callable[[SqlUnitOfWork], ResultT]) -> ResultT:
        """``write`` past the ``gate``: for whoever mends what it is closed for."""
        return await self._writer.submit(work)

    async def read(self, work: Callable[[SqlUnitOfWork], ResultT]) -> ResultT:
        """See ``Transactions.read``. Raises ``Overloaded`` when the database does not answer."""
        return await self._reading.run(lambda connection: work(_reading_unit(connection, self.at_rest)))

    def sweep_memory(self) -> None:
        """Forget what was opened long enough ago, whether somebody asks or not."""
        self.at_rest.remembered.sweep()

    async def ping(self) -> None:
        """Raises ``Overloaded`` when the database does not answer."""
        await self._reading.run(_ping)

    async def require_current_schema(self) -> None:
        """Raises ``Overloaded`` while this version cannot work on the schema that is there (``bandian migrate``)."""
        await self._reading.run(_require_current)

    async def require_adopted(self) -> None:
        """Raises ``Overloaded`` while a restored database waits for ``bandian adopt-restored``."""
        await self._reading.run(_require_adopted)


@contextmanager
def reading(database_url: str) -> Iterator[SqlUnitOfWork]:
    """A unit of work over one moment of a database that is left as it is: without a writer, without migrations.

    It has no data keys: what is sealed stays so, and opening it is refused.
    Raises ``DatabaseUnreadable`` for what is missing, damaged or of another schema, also while the unit reads.
    """
    engine = create_reading_engine(database_url)
    try:
        with engine.connect() as connection:
            state = state_of(connection)
            if state is SchemaState.NEWER:
                raise DatabaseUnreadable("The database belongs to a newer version; use that version's commands.")
            if state is SchemaState.OLDER:
                raise DatabaseUnreadable("The database does not have the schema of this version; run: bandian migrate")
            yield _reading_unit(connection, _WITHOUT_KEYS)
    except SQLAlchemyError as error:
        cause = type(getattr(error, "orig", None) or error).__name__
        raise DatabaseUnreadable(f"The database is missing, damaged, or does not answer ({cause}).") from error
    finally:
        engine.dispose()


class DatabaseUnreadable(Exception):
    """Nothing can be said about what the database holds; the text is one sentence for the operator."""


_WITHOUT_KEYS = AtRest(Sealer(FixedKeys(())), KeyedDigest(bytes(MIN_KEY_BYTES)))


def _reading_unit(connection: Connection, at_rest: AtRest) -> SqlUnitOfWork:
    return SqlUnitOfWork(Statements(connection, at_rest, savepoint=False), ReadOnlyRecords(), ReadOnlyOutbox())


def _require_current(connection: Connection) -> None:
    state = state_of(connection)
    if state is not SchemaState.SERVED:
        raise record_unavailable("schema_not_current" if state is SchemaState.OLDER else "schema_newer")


def _require_adopted(connection: Connection) -> None:
    if is_waiting(connection):
        raise record_unavailable("restored_not_adopted")


def _ping(connection: Connection) -> None:
    connection.execute(text("SELECT 1")).scalar_one()
