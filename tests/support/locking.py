"""Holds a database so that a gateway cannot write to it, or takes its connections away."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg

from adapters.storage.engine import normalise_url


@contextmanager
def writes_blocked(database_url: str) -> Iterator[None]:
    """Nobody else commits a write until this is left: SQLite's write lock, or a lock on the tables written to."""
    if database_url.startswith("sqlite"):
        with closing(sqlite3.connect(database_url.split(":///", 1)[1], timeout=10, isolation_level=None)) as held:
            held.execute("BEGIN IMMEDIATE")
            yield
            held.execute("ROLLBACK")
        return
    with psycopg.connect(database_url) as held_there:
        held_there.execute("LOCK TABLE outbox, record_logs, verification_sessions IN EXCLUSIVE MODE")
        yield
        held_there.rollback()


@contextmanager
def no_connections(database_url: str) -> Iterator[None]:
    """PostgreSQL: every connection to the database is cut, and none is let in until this is left."""
    name = normalise_url(database_url).database
    with psycopg.connect(database_url.rsplit("/", 1)[0] + "/postgres", autocommit=True) as admin:
        admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        try:
            admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
            yield
        finally:
            admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')


def cut_connections(database_url: str) -> int:
    """PostgreSQL: cut every connection of the gateway's once; answers how many."""
    name = normalise_url(database_url).database
    with psycopg.connect(database_url.rsplit("/", 1)[0] + "/postgres", autocommit=True) as admin:
        cut = admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = %s AND application_name = 'bandian'",
            [name],
        )
        return len(cut.fetchall())
