"""The hot paths by their ids, each measured on a stand of its own database, and audited when the load is over."""

import asyncio
import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import orjson
import psycopg
import pytest

from tests.bench.hot import outcomes
from tests.bench.hot.licences import LicenceRequests, claims_of, limit_work, mint
from tests.bench.hot.slices import Measured, Side, compare
from tests.bench.hot.stand import Stand, new_port, standing, with_source_at
from tests.bench.hot.wire import Fleet
from tests.support.databases import Databases

DATABASES = ("sqlite", "postgresql")
PATHS = {
    "1a": "verified licence, token and proof verified, copy at hand",
    "1b": "verified licence, proof verified, token known, copy at hand",
    "2": outcomes.NAME,
}
"""Path id to what is done on it."""
DISCLOSED = "licence.disclosed"


class SpeedBought(Exception):
    """What was answered is not what was recorded: the figures are worth nothing."""


@dataclass(frozen=True)
class Wanted:
    """``seconds`` of CPU in each slice, ``pairs`` of slices, ``connections`` at once, so many ``applications``."""

    paths: Sequence[str]
    databases: Sequence[str]
    connections: Sequence[int]
    seconds: float
    pairs: int
    applications: int


@dataclass(frozen=True)
class Result:
    """One path on one database."""

    path: str
    database: str
    measured: Measured

    def to_json(self) -> dict[str, object]:
        """As ``build/bench.json`` holds it."""
        seen, compared = self.measured, self.measured.comparison
        return {
            "database": self.database,
            "connections": seen.connections,
            "ratio": round(compared.ratio, 4),
            "low": round(compared.low, 4),
            "high": round(compared.high, 4),
            "gateway_per_cpu_s": round(compared.subject_rate, 1),
            "limit_per_cpu_s": round(compared.reference_rate, 1),
            "limit_spread": round(compared.spread, 4),
            "valid": compared.spread <= 0.15,
            "gateway_per_s": round(seen.wall, 1),
            "limit_per_s": round(seen.limit_wall, 1),
            "p50_ms": round(seen.p50_ms, 2),
            "p99_ms": round(seen.p99_ms, 2),
            "resident_mb": round(seen.resident_mb, 1),
        }


def measure(directory: Path, wanted: Wanted, say: Callable[[str], None]) -> list[Result]:
    """Everything that is wanted, database after database. Raises ``SpeedBought``."""
    results: list[Result] = []
    for database in wanted.databases:
        try:
            with _databases(directory / database) as make:
                results += asyncio.run(_on(directory / database, database, make, wanted, say))
        except pytest.skip.Exception as skipped:
            say(f"{database}: left out, {skipped}")
    return results


@contextmanager
def _databases(directory: Path) -> Iterator[Callable[[str], str]]:
    directory.mkdir(parents=True, exist_ok=True)
    databases = Databases(directory)
    with ExitStack() as opened:
        opened.callback(databases.close)
        yield lambda kind: databases.sqlite() if kind == "sqlite" else opened.enter_context(databases.postgresql())


async def _on(
    directory: Path, database: str, make: Callable[[str], str], wanted: Wanted, say: Callable[[str], None]
) -> list[Result]:
    results = []
    async with standing(directory / "stand", make(database), wanted.applications) as (stand, http):
        source = new_port()
        answers = str(stand.directory / "source.json")
        await stand.program(
            "tests.bench.hot.source", "--port", str(source), "--answers", answers, core=stand.other_core
        )
        await stand.start_gateway(http, **with_source_at(stand, source))
        already, answered = recorded(stand.database_url), 0
        for path in wanted.paths:
            for connections in wanted.connections:
                if path == "2":
                    measured, found = await outcomes.measure(
                        stand, http, make(database), connections, seconds=wanted.seconds, pairs=wanted.pairs
                    )
                    say(f"{database}: {found}")
                else:
                    measured, count = await _licences(stand, http, path, make(database), connections, wanted)
                    answered += count
                results.append(Result(path, database, measured))
                say(f"{database}: {measured.comparison}")
                say(
                    f"    {connections} connections: {measured.wall:,.0f}/s against {measured.limit_wall:,.0f}/s, "
                    f"p50 {measured.p50_ms:.1f} ms, p99 {measured.p99_ms:.1f} ms, {measured.resident_mb:.0f} MB"
                )
        require_recorded(stand.database_url, already, answered)
        await _audited(stand)
        say(f"{database}: {answered:,} answers, as many entries; the record is whole")
    return results


