"""Reads of a process: a few threads, each with a connection of its own that it keeps."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from adapters.storage.engine import create_database_engine
from adapters.storage.records import record_unavailable

ResultT = TypeVar("ResultT")
READERS = 4


class ReadingThreads:
    """Runs functions against one moment of a database each; what they write is discarded.

    A connection that was lost since it was used last, as by a database that was started anew, is found out by the
    first read that needs it: that read is run again on a new one, which a function that only reads bears.
    """

    def __init__(self, database_url: str) -> None:
        self._engine = create_database_engine(database_url, pool_size=READERS, snapshots=True)
        self._threads = ThreadPoolExecutor(READERS, thread_name_prefix="reader")
        self._own = threading.local()
        self._open: set[Connection] = set()

    def close(self) -> None:
        """Wait for whoever reads, and let every connection go."""
        self._threads.shutdown()
        while self._open:
            with suppress(SQLAlchemyError):
                self._open.pop().close()
        self._engine.dispose()

    async def run(self, work: Callable[[Connection], ResultT]) -> ResultT:
        """What ``work`` answers. Raises what it raises, ``Overloaded`` where the database does not answer."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._run, work)

    def _run(self, work: Callable[[Connection], ResultT]) -> ResultT:
        try:
            kept = getattr(self._own, "connection", None)
            if kept is not None:
                try:
                    return self._in_one_moment(kept, work)
                except DBAPIError as error:
                    if not error.connection_invalidated:
                        raise
            return self._in_one_moment(self._connected(), work)
        except SQLAlchemyError as error:
            raise record_unavailable("database_unreachable") from error

    def _in_one_moment(self, connection: Connection, work: Callable[[Connection], ResultT]) -> ResultT:
        try:
            transaction = connection.begin()
            try:
                return work(connection)
            finally:
                transaction.rollback()
        except SQLAlchemyError:
            self._let_go(connection)
            raise

    def _connected(self) -> Connection:
        connection = self._own.connection = self._engine.connect()
        self._open.add(connection)
        return connection

    def _let_go(self, connection: Connection) -> None:
        """Nobody knows in which state a connection is on which something failed."""
        self._own.connection = None
        self._open.discard(connection)
        with suppress(SQLAlchemyError):
            connection.invalidate()
        with suppress(SQLAlchemyError):
            connection.close()
