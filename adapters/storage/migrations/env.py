"""Alembic's entry point. ``adapters.storage.migrate`` hands over a connection; there is no ini file."""

from alembic import context

from adapters.storage import unit_of_work  # noqa: F401  (imports every room's tables into the metadata)
from adapters.storage.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    compare_type=True,
    transaction_per_migration=True,
    render_as_batch=context.config.attributes["connection"].dialect.name == "sqlite",
)
with context.begin_transaction():
    context.run_migrations()
