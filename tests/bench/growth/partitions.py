"""Would partitions by month help? Stored certificates in one table, as they are, beside the same in thirteen months.

PostgreSQL alone. Both are asked what the gateway's repository asks. The key of the partitioned one has to have the
column in it by which months are told apart, so that it no longer keeps the same copy from being there twice.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psycopg

from tests.bench.hot.machine import cpu_seconds
from tests.support.databases import Databases

SIZES: Final = (1_000_000,)
MONTHS: Final = 13
REMOVED_AT_ONCE: Final = 200
_ENVELOPE: Final = 2200
"""Bytes, about those of a business licence."""
_COLUMNS: Final = "kind, holder_digest, digest, identifier, envelope, source, level, fetched_at"
_MONTH: Final = "timestamptz '2025-12-01 00:00+00' + interval '1 month' * {month}"
_HOLDERS: Final = 200
"""Asked about; of each one copy."""


@dataclass(frozen=True)
class Layout:
    """A table of copies, and how a month goes from it."""

    name: str
    table: str
    forget_month: Callable[["psycopg.Connection[Any]"], None]


@dataclass(frozen=True)
class Cost:
    """Microseconds of one operation: PostgreSQL's own processor, and by the clock."""

    cpu_us: float
    wall_us: float


def measure(directory: Path, copies: int, tell: Callable[[str], None]) -> Mapping[str, Mapping[str, Cost]]:
    """By layout, and what was asked of it. Skips where no server answers."""
    made = Databases(directory)
    found: dict[str, Mapping[str, Cost]] = {}
    try:
        with made.postgresql() as url, psycopg.connect(url, autocommit=True) as connection:
            for layout in _layouts():
                _fill(connection, layout, copies)
                tell(f"{layout.name}: {copies} copies in {MONTHS} months")
                found[layout.name] = _asked(connection, layout, copies)
    finally:
        made.close()
    return found


def table(found: Mapping[str, Mapping[str, Cost]]) -> str:
    """A Markdown table: microseconds of the processor · by the clock."""
    first = next(iter(found.values()))
    lines = [f"| asked | {' | '.join(found)} |", f"| --- |{' --- |' * len(found)}"]
    for name in first:
        costs = (costs[name] for costs in found.values())
        lines.append(f"| {name} | {' | '.join(f'{each.cpu_us:,.0f} · {each.wall_us:,.0f}' for each in costs)} |")
    return "\n".join(lines)


def _layouts() -> tuple[Layout, Layout]:
    return (
        Layout("one table", "certificate_copies", _delete_by_portions),
        Layout("by month", "copies_by_month", _drop_partition),
    )


def _delete_by_portions(connection: "psycopg.Connection[Any]") -> None:
    """As retention does: some rows at once, until nothing is left; then what autovacuum would do."""
    before = _MONTH.format(month=1)
    statement = (
        "DELETE FROM certificate_copies WHERE (kind, holder_digest, digest) IN (SELECT kind, holder_digest, digest FROM"
        f" certificate_copies WHERE kind = 'business_licence' AND fetched_at < {before} LIMIT {REMOVED_AT_ONCE}"
        " FOR UPDATE SKIP LOCKED)"
    )
    while connection.execute(statement.encode()).rowcount:
        pass
    connection.execute("VACUUM certificate_copies")


def _drop_partition(connection: "psycopg.Connection[Any]") -> None:
    connection.execute("DROP TABLE copies_by_month_0")


def _fill(connection: "psycopg.Connection[Any]", layout: Layout, copies: int) -> None:
    if layout.table != "certificate_copies":
        for statement in _partitioned(layout.table):
            connection.execute(statement.encode())
    rows = (
        "SELECT 'business_licence', md5(n::text), md5('copy' || n::text), '\\x00'::bytea,"
        f" decode(repeat(md5(n::text || 'e'), {_ENVELOPE // 16}), 'hex'), 'province', 'national',"
        f" {_MONTH.format(month=f'(n % {MONTHS})')} + interval '1 second' * (n % 2000000)"
        f" FROM generate_series(1, {copies}) n"
    )
    connection.execute(f"INSERT INTO {layout.table} ({_COLUMNS}) {rows}".encode())
    connection.execute(f"VACUUM ANALYZE {layout.table}".encode())


def _partitioned(name: str) -> Iterator[str]:
    yield (
        f"CREATE TABLE {name} (LIKE certificate_copies INCLUDING DEFAULTS,"
        " PRIMARY KEY (kind, holder_digest, digest, fetched_at)) PARTITION BY RANGE (fetched_at)"
    )
    yield f"CREATE INDEX ON {name} (kind, fetched_at)"
    yield f"CREATE INDEX ON {name} (source, kind, fetched_at)"
    for month in range(MONTHS + 1):
        bounds = f"FROM ({_MONTH.format(month=month)}) TO ({_MONTH.format(month=month + 1)})"
        yield f"CREATE TABLE {name}_{month} PARTITION OF {name} FOR VALUES {bounds}"


def _asked(connection: "psycopg.Connection[Any]", layout: Layout, copies: int) -> Mapping[str, Cost]:
    own = layout.table
    of_holder = f"SELECT * FROM {own} WHERE kind = 'business_licence' AND holder_digest = md5(%s::text)"
    versions = (
        "SELECT kind, holder_digest, fetched_at, digest FROM unnest(%s::text[], %s::text[]) AS wanted (kind,"
        f" holder_digest) JOIN {own} USING (kind, holder_digest) ORDER BY kind, holder_digest, digest"
    )
    again = (
        f"UPDATE {own} SET fetched_at = {_MONTH.format(month=MONTHS)} WHERE kind = 'business_licence'"
        " AND holder_digest = md5(%s::text) AND digest = md5('copy' || %s::text)"
    )
    numbers = [1 + each * (copies // _HOLDERS) for each in range(_HOLDERS)]
    digests = [str(row[0]) for row in connection.execute("SELECT md5(unnest(%s::int[])::text)", [numbers])]
    batches = [digests[first : first + 32] for first in range(0, len(digests), 32)]
    found = {
        "a holder's copies": _cost(connection, of_holder, [(number,) for number in numbers]),
        "versions of 32 holders": _cost(connection, versions, [(["business_licence"] * len(b), b) for b in batches]),
        "a copy fetched anew": _cost(connection, again, [(number, number) for number in numbers]),
    }
    first = f"SELECT 1 FROM {own} WHERE fetched_at < {_MONTH.format(month=1)} LIMIT 1".encode()
    assert connection.execute(first).rowcount
    with _measured(connection) as spent:
        layout.forget_month(connection)
    assert not connection.execute(first).rowcount
    return {**found, "a month goes": spent[0]}


def _cost(connection: "psycopg.Connection[Any]", statement: str, each: Sequence[Sequence[Any]]) -> Cost:
    for parameters in each[:8]:  # prepared from the sixth time on, as the gateway's are
        connection.execute(statement.encode(), parameters)
    with _measured(connection) as spent:
        for parameters in each:
            assert connection.execute(statement.encode(), parameters).rowcount
    (whole,) = spent
    return Cost(whole.cpu_us / len(each), whole.wall_us / len(each))


@contextmanager
def _measured(connection: "psycopg.Connection[Any]") -> Iterator[list[Cost]]:
    """Holds one cost afterwards."""
    spent: list[Cost] = []
    pid, began = connection.info.backend_pid, time.perf_counter()
    before = cpu_seconds([pid])
    yield spent
    spent.append(Cost(1e6 * (cpu_seconds([pid]) - before), 1e6 * (time.perf_counter() - began)))
