"""The migrations make exactly the tables that the code speaks of; running them again is harmless."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine

from adapters.storage import unit_of_work  # noqa: F401  (imports every room's tables into the metadata)
from adapters.storage.engine import normalise_url
from adapters.storage.migrate import is_current, migrate
from adapters.storage.tables import metadata


def test_the_migrations_make_the_tables_of_the_code(database_url: str) -> None:
    migrate(database_url)
    engine = create_engine(normalise_url(database_url))
    with engine.connect() as connection:
        assert is_current(connection)
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    engine.dispose()
