"""A database as a thief has it: its files, and every value of every table as the driver answers it."""

import base64
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from sqlalchemy import inspect, text

from adapters.storage.engine import create_database_engine, normalise_url

LONG_ENOUGH = 6
"""Bytes of a needle: shorter ones turn up in random bytes by chance."""


def cells(database_url: str) -> Iterator[tuple[str, bytes]]:
    """(table.column, content) of every cell of every table."""
    engine = create_database_engine(database_url, pool_size=1)
    try:
        with engine.connect() as connection:
            for table in sorted(inspect(connection).get_table_names()):
                result = connection.execute(text(f'SELECT * FROM "{table}"'))
                for row in result:
                    for column, value in zip(result.keys(), row, strict=True):
                        content = bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode()
                        yield f"{table}.{column}", content
    finally:
        engine.dispose()


def files(database_url: str) -> list[Path]:
    """SQLite's file with its ``-wal`` and ``-shm``; PostgreSQL's files of this database, where they can be read."""
    if not database_url.startswith("sqlite"):
        return _postgresql_files(database_url)
    path = Path(str(normalise_url(database_url).database))
    beside = [path.with_name(path.name + end) for end in ("", "-wal", "-shm", "-journal")]
    return [each for each in beside if each.exists()]


def _postgresql_files(database_url: str) -> list[Path]:
    engine = create_database_engine(database_url, pool_size=1)
    try:
        with engine.connect() as connection:
            connection.execute(text("CHECKPOINT"))
            query = "SELECT current_setting('data_directory'), oid FROM pg_database WHERE datname = current_database()"
            directory, oid = connection.execute(text(query)).one()
    finally:
        engine.dispose()
    with suppress(OSError):
        return [path for path in (Path(directory) / "base" / str(oid)).iterdir() if path.is_file()]
    return []


def contents(database_url: str) -> Iterator[tuple[str, bytes]]:
    """(name, content) of each of the files."""
    for path in files(database_url):
        with suppress(FileNotFoundError):  # PostgreSQL cleared it away meanwhile
            yield path.name, path.read_bytes()


def every_value(database_url: str) -> Iterator[bytes]:
    """The files whole, then each cell."""
    for _, content in contents(database_url):
        yield content
    for _, content in cells(database_url):
        yield content


def forms(word: str) -> set[bytes]:
    """How ``word`` may stand in bytes: UTF-8, UTF-16, escaped as in JSON, in hexadecimal, in base64 at each offset."""
    plain = word.encode()
    escaped = "".join(f"\\u{ord(each):04x}" if ord(each) > 127 else each for each in word).encode()
    found = {
        plain,
        escaped,
        escaped.upper().replace(b"\\U", b"\\u"),
        plain.hex().encode(),
        plain.hex().upper().encode(),
    }
    found |= {word.encode("utf-16-le"), word.encode("utf-16-be")}
    for offset in range(3):
        # Characters at the ends also depend on what stands before and after: those of 6 whole bits of ours are left.
        padded = b"\0" * offset + plain
        core = base64.b64encode(padded)[-(-offset * 8 // 6) : len(padded) * 8 // 6]
        found |= {core, core.translate(bytes.maketrans(b"+/", b"-_"))}
    return {each for each in found if len(each) >= LONG_ENOUGH}


class Needles:
    """Words to look for, in any of their forms."""

    def __init__(self, words: Iterable[str]) -> None:
        self._by_head: dict[bytes, set[bytes]] = {}
        for form in {form for word in words for form in forms(word)}:
            self._by_head.setdefault(form[:LONG_ENOUGH], set()).add(form)

    def found_in(self, content: bytes) -> set[bytes]:
        """The forms that stand in ``content``."""
        heads = self._by_head
        return {
            form
            for at in range(len(content) - LONG_ENOUGH + 1)
            if (head := content[at : at + LONG_ENOUGH]) in heads
            for form in heads[head]
            if content.startswith(form, at)
        }
