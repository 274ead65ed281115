"""Which schema a database has, told without Alembic: every process asks at its start, and few ever migrate."""

from functools import cache
from pathlib import Path

from sqlalchemy import Connection, column, inspect, select, table

_VERSION = table("alembic_version", column("version_num"))


def is_current(connection: Connection) -> bool:
    """Whether the schema is the one this version was written for."""
    if not inspect(connection).has_table(_VERSION.name):
        return False
    return [number for (number,) in connection.execute(select(_VERSION.c.version_num))] == [newest()]


@cache
def newest() -> str:
    """The last migration's number: their files begin with it, each one higher than the last."""
    versions = Path(__file__).parent / "migrations" / "versions"
    return max(path.name for path in versions.glob("[0-9]*.py")).partition("_")[0]
