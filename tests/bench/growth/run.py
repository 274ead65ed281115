"""``python -m tests.bench growth``: the same questions at each size, as a table and as figures in a file."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from adapters.storage.engine import create_database_engine
from tests.bench.growth.asked import PAGES, PASSES
from tests.bench.growth.fill import fill, size_of
from tests.bench.growth.hot import Hot, Spent
from tests.bench.growth.meter import Cost, Meter
from tests.bench.growth.province import Province
from tests.support.databases import Databases

Tell = Callable[[str], None]
SIZES: Final = (10_000, 100_000, 1_000_000)
MOST_ORIGINALS: Final = 1_000_000
"""Entries of a province without copies: beyond, PostgreSQL makes the rest of the rows itself."""
AUDITED_AT_MOST: Final = 10_000_000


@dataclass(frozen=True)
class Grown:
    """What one database answered. ``asked`` is what pages and passes cost, ``hot`` what the roads do."""

    database: str
    entries: int
    applications: int
    size: int
    hot: dict[str, Spent]
    claim: Cost
    anchor_ms: float
    audit_us: float
    asked: dict[str, Cost] = field(default_factory=dict)


def province_of(entries: int, database: str) -> Province:
    """The province of that size."""
    copies = max(entries // MOST_ORIGINALS, 1) if database == "postgresql" else 1
    return Province(entries, copies)


def measure(directory: Path, sizes: Sequence[int], databases: Sequence[str], tell: Tell) -> Iterator[Grown]:
    """At each size on each database, which is made for it and dropped afterwards."""
    made = Databases(directory)
    try:
        for entries in sizes:
            for database in databases:
                with _database(made, database) as url:
                    province = province_of(entries, database)
                    tell(f"{database}, {entries} entries")
                    fill(url, province, tell)
                    yield measured(url, database, province)
    finally:
        made.close()


def measured(url: str, database: str, province: Province) -> Grown:
    """What a filled database answers; the record is whole afterwards too."""
    hot = Hot(url, province)
    engine = create_database_engine(url, pool_size=1)
    try:
        with engine.connect() as connection:
            size, meter = size_of(connection), Meter(connection)
            asked = {name: meter.cost_of(ask) for name, ask in (PAGES | PASSES).items()}
            claim = hot.claim(meter)
    finally:
        engine.dispose()
    roads, anchor_ms = hot.all(), hot.anchor()
    _, audit_us = hot.audited()
    own = province.applications * province.copies
    return Grown(database, province.entries, own, size, roads, claim, anchor_ms, audit_us, asked)


@contextmanager
def _database(made: Databases, database: str) -> Iterator[str]:
    if database == "postgresql":
        with made.postgresql() as url:
            yield url
        return
    url = made.sqlite()
    yield url
    Path(url.removeprefix("sqlite:///")).unlink()


def table(found: Sequence[Grown]) -> str:
    """A Markdown table of the roads, and one of what pages and passes look at."""
    heads = ["database", "entries", "bytes an entry", *found[0].hot, "claim, ms", "anchor, ms", "audit"]
    lines = [_row(heads), _row(["---"] * len(heads))]
    for each in found:
        spent = [_spent(one) for one in each.hot.values()]
        own = [each.database, f"{each.entries:,}", f"{each.size / each.entries:,.0f}", *spent]
        lines.append(_row([*own, f"{each.claim.ms:.1f}", f"{each.anchor_ms:.0f}", f"{each.audit_us:.0f}"]))
    heads = ["asked", *(f"{each.database} {each.entries:,}" for each in found)]
    lines += ["", _row(heads), _row(["---"] * len(heads))]
    for name in found[0].asked:
        costs = [each.asked[name] for each in found]
        lines.append(_row([name, *(f"{cost.looked_at:,} · {cost.ms:.1f} ms" for cost in costs)]))
    return "\n".join(lines)


def write(path: Path, found: Sequence[Grown]) -> None:
    """All figures; those of other sizes and databases that are there stay."""
    known: list[dict[str, Any]] = json.loads(path.read_text()) if path.exists() else []
    new = [asdict(each) for each in found]
    own = {(each["database"], each["entries"]) for each in new}
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = [each for each in known if (each["database"], each["entries"]) not in own]
    merged = sorted(kept + new, key=lambda each: (each["database"], each["entries"]))
    path.write_text(json.dumps(merged, indent=1, ensure_ascii=False) + "\n")


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _spent(one: Spent) -> str:
    database = f" + {one.database_us:,.0f}" if one.database_us else ""
    return f"{one.own_us:,.0f}{database}"