async def _licences(
    stand: Stand, http: httpx.AsyncClient, path: str, limit_database: str, connections: int, wanted: Wanted
) -> tuple[Measured, int]:
    minted, granted = await mint(stand, http)
    requests = LicenceRequests(stand, minted, granted, fresh_tokens=path == "1a")
    ours = Side("gateway", stand.pids, Fleet(stand.port, connections), requests.make)
    for _ in range(2):  # the first answers find their copies stale or missing, and fetch them
        sample = await ours.fleet.ask(await requests.make(len(stand.applications)))
        ours.answered += len(stand.applications)
    require_valid(sample.last_body)
    work = stand.directory / f"work-{path}-{connections}.json"
    limit_work(stand, sample.last_body, newest_leaf(stand.database_url), work, cache_tokens=path == "1b")
    port = new_port()
    address = limit_database.removeprefix("sqlite:///")
    arguments = ("--port", str(port), "--work", str(work), "--database", address)
    pid = await stand.program("tests.bench.hot.limit", *arguments, core=stand.core)
    limit = Side("limit", [pid], Fleet(port, connections), requests.make)
    try:
        name = f"{path} {PATHS[path]}"
        measured = await compare(name, ours, limit, connections, seconds=wanted.seconds, pairs=wanted.pairs)
        require_valid((await ours.slice(20))[2])
    finally:
        ours.fleet.close()
        limit.fleet.close()
        await stand.processes.stop_named("tests.bench.hot.limit")
    return measured, ours.answered


async def _audited(stand: Stand) -> None:
    """``bandian audit`` over all that the load left behind."""
    await stand.processes.run_gateway(stand.province.environment, "audit")


def require_valid(answer: bytes) -> None:
    """A valid verdict from a copy at hand, or the figures are of something else. Raises ``SpeedBought``."""
    claims = claims_of(answer)
    if (claims["verdict"], claims["from_copy"]) != ("valid", True):
        raise SpeedBought(f"the verdict is {claims['verdict']}, from a copy: {claims['from_copy']}")


def require_recorded(database_url: str, before: int, answered: int) -> None:
    """As many entries as answers, beyond those of ``before``. Raises ``SpeedBought``."""
    if (entries := recorded(database_url) - before) != answered:
        raise SpeedBought(f"{answered} answers, {entries} entries")


def recorded(database_url: str) -> int:
    """Entries of answers in the record; a refusal is none."""
    return sum(orjson.loads(bytes(leaf))["result"] == "done" for (leaf,) in _leaves(database_url))


def newest_leaf(database_url: str) -> bytes:
    """The bytes of the last such entry."""
    return bytes(_leaves(database_url)[-1][0])


def _leaves(database_url: str) -> list[tuple[Any, ...]]:
    statement = f"SELECT leaf FROM record_entries WHERE action = '{DISCLOSED}' ORDER BY sequence"
    if database_url.startswith("sqlite:///"):
        with closing(sqlite3.connect(database_url.removeprefix("sqlite:///"))) as connection:
            return connection.execute(statement).fetchall()
    with psycopg.connect(database_url) as connection:
        return connection.execute(statement.encode()).fetchall()


def write(path: Path, results: Sequence[Result]) -> None:
    """``build/bench.json``: path id to its figures, one for each database and number of connections."""
    told: dict[str, list[dict[str, object]]] = {}
    for result in results:
        told.setdefault(result.path, []).append(result.to_json())
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(told, indent=1) + "\n", "utf-8")
