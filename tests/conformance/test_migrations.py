"""The migrations make exactly the tables that the code speaks of; running them again is harmless."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from adapters.storage import migrations, unit_of_work  # noqa: F401  (imports every room's tables into the metadata)
from adapters.storage.engine import normalise_url
from adapters.storage.migrate import migrate
from adapters.storage.schema_version import is_current, newest
from adapters.storage.tables import metadata
from tests.support.databases import Databases


def test_the_migrations_make_the_tables_of_the_code(database_url: str) -> None:
    migrate(database_url)
    engine = create_engine(normalise_url(database_url))
    with engine.connect() as connection:
        assert is_current(connection)
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_what_alembic_has_not_brought_up_to_date_is_not_current(databases: Databases) -> None:
    url = databases.empty_sqlite()
    engine = create_engine(normalise_url(url))
    with engine.connect() as connection:
        assert not is_current(connection)
    migrate(url, "0003")
    with engine.connect() as connection:
        assert not is_current(connection)
    migrate(url)
    with engine.connect() as connection:
        assert is_current(connection)
    engine.dispose()


def test_the_newest_is_alembics_head() -> None:
    (folder,) = migrations.__path__
    assert newest() == ScriptDirectory(folder).get_current_head()
