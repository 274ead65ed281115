"""The hot paths by their ids, each measured on a stand of its own database, and audited when the load is over."""

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.bench.hot.gateways import Gateways
from tests.bench.hot.ground import Ground, HotPath, Wanted
from tests.bench.hot.intake import IntakePath
from tests.bench.hot.live import LivePath
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
    "3": ProgressPath("progress page"),
    "4": IntakePath("intake: begun, shown, confirmed"),
}
"""By path id, in the order in which they are measured. A further path is one line here."""


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
            "open_loop": [each.to_json() for each in seen.arrivals],
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
        ground = Ground(stand, Gateways(stand, http), http, database, lambda: make(database), wanted, say)
        for path in wanted.paths:
            for connections in wanted.connections:
                measured = await PATHS[path].measure(ground, connections)
                results.append(Result(path, database, measured))
                say(f"{database}: {path} {measured.comparison}")
                say(
                    f"    {connections} connections: {measured.wall:,.0f}/s against {measured.limit_wall:,.0f}/s, "
                    f"p50 {measured.p50_ms:.1f} ms, p99 {measured.p99_ms:.1f} ms, {measured.resident_mb:.0f} MB"
                )
                for each in measured.arrivals:
                    say(
                        f"    {each.share:.0%} of it, {each.per_s:,.0f}/s arriving: "
                        f"p50 {each.p50_ms:.1f} ms, p99 {each.p99_ms:.1f} ms"
                    )
        await stand.processes.run_gateway(stand.province.environment, "audit")
        say(f"{database}: as many entries as answers; the record is whole")
    return results


def write(path: Path, results: Sequence[Result]) -> None:
    """``build/bench.json``: path id to its figures, one for each database and number of connections."""
    told: dict[str, list[dict[str, object]]] = {}
    for result in results:
        told.setdefault(result.path, []).append(result.to_json())
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(told, indent=1) + "\n", "utf-8")
