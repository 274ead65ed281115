"""Where a limit keeps what must be durable before it answers: the bare driver, one connection, one commit a batch."""

import sqlite3
from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, Protocol

import psycopg

TABLES = ("sessions", "applications", "authorisations", "intakes", "outbox", "idempotency", "copies")
"""What lies at rest beside the record: an id and bytes each."""
_DDL = (
    "CREATE TABLE entries (log_id TEXT, sequence BIGINT, leaf_hash {bytes}, leaf {bytes}, action TEXT, subject TEXT,"
    " PRIMARY KEY (log_id, sequence))",
    "CREATE INDEX entries_subject ON entries (subject, action)",
    "CREATE TABLE seals (number BIGINT PRIMARY KEY, last_sequence BIGINT, root {bytes}, signature {bytes})",
    *(f"CREATE TABLE kept_{table} (id TEXT PRIMARY KEY, body {{bytes}})" for table in TABLES),
)
Change = tuple[str, str, bytes | None]
"""Table, id, and the bytes that lie there from now on; None where they go."""


class Store(Protocol):
    """Makes a batch durable, and finds what lies there."""

    def append(self, rows: Sequence[tuple[Any, ...]], seal: tuple[Any, ...], changes: Sequence[Change]) -> None: ...
    def get(self, table: str, key: str) -> bytes: ...
    def close(self) -> None: ...


class SqliteStore:
    """WAL, ``synchronous=FULL``."""

    def __init__(self, path: str) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        for statement in ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", *_DDL):
            self._connection.execute(statement.format(bytes="BLOB"))

    def append(self, rows: Sequence[tuple[Any, ...]], seal: tuple[Any, ...], changes: Sequence[Change]) -> None:
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        for table, put, gone in _by_table(changes):
            if put:
                connection.executemany(f"INSERT INTO kept_{table} VALUES (?, ?)", put)
            if gone:
                connection.executemany(f"DELETE FROM kept_{table} WHERE id = ?", [(key,) for key in gone])
        connection.executemany("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?)", rows)
        connection.execute("INSERT INTO seals VALUES (?, ?, ?, ?)", seal)
        connection.execute("COMMIT")

    def close(self) -> None:
        self._connection.close()

    def get(self, table: str, key: str) -> bytes:
        return bytes(self._connection.execute(f"SELECT body FROM kept_{table} WHERE id = ?", (key,)).fetchone()[0])


class PostgresStore:
    """One statement for all rows of a table."""

    def __init__(self, url: str) -> None:
        self._connection = psycopg.connect(url, autocommit=True, prepare_threshold=0)
        for statement in _DDL:
            self._connection.execute(statement.format(bytes="BYTEA").encode())

    def append(self, rows: Sequence[tuple[Any, ...]], seal: tuple[Any, ...], changes: Sequence[Change]) -> None:
        columns = [list(column) for column in zip(*rows, strict=True)]
        execute = self._connection.execute
        with self._connection.transaction():
            for table, put, gone in _by_table(changes):
                if put:
                    both = [list(column) for column in zip(*put, strict=True)]
                    insert = f"INSERT INTO kept_{table} SELECT * FROM unnest(%s::text[], %s::bytea[])"
                    execute(insert.encode(), both, binary=True)
                if gone:
                    execute(f"DELETE FROM kept_{table} WHERE id = ANY(%s::text[])".encode(), [gone], binary=True)
            execute(
                "INSERT INTO entries SELECT * FROM unnest(%s::text[], %s::bigint[], %s::bytea[], %s::bytea[],"
                " %s::text[], %s::text[])",
                columns,
                binary=True,
            )
            execute("INSERT INTO seals VALUES (%s, %s, %s, %s)", seal, binary=True)

    def close(self) -> None:
        self._connection.close()

    def get(self, table: str, key: str) -> bytes:
        found = self._connection.execute(f"SELECT body FROM kept_{table} WHERE id = %s".encode(), [key], binary=True)
        row = found.fetchone()
        assert row is not None
        return bytes(row[0])


def open_store(database: str) -> Store:
    """A new SQLite file, or the URL of an empty PostgreSQL database."""
    return PostgresStore(database) if database.startswith("postgresql:") else SqliteStore(database)


def _by_table(changes: Sequence[Change]) -> list[tuple[str, list[tuple[str, bytes]], list[str]]]:
    """Each table with what is put there, and the ids of what goes."""
    found = []
    for table, group in groupby(sorted(changes, key=itemgetter(0)), key=itemgetter(0)):
        theirs = list(group)
        put = [(key, body) for _, key, body in theirs if body is not None]
        found.append((table, put, [key for _, key, body in theirs if body is None]))
    return found
