"""The migrations make exactly the tables that the code speaks of, only ever add, and leave room for one release."""

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, inspect, text

from adapters.storage import migrations, unit_of_work  # noqa: F401  (imports every room's tables into the metadata)
from adapters.storage.engine import normalise_url
from adapters.storage.migrate import IN_ONE, migrate
from adapters.storage.schema_version import SERVES_FROM, SchemaState, newest, state_of
from adapters.storage.tables import metadata
from gateway.errors import Overloaded
from gateway.records.entries import RecordEntry
from tests.support.databases import Databases
from tests.support.storage import NOON, SetClock, opened

(FOLDER,) = migrations.__path__
REVISIONS = [each.revision for each in reversed(list(ScriptDirectory(FOLDER).walk_revisions()))]
LATER = """
import sqlalchemy as sa
from alembic import op

revision, down_revision, branch_labels, depends_on = "9001", "{newest}", None, None


def upgrade():
    with op.batch_alter_table("outbox") as batch_op:
        batch_op.add_column(sa.Column("of_the_next_release", sa.Text(), nullable=True))
        batch_op.create_index("ix_outbox_of_the_next_release", ["of_the_next_release"], unique=False)
    op.create_table("next_release", sa.Column("key", sa.Text(), primary_key=True))
"""


@contextmanager
def connected(url: str) -> Iterator[Connection]:
    engine = create_engine(normalise_url(url))
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, databases: Databases) -> Iterator[str]:
    with ExitStack() as stack:
        sqlite = request.param == "sqlite"
        yield databases.empty_sqlite() if sqlite else stack.enter_context(databases.empty_postgresql())


@pytest.fixture
def next_release(tmp_path: Path) -> Path:
    """The migrations that the release after this one adds."""
    (tmp_path / "9001_later.py").write_text(LATER.format(newest=newest()))
    return tmp_path


def state(url: str) -> SchemaState:
    with connected(url) as connection:
        return state_of(connection)


def test_the_migrations_make_the_tables_of_the_code(database_url: str) -> None:
    migrate(database_url)
    with connected(database_url) as connection:
        assert state_of(connection) is SchemaState.SERVED
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_what_alembic_has_not_brought_up_to_date_is_older(databases: Databases) -> None:
    url = databases.empty_sqlite()
    assert state(url) is SchemaState.OLDER
    migrate(url, "0003")
    assert state(url) is SchemaState.OLDER
    migrate(url)
    assert state(url) is SchemaState.SERVED


def test_the_newest_is_alembics_head() -> None:
    assert newest() == ScriptDirectory(FOLDER).get_current_head()
    assert SERVES_FROM in REVISIONS
    assert sorted(REVISIONS) == REVISIONS, "a version compares revisions by their numbers"


def shape(url: str) -> dict[str, dict[str, Any]]:
    """Each table with what would trouble a process of the release before, were it changed."""
    with connected(url) as connection:
        seen = inspect(connection)
        tables = seen.get_table_names()
        columns, keys, indexes = seen.get_multi_columns(), seen.get_multi_pk_constraint(), seen.get_multi_indexes()
        rules = (
            seen.get_multi_unique_constraints(),
            seen.get_multi_foreign_keys(),
            seen.get_multi_check_constraints(),
        )
    return {
        table: {
            "columns": {column["name"]: column for column in columns[None, table]},
            "key": keys[None, table]["constrained_columns"],
            "indexes": {index["name"]: index for index in indexes[None, table]},
            "rules": sorted(repr(sorted(rule.items(), key=str)) for kind in rules for rule in kind[None, table]),
        }
        for table in tables
    }


@contextmanager
def statements_seen() -> Iterator[list[str]]:
    """Every statement that is executed meanwhile."""
    seen: list[str] = []

    def see(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        seen.append(statement)

    event.listen(Engine, "before_cursor_execute", see)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", see)


def test_every_migration_only_adds(empty_url: str) -> None:
    """Tables, nullable columns and plain indexes: what a process of the release before does not know, it can ignore.

    On PostgreSQL an index of a table that is there is built beside those who write to it.
    """
    migrate(empty_url, IN_ONE)
    before = shape(empty_url)
    for revision in REVISIONS[REVISIONS.index(IN_ONE) + 1 :]:
        with statements_seen() as seen:
            migrate(empty_url, revision)
        after = shape(empty_url)
        if empty_url.startswith("postgresql"):
            built = re.findall(r"CREATE (?:UNIQUE )?INDEX (CONCURRENTLY )?.*? ON (\w+)", "\n".join(seen))
            assert {table for beside, table in built if not beside} & before.keys() == set(), revision
        for table, was in before.items():
            now = after.get(table)
            assert now is not None, f"{revision} drops {table}"
            for name, column in was["columns"].items():
                kept = now["columns"].get(name)
                assert kept is not None, f"{revision} drops {table}.{name}"
                assert (str(kept["type"]), kept["nullable"]) == (str(column["type"]), column["nullable"]), (
                    f"{revision} changes {table}.{name}"
                )
            for name in now["columns"].keys() - was["columns"].keys():
                added = now["columns"][name]
                assert added["nullable"] or added["default"] is not None, f"{revision}: {table}.{name} must be nullable"
            assert now["key"] == was["key"], f"{revision} changes the key of {table}"
            assert now["rules"] == was["rules"], f"{revision} adds a rule to {table} that older code does not keep"
            for name in now["indexes"].keys() - was["indexes"].keys():
                assert not now["indexes"][name]["unique"], f"{revision}: {name} is a rule that older code does not keep"
        before = after


async def test_the_next_releases_schema_is_worked_on_and_the_one_after_refused(
    empty_url: str, next_release: Path
) -> None:
    migrate(empty_url)
    migrate(empty_url, more_versions=next_release, serves_from=newest())
    assert state(empty_url) is SchemaState.SERVED
    assert migrate(empty_url) == {}, "the former release's own command leaves it as it is"
    with opened(empty_url, SetClock()) as transactions:
        await transactions.require_current_schema()
        assert await transactions.write(lambda tx: tx.records.append(RecordEntry("test.done", NOON, "gateway")))
    for said in ("UPDATE schema_compatibility SET serves_from = '9000'", "DELETE FROM schema_compatibility"):
        with connected(empty_url) as connection, connection.begin():
            connection.execute(text(said))
        assert state(empty_url) is SchemaState.NEWER
        with pytest.raises(Overloaded, match=r"record\.schema_newer"):
            migrate(empty_url)
        with opened(empty_url, SetClock()) as transactions, pytest.raises(Overloaded, match=r"record\.schema_newer"):
            await transactions.require_current_schema()


def test_the_schema_says_that_it_serves_the_release_before(database_url: str) -> None:
    with connected(database_url) as connection:
        told = dict(map(tuple, connection.execute(text("SELECT revision, serves_from FROM schema_compatibility"))))
    assert told[newest()] == SERVES_FROM
    assert set(told) == {revision for revision in REVISIONS if revision > SERVES_FROM}
