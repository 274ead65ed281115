"""Fills a migrated database with a province of a given size."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection, insert, text

from adapters.storage.deliveries import outbox_counters
from adapters.storage.destinations import delivery_destinations
from adapters.storage.engine import create_database_engine
from gateway.records.entries import RecordEntry
from tests.bench.growth.ballast import add_ballast, of_copy
from tests.bench.growth.bulk import Bulk
from tests.bench.growth.province import DISABLED, NOW, YEARS, Province
from tests.bench.growth.record import LOG_ID, BulkRecord
from tests.bench.growth.rows import Rows, Written, entry_of

GROUPS_AT_ONCE = 50
"""In one transaction: a thousand applications."""


@dataclass(frozen=True)
class Filled:
    """How many rows of all tables there are, and how many bytes the database has."""

    rows: int
    size: int


def fill(url: str, province: Province, tell: Callable[[str], None]) -> Filled:
    """Of a migrated, empty database. Its planner knows what it holds afterwards, as autovacuum would see to."""
    engine = create_database_engine(url, pool_size=1)
    try:
        with engine.connect() as connection:
            if connection.dialect.name == "sqlite":
                _careless(connection)
            bulk = Bulk(connection)
            _fill(connection, bulk, province, tell)
            copied = add_ballast(connection, province.copies, tell) if province.copies > 1 else 0
            _settle(connection)
            return Filled(bulk.rows + copied, size_of(connection))
    finally:
        engine.dispose()


def _fill(connection: Connection, bulk: Bulk, province: Province, tell: Callable[[str], None]) -> None:
    rows = Rows(province.copies)
    with connection.begin():
        bulk.begin()
        record = BulkRecord(bulk, connection, NOW - YEARS)
        receiver = {"code": DISABLED, "failing_since": NOW, "failing_for_s": 0.0, "disabled_at": NOW}
        connection.execute(insert(delivery_destinations).values(receiver))
    for first in range(0, province.groups, GROUPS_AT_ONCE):
        numbers = range(first, min(first + GROUPS_AT_ONCE, province.groups))
        with connection.begin():
            bulk.begin()
            _write(bulk, record, rows, province, numbers)
        if not first // GROUPS_AT_ONCE % 50:
            tell(f"  {record.size} of {province.entries} entries")
    with connection.begin():
        bulk.begin()
        while record.size < province.entries:  # what the gateway does by itself is about no application
            record.append(RecordEntry("retention.purged", NOW, "gateway", facts={"count": 1}))
        record.finish(NOW)
        counters = [{"destination": code, "subject": "", "last": last} for code, last in rows.positions.items()]
        bulk.write(outbox_counters, counters)


def _write(bulk: Bulk, record: BulkRecord, rows: Rows, province: Province, numbers: range) -> None:
    made: Written = {}
    for number in numbers:
        for step, group in province.entries_at(number):
            for application_id in group.names:
                for copy in range(province.copies):
                    record.append(entry_of(group, of_copy(application_id, copy), step))
        own = province.group(number)
        written = rows.of(own, province.told(own), LOG_ID)
        for sequence, group, at in province.events_at(number):
            rows.event(written, group, sequence, at)
        for table, some in written.items():
            made.setdefault(table, []).extend(some)
    for table, some in made.items():
        bulk.write(table, some)
    record.flush()


def _careless(connection: Connection) -> None:
    """Nothing of a database that is being filled is worth a flush."""
    driver = connection.connection.driver_connection
    assert driver is not None
    for pragma in ("foreign_keys=OFF", "synchronous=OFF", "cache_size=-200000"):
        driver.execute(f"PRAGMA {pragma}").close()


def _settle(connection: Connection) -> None:
    driver = connection.connection.driver_connection
    assert driver is not None
    if connection.dialect.name == "sqlite":
        driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").close()
        return
    driver.autocommit = True
    driver.execute("VACUUM ANALYZE")
    driver.autocommit = False


def size_of(connection: Connection) -> int:
    """Bytes of the whole database."""
    sqlite = connection.dialect.name == "sqlite"
    asked = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
    query = text(asked if sqlite else "SELECT pg_database_size(current_database())")
    with connection.begin():
        return int(connection.execute(query).scalar_one())


LATER = NOW + timedelta(minutes=1)
"""When things are measured."""
