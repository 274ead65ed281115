"""The hot paths by their ids, each measured on a stand of its own database, and audited when the load is over."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.bench.hot import memory, processes
from tests.bench.hot.gateways import Gateways
from tests.bench.hot.ground import Ground, HotPath, Wanted
from tests.bench.hot.intake import IntakePath
from tests.bench.hot.live import LivePath
from tests.bench.hot.outcomes import OutcomePath
from tests.bench.hot.progress import ProgressPath
from tests.bench.hot.slices import Measured
from tests.bench.hot.stand import standing
from tests.bench.hot.verified import LicencePath
from tests.support.databases import Databases

DATABASES = ("sqlite", "postgresql")
PATHS: dict[str, HotPath] = {
    "1a": LicencePath("verified licence, token and proof verified, copy at hand", fresh_tokens=True),
    "1b": LicencePath("verified licence, proof verified, token known, copy at hand"),
    "1c": LivePath("verified licence, fetched from its source"),
    "1d": LivePath("verified licence, fetched from its source, SM2 seals", sm2=True),
    "2": OutcomePath(),
    "3": ProgressPath("progress page"),
    "4": IntakePath("intake: begun, shown, confirmed"),
}
"""By path id, in the order in which they are measured: an intake's events would be delivered, and counted, by path 2.

A further path is one line here.
"""
CONNECTIONS = 32
MANY_CONNECTIONS = {"1b": (1, 32, 64, 256)}
"""Where the number of connections is varied too."""


def measure(directory: Path, wanted: Wanted, say: Callable[[str], None]) -> Iterator[dict[str, Any]]:
    """Everything that is wanted, each database's once it is audited, as ``build/bench.json`` holds it.

    Raises ``SpeedBought``.
    """
    for database in wanted.databases:
        try:
            with databases(directory / database) as make:
                yield asyncio.run(_on(directory / database, database, make, wanted, say))
        except pytest.skip.Exception as skipped:
            say(f"{database}: left out, {skipped}")


@contextmanager
def databases(directory: Path) -> Iterator[Callable[[str], str]]:
    """Makes an empty database of a kind in ``DATABASES`` and answers its URL; skips where no server answers."""
    directory.mkdir(parents=True, exist_ok=True)
    made = Databases(directory)
    with ExitStack() as opened:
        opened.callback(made.close)
        yield lambda kind: made.sqlite() if kind == "sqlite" else opened.enter_context(made.postgresql())


async def _on(
    directory: Path, database: str, make: Callable[[str], str], wanted: Wanted, say: Callable[[str], None]
) -> dict[str, list[Any]]:
    told: dict[str, list[Any]] = {}
    stood = standing(directory / "stand", make(database), wanted.applications, forked=wanted.forked)
    async with stood as (stand, http):
        ground = Ground(stand, Gateways(stand, http), http, database, lambda: make(database), wanted, say)
        if wanted.processes and database == "postgresql":
            told["processes"] = [await processes.measure(ground, CONNECTIONS)]
            say(f"{database}: two processes bring {told['processes'][0]['factor']:.2f} times what one does")
        if wanted.memory:
            told["memory"] = [await memory.measure(ground, CONNECTIONS, wanted.memory)]
            say(f"{database}: {told['memory'][0]['mb_per_100k_requests']:+.1f} MB for 100,000 requests more")
        for path in [path for path in PATHS if path in wanted.paths]:
            for connections in wanted.connections.get(path, (CONNECTIONS,)):
                measured = await PATHS[path].measure(ground, connections)
                told.setdefault(path, []).append(figures_of(measured, database))
                _tell(path, database, measured, say)
        await stand.processes.run_gateway(stand.province.environment, "audit")
        say(f"{database}: as many entries as answers; the record is whole")
    return told


def figures_of(measured: Measured, database: str) -> dict[str, Any]:
    """One path on one database, as ``build/bench.json`` holds it."""
    compared = measured.comparison
    return {
        "database": database,
        "connections": measured.connections,
        "ratio": round(compared.ratio, 4),
        "low": round(compared.low, 4),
        "high": round(compared.high, 4),
        "gateway_per_cpu_s": round(compared.subject_rate, 1),
        "limit_per_cpu_s": round(compared.reference_rate, 1),
        "limit_spread": round(compared.spread, 4),
        "valid": compared.spread <= 0.15,
        "gateway_per_s": round(measured.wall, 1),
        "limit_per_s": round(measured.limit_wall, 1),
        "p50_ms": round(measured.p50_ms, 2),
        "p99_ms": round(measured.p99_ms, 2),
        "resident_mb": round(measured.resident_mb, 1),
        "open_loop": [each.to_json() for each in measured.arrivals],
    }


def _tell(path: str, database: str, measured: Measured, say: Callable[[str], None]) -> None:
    say(f"{database}: {path} {measured.comparison}")
    say(
        f"    {measured.connections} connections: {measured.wall:,.0f}/s against {measured.limit_wall:,.0f}/s, "
        f"p50 {measured.p50_ms:.1f} ms, p99 {measured.p99_ms:.1f} ms, {measured.resident_mb:.0f} MB"
    )
    for each in measured.arrivals:
        latency = f"p50 {each.p50_ms:.1f} ms, p99 {each.p99_ms:.1f} ms"
        say(f"    {each.share:.0%} of it, {each.per_s:,.0f}/s arriving: {latency}")
