"""Databases for tests: SQLite files, and PostgreSQL databases copied from a template that is migrated once."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

import psycopg

from adapters.storage.migrate import migrate
from tests.support.require import skip_or_fail

SERVER = os.environ.get("BANDIAN_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/postgres")


class Databases:
    """Hands out migrated, empty databases; ``close`` drops what is left."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._sqlite_template: Path | None = None
        self._postgres_template: str | None = None

    def sqlite(self) -> str:
        """URL of a new SQLite file."""
        if self._sqlite_template is None:
            template = self._directory / "template.sqlite3"
            migrate(f"sqlite:///{template}")
            self._sqlite_template = template
        path = self._directory / f"{uuid4().hex}.sqlite3"
        shutil.copy(self._sqlite_template, path)
        return f"sqlite:///{path}"

    @contextmanager
    def postgresql(self) -> Iterator[str]:
        """URL of a new PostgreSQL database, dropped afterwards; skips where no server answers."""
        with _administered() as admin:
            if self._postgres_template is None:
                self._postgres_template = f"bandian_test_{uuid4().hex[:12]}"
                admin.execute(f'CREATE DATABASE "{self._postgres_template}"')
                migrate(_url_of(self._postgres_template))
            name = f"bandian_test_{uuid4().hex[:12]}"
            admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{self._postgres_template}"')
            try:
                yield _url_of(name)
            finally:
                admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def empty_sqlite(self) -> str:
        """URL of a SQLite file that does not exist yet: nothing is migrated."""
        return f"sqlite:///{self._directory / uuid4().hex}.sqlite3"

    @contextmanager
    def empty_postgresql(self) -> Iterator[str]:
        """URL of a new PostgreSQL database without a schema, dropped afterwards."""
        with _administered() as admin:
            name = f"bandian_test_{uuid4().hex[:12]}"
            admin.execute(f'CREATE DATABASE "{name}"')
            try:
                yield _url_of(name)
            finally:
                admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def close(self) -> None:
        """Drop the template."""
        if self._postgres_template is not None:
            with suppress(psycopg.OperationalError), psycopg.connect(SERVER, autocommit=True) as admin:
                admin.execute(f'DROP DATABASE IF EXISTS "{self._postgres_template}" WITH (FORCE)')


def _administered() -> psycopg.Connection:
    """A connection that may create databases; skips where no server answers."""
    try:
        return psycopg.connect(SERVER, autocommit=True, connect_timeout=3)
    except psycopg.OperationalError:
        skip_or_fail("no PostgreSQL server answers at BANDIAN_TEST_POSTGRES")


def _url_of(name: str) -> str:
    return SERVER.rsplit("/", 1)[0] + "/" + name
