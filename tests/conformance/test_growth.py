"""What pages and background passes look at stays the same while a province grows sixfold; on both databases.

Rows that are looked at are counted (on SQLite steps of its machine), and no time. The plans are those of large tables:
PostgreSQL is kept from reading a table from end to end merely because it is small.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection

from adapters.storage import certificates
from adapters.storage.engine import create_database_engine
from tests.bench.growth import run
from tests.bench.growth.asked import GROW, PAGES, PASSES
from tests.bench.growth.fill import fill
from tests.bench.growth.hot import Hot
from tests.bench.growth.meter import Meter
from tests.bench.growth.province import Province, holder_code
from tests.bench.growth.rows import KINDS
from tests.support.databases import Databases

SMALL, LARGE = Province(4_000), Province(24_000)
FEW = {"sqlite": 6_000, "postgresql": 600}
"""Steps, or rows: fewer than there are applications more, each of which takes several steps to read."""


@contextmanager
def filled(databases: Databases, database: str, province: Province) -> Iterator[str]:
    with ExitStack() as stack:
        sqlite = database == "sqlite"
        url = databases.sqlite() if sqlite else stack.enter_context(databases.postgresql())
        fill(url, province, lambda _: None)
        yield url


@contextmanager
def as_if_large(url: str) -> Iterator[Connection]:
    engine = create_database_engine(url, pool_size=1)
    try:
        with engine.connect() as connection:
            if connection.dialect.name == "postgresql":
                for setting in ("enable_seqscan = off", "plan_cache_mode = force_generic_plan"):
                    connection.exec_driver_sql(f"SET {setting}")
                connection.commit()
            yield connection
    finally:
        engine.dispose()


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_what_is_looked_at_does_not_grow(databases: Databases, database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certificates, "MOST_COUNTED", 100)
    costs: list[dict[str, int]] = []
    for province in (SMALL, LARGE):
        with filled(databases, database, province) as url, as_if_large(url) as connection:
            meter, hot = Meter(connection), Hot(url, province)
            found = {name: meter.cost_of(ask, rounds=1).looked_at for name, ask in (PAGES | PASSES).items()}
            copy = meter.cost_of(lambda tx: tx.certificate_copies.latest(KINDS[0], holder_code(0)), rounds=1)
            costs.append(found | {"claim": hot.claim(meter).looked_at, "copy": copy.looked_at})
    assert LARGE.applications - SMALL.applications > 3 * FEW["postgresql"]
    small, large = costs
    grown = {name: (small[name], large[name]) for name in small if large[name] - small[name] > FEW[database]}
    assert {name: cost for name, cost in grown.items() if name not in GROW} == {}


async def test_a_filled_record_proves_and_is_whole(database_url: str) -> None:
    province = Province(3_000)
    fill(database_url, province, lambda _: None)
    hot = Hot(database_url, province)
    spent = await hot.measured()
    assert set(spent) == {"append", "inclusion proof", "consistency proof", "copy fetched", "progress"}
    assert min(each.own_us for each in spent.values()) > 0
    entries, _ = hot.audited()
    assert entries > province.entries, "what the shipped writer appended follows"


def test_figures_of_other_sizes_stay_in_the_file(tmp_path: Path, databases: Databases) -> None:
    url, province = databases.sqlite(), Province(2_400)
    fill(url, province, lambda _: None)
    found = run.measured(url, "sqlite", province)
    file = tmp_path / "growth.json"
    for entries in (1, 2, 2):
        run.write(file, [run.Grown(**{**found.__dict__, "entries": entries})])
    assert file.read_text().count('"entries"') == 2
    assert run.table([found]).count("\n") == len(found.asked) + 5
