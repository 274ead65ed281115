"""What a migration does to a large table while others write to it."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


def create_index_beside_others(name: str, table: str, columns: Sequence[str], where: str | None = None) -> None:
    """Build an index, on PostgreSQL without keeping anybody from writing (``CREATE INDEX CONCURRENTLY``).

    What the revision did before is committed by it; so it comes first, and may be run again: what an attempt that was
    cut off left invalid is dropped. It waits for transactions that began before, as long as they take.
    """
    condition = None if where is None else sa.text(where)
    if op.get_bind().dialect.name != "postgresql":
        op.create_index(name, table, list(columns), sqlite_where=condition)
        return
    with op.get_context().autocommit_block():
        waits = op.get_bind().execute(sa.text("SHOW lock_timeout")).scalar_one()
        op.execute("SET lock_timeout = 0")
        op.drop_index(name, table, if_exists=True, postgresql_concurrently=True)
        op.create_index(name, table, list(columns), postgresql_where=condition, postgresql_concurrently=True)
        op.execute(f"SET lock_timeout = '{waits}'")
