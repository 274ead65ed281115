"""Reads: each of one moment, on connections that are kept, and done again where such a one was lost."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from threading import Event
from time import sleep
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, literal, select, text

from adapters.storage.constant import Constant
from adapters.storage.reading import READERS, ReadingThreads
from adapters.storage.transactions import SqlTransactions
from gateway.errors import Conflict, Overloaded, Owner
from gateway.records.entries import RecordEntry
from tests.support.databases import Databases
from tests.support.storage import NOON, SetClock, opened


@pytest.fixture
def transactions(database_url: str) -> Iterator[SqlTransactions]:
    with opened(database_url, SetClock()) as made:
        yield made


@pytest.fixture
def threads(database_url: str) -> Iterator[ReadingThreads]:
    made = ReadingThreads(database_url)
    yield made
    made.close()


def entries(tx: Any) -> int:
    return len(tx.record_reader.of_subject("app_1", ("test.deed",)))


async def add(transactions: SqlTransactions) -> None:
    await transactions.write(lambda tx: tx.records.append(RecordEntry("test.deed", NOON, "somebody", "app_1")))


async def test_a_read_sees_one_moment_whatever_it_is_said_by(transactions: SqlTransactions) -> None:
    """The first statement of the read is said to the driver, the second by SQLAlchemy, and the other way round."""
    looked, committed = Event(), Event()

    def first_by_driver(tx: Any) -> tuple[Any, int]:
        found = tx.authorisations.of_application("app_1")
        looked.set()
        assert committed.wait(20)
        return found, entries(tx)

    reading = asyncio.create_task(transactions.read(first_by_driver))
    assert await asyncio.to_thread(looked.wait, 20)
    await add(transactions)
    committed.set()
    assert await reading == (None, 0)
    assert await transactions.read(entries) == 1


async def test_what_a_read_writes_is_discarded(threads: ReadingThreads) -> None:
    def write(connection: Connection) -> int:
        connection.execute(text("INSERT INTO schema_compatibility (revision, serves_from) VALUES ('9999', '0001')"))
        return 1

    assert await threads.run(write) == 1
    count = text("SELECT count(*) FROM schema_compatibility WHERE revision = '9999'")
    assert [await threads.run(lambda at: at.execute(count).scalar_one()) for _ in range(READERS)] == [0] * READERS


async def test_more_reads_at_once_than_connections(threads: ReadingThreads) -> None:
    answers = await asyncio.gather(*(threads.run(lambda at: at.execute(select(1)).scalar_one()) for _ in range(200)))
    assert answers == [1] * 200


ONE = Constant(select(literal(1).label("one")))
SAID_BY: dict[str, Callable[[Connection], int]] = {
    "sqlalchemy": lambda connection: int(connection.execute(select(1)).scalar_one()),
    "driver": lambda connection: int(ONE.rows(connection, {})[0].one),
}


@pytest.mark.parametrize("said_by", SAID_BY)
async def test_a_lost_connection_is_noticed_by_the_read_that_needs_it(threads: ReadingThreads, said_by: str) -> None:
    ask = SAID_BY[said_by]
    assert await threads.run(ask) == 1
    for _ in range(READERS):
        with suppress(Overloaded):  # of the connection that it closed itself
            await threads.run(lose)
        assert await threads.run(ask) == 1
    assert [await threads.run(ask) for _ in range(3 * READERS)] == [1] * 3 * READERS


@pytest.mark.parametrize("said_by", SAID_BY)
async def test_a_server_that_was_started_anew_is_found_again(databases: Databases, said_by: str) -> None:
    with databases.postgresql() as url:
        threads, ask = ReadingThreads(url), SAID_BY[said_by]
        try:
            at_once = [threads.run(lambda at: (ask(at), sleep(0.05))[0]) for _ in range(READERS)]
            assert await asyncio.gather(*at_once) == [1] * READERS
            with psycopg.connect(url, autocommit=True) as other:
                other.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            at_once = [threads.run(lambda at: (ask(at), sleep(0.05))[0]) for _ in range(READERS)]
            assert await asyncio.gather(*at_once) == [1] * READERS
        finally:
            threads.close()


def lose(connection: Connection) -> None:
    """As a server that went away leaves it."""
    connection.connection.driver_connection.close()


async def test_what_is_refused_leaves_the_connection_as_it_was(threads: ReadingThreads) -> None:
    used: set[int] = set()

    def refuse(connection: Connection) -> None:
        used.add(id(connection))
        raise Conflict(check="x", owner=Owner.CALLER, remedy="x")

    for _ in range(20):
        with pytest.raises(Conflict):
            await threads.run(refuse)
    assert len(used) <= READERS


async def test_a_statement_that_fails_is_no_end_of_reading(threads: ReadingThreads) -> None:
    for _ in range(2 * READERS):
        with pytest.raises(Overloaded):
            await threads.run(lambda at: at.execute(text("SELECT * FROM nowhere")))
    assert await threads.run(lambda at: at.execute(select(1)).scalar_one()) == 1
