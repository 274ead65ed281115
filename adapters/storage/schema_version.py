"""Which schema a database has, told without Alembic: every process asks at its start, and few ever migrate.

For the length of one release, old and new processes may run on the new schema: migrations only add, and the migrated
database says from which revision on a release's code can work with it (``schema_compatibility``).
"""

from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Final

from sqlalchemy import Column, Connection, Table, Text, column, inspect, select, table
from sqlalchemy.dialects import postgresql, sqlite

from adapters.storage.tables import metadata

SERVES_FROM: Final = "0004"
"""The last revision of the release before this one: its code, and any later, can work on this schema."""

_VERSION = table("alembic_version", column("version_num"))

schema_compatibility = Table(
    "schema_compatibility",
    metadata,
    Column("revision", Text, primary_key=True),
    Column("serves_from", Text, nullable=False),
)


class SchemaState(StrEnum):
    """What this version can do with a database."""

    SERVED = "served"
    """Its own schema, or that of the next release, which leaves room for it."""
    OLDER = "older"
    """To be migrated first; also a database without any schema."""
    NEWER = "newer"
    """Made by a version that this one cannot work beside."""


def state_of(connection: Connection) -> SchemaState:
    """Whether this version can work on the schema that is there."""
    if not inspect(connection).has_table(_VERSION.name):
        return SchemaState.OLDER
    found = [str(number) for (number,) in connection.execute(select(_VERSION.c.version_num))]
    if found == [newest()]:
        return SchemaState.SERVED
    if len(found) != 1 or found[0] < newest():
        return SchemaState.OLDER
    said = select(schema_compatibility.c.serves_from).where(schema_compatibility.c.revision == found[0])
    serves_from = connection.execute(said).scalar_one_or_none()
    return SchemaState.SERVED if serves_from is not None and serves_from <= newest() else SchemaState.NEWER


def revision_of(connection: Connection) -> str | None:
    """The revision that the database has; None where nothing was ever migrated."""
    if not inspect(connection).has_table(_VERSION.name):
        return None
    found: str | None = connection.execute(select(_VERSION.c.version_num)).scalar()
    return found


def tell_compatibility(connection: Connection, revisions: list[str], serves_from: str = SERVES_FROM) -> None:
    """Write that each of ``revisions`` serves code from ``serves_from`` on.

    It is told before the schema changes, so that no process of the release before meets a schema that says nothing.
    """
    if not revisions or not inspect(connection).has_table(schema_compatibility.name):
        return
    dialect_insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    rows = [{"revision": revision, "serves_from": serves_from} for revision in revisions]
    told = dialect_insert(schema_compatibility).values(rows)
    connection.execute(
        told.on_conflict_do_update(
            index_elements=[schema_compatibility.c.revision], set_={"serves_from": told.excluded.serves_from}
        )
    )


@cache
def newest() -> str:
    """The last migration's number: their files begin with it, each one higher than the last."""
    versions = Path(__file__).parent / "migrations" / "versions"
    return max(path.name for path in versions.glob("[0-9]*.py")).partition("_")[0]
