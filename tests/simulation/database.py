"""The gateway's own database and writer over SQLite in memory, in one thread, with faults at its edge.

Everything is the gateway's but the threads: what a turn of the event loop submits together is one group commit.
"""

import asyncio
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager, closing, nullcontext
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Engine

from adapters.storage.engine import create_memory_engine
from adapters.storage.migrate import migrate
from adapters.storage.outbox import ReadOnlyOutbox
from adapters.storage.records import ReadOnlyRecords, record_unavailable
from adapters.storage.sealed import AtRest
from adapters.storage.statements import Statements
from adapters.storage.unit_of_work import SqlUnitOfWork
from adapters.storage.writer import GroupWriter
from gateway.clock import Clock
from gateway.crypto.keyed_digest import KeyedDigest
from gateway.crypto.sealing import DataKey, FixedKeys, Sealer
from gateway.records.audit import AuditReport, audit
from gateway.records.log import Seal
from gateway.records.seal_key import SealSigner

ResultT = TypeVar("ResultT")

ISSUER = "https://gateway.simulated"
DIGESTS = KeyedDigest(b"the simulator's own lookup key..")
SIGNER = SealSigner("seal-simulated", Ed25519PrivateKey.from_private_bytes(b"s" * 32))
SEAL_KEYS = {SIGNER.key_id: SIGNER.private_key.public_key()}
AT_REST = AtRest(Sealer(FixedKeys((DataKey("51a0cafe", b"d" * 32),))), DIGESTS)


class Died(BaseException):
    """The gateway's process was killed: whoever asked gets no answer. No handler of the gateway's may catch it."""


class WriteFault(StrEnum):
    """What can befall one write."""

    BUSY = "busy"
    """Refused with ``Overloaded``; nothing was done."""
    DIED_BEFORE = "died_before"
    DIED_AFTER = "died_after"
    """Committed, and nobody heard."""


class KeptHeads:
    """The latest head of each log, outside of the database."""

    def __init__(self) -> None:
        self.latest: dict[str, Seal] = {}

    def keep(self, seal: Seal) -> None:
        self.latest[seal.log_id] = seal

    def close(self) -> None:
        return


class MemoryDatabase:
    """``gateway.transaction.Transactions``. ``fault`` is drawn once, at the write that it is armed for."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.engine = create_memory_engine()
        _lay_out(self.engine)
        self.heads = KeptHeads()
        self.writes = 0
        self.dies: Callable[[], Died] = Died
        """Told of a death wherever it befalls; what a call waits for in the background would not raise it."""
        self._armed: tuple[int, WriteFault] | None = None
        self.restart()

    def restart(self) -> None:
        """Another process's writer takes over; the one before lets go of nothing."""
        self._writer = GroupWriter(self.engine, SIGNER, AT_REST, self._clock, self.heads, ISSUER)

    def arm(self, fault: WriteFault | None, in_writes: int = 1) -> None:
        """Let ``fault`` befall the write ``in_writes`` from now; None disarms."""
        self._armed = None if fault is None else (self.writes + in_writes, fault)

    async def write(self, work: Callable[[SqlUnitOfWork], ResultT]) -> ResultT:
        self.writes += 1
        fault = None
        if self._armed is not None and self.writes >= self._armed[0]:
            fault, self._armed = self._armed[1], None
        if fault is WriteFault.BUSY:
            raise record_unavailable("simulated")
        if fault is WriteFault.DIED_BEFORE:
            raise self.dies()
        asyncio.get_running_loop().call_soon(self._writer.commit_waiting)
        result = await self._writer.submit(work)
        if fault is WriteFault.DIED_AFTER:
            raise self.dies()
        return result

    def about_to_write(self) -> AbstractContextManager[None]:
        """Here each write is committed by itself: nobody is waited for."""
        return nullcontext()

    async def write_regardless(self, work: Callable[[SqlUnitOfWork], ResultT]) -> ResultT:
        """The same: no write is ever held back because checkpoints lag."""
        return await self.write(work)

    async def read(self, work: Callable[[SqlUnitOfWork], ResultT]) -> ResultT:
        return self.look(work)

    def look(self, work: Callable[[SqlUnitOfWork], ResultT]) -> ResultT:
        """The same at once, for whoever checks."""
        with self.engine.connect() as connection:
            statements = Statements(connection, AT_REST, savepoint=False)
            return work(SqlUnitOfWork(statements, ReadOnlyRecords(), ReadOnlyOutbox()))

    def rows(self, statement: str, **parameters: object) -> list[tuple[object, ...]]:
        """Plain SQL, for whoever checks."""
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.exec_driver_sql(statement, parameters)]

    def audit(self) -> AuditReport:
        """What ``bandian audit`` says of the record, with every head that left the database."""
        kept = list(self.heads.latest.values())
        return self.look(lambda tx: audit(tx.record_reader, SEAL_KEYS, kept=kept))

    def close(self) -> None:
        self.engine.dispose()


@cache
def _migrated() -> bytes:
    """An empty database as the migrations make it, rows that they begin with included."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "empty.sqlite3"
        migrate(f"sqlite:///{path}")
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA journal_mode=DELETE")  # nothing in memory can have a WAL
            return connection.serialize()


def _lay_out(engine: Engine) -> None:
    with closing(sqlite3.connect(":memory:")) as template, closing(engine.raw_connection()) as pooled:
        template.deserialize(_migrated())
        connection = pooled.driver_connection
        assert isinstance(connection, sqlite3.Connection)
        template.backup(connection)
