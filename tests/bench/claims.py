"""``python -m tests.bench.claims [ROWS]``: what a claim costs beside receivers that nothing is sent to, or hardly.

Beside one receiver that works lie ``ROWS`` events of another that is disabled, has no room, or whose applications each
wait for the next attempt at their oldest event. Milliseconds of the claims of a pass, without the commit; the same
claims again and again, because each is rolled back. On a SQLite file, and on PostgreSQL at ``BANDIAN_TEST_POSTGRES``.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, insert, text

from adapters.storage.deliveries import outbox
from adapters.storage.engine import create_database_engine
from adapters.storage.outbox import ReadOnlyOutbox
from adapters.storage.records import ReadOnlyRecords
from adapters.storage.sealed import seal_values
from adapters.storage.statements import Statements
from adapters.storage.unit_of_work import SqlUnitOfWork
from gateway.delivery.destinations import untried
from gateway.delivery.ports import ClaimedDelivery, ClaimRoom, DeliveryState, Settlement
from tests.support.databases import Databases
from tests.support.storage import AT_REST, NOON

LIVE, OTHER = "csg-guangzhou", "csg-down"
LIVE_EVENTS, EVENTS_EACH = 100, 20
"""For the receiver that works, and of each application."""
ROUNDS = 15
LEASE = timedelta(seconds=30)
OPEN, FULL = ClaimRoom(64, 16), ClaimRoom(64, 16, {OTHER: 0})


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.claims", description=__doc__)
    parser.add_argument("rows", nargs="?", type=int, default=200_000)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as directory, ExitStack() as opened:
        databases = Databases(Path(directory))
        opened.callback(databases.close)
        for name, url in (("sqlite", databases.sqlite()), ("postgresql", opened.enter_context(databases.postgresql()))):
            for case, (median, most, claimed) in measured(url, rows):
                print(f"{name}: {case}: {median:.1f} ms, at most {most:.1f} ms ({claimed} claimed)", flush=True)


def measured(url: str, rows: int) -> Iterator[tuple[str, tuple[float, float, int]]]:
    """Each case with the median and the longest time of a claim in milliseconds, and how many events it took."""
    engine = create_database_engine(url, pool_size=1)
    with engine.connect() as connection:
        yield "nothing due", _claims(connection, OPEN)
        _append(connection, LIVE, LIVE_EVENTS, NOON - timedelta(seconds=1))
        yield "alone", _claims(connection, OPEN)
        _append(connection, OTHER, rows, NOON - timedelta(days=1))
        yield "beside one without room", _claims(connection, FULL)
        _disable(connection)
        yield "beside one that is disabled", _claims(connection, OPEN)
        _enable(connection)
        _let_every_application_wait(connection)
        yield "behind oldest events that wait", _claims(connection, OPEN)
    engine.dispose()


def _disable(connection: Connection) -> None:
    with connection.begin():
        unit = _unit(connection)
        unit.destinations.put(replace(untried(OTHER).failed(NOON, "webhook.timeout"), disabled_at=NOON))


def _enable(connection: Connection) -> None:
    with connection.begin():
        _unit(connection).destinations.enable(OTHER)


def _let_every_application_wait(connection: Connection) -> None:
    """Each oldest event of the other receiver was declined, and is tried again in five minutes."""
    while True:
        with connection.begin():
            deliveries = _unit(connection).deliveries
            claims = deliveries.claim("relay", NOON, NOON + LEASE, ClaimRoom(2000, 2000, {LIVE: 0}))
            if not claims:
                break
            deliveries.settle("relay", *(_declined(each) for each in claims))
    _analyse(connection)


def _declined(claim: ClaimedDelivery) -> Settlement:
    state, again_at = DeliveryState.PENDING, NOON + timedelta(minutes=5)
    return Settlement(
        claim.event.event_id, claim.attempt, NOON, NOON, state, "webhook.status_400", next_attempt_at=again_at
    )


def _claims(connection: Connection, room: ClaimRoom) -> tuple[float, float, int]:
    took, claimed = [], 0
    for _ in range(ROUNDS):
        transaction = connection.begin()
        began = time.perf_counter()
        claimed = len(_unit(connection).deliveries.claim("relay", NOON, NOON + LEASE, room))
        took.append((time.perf_counter() - began) * 1000)
        transaction.rollback()
    return statistics.median(took), max(took), claimed


def _unit(connection: Connection) -> SqlUnitOfWork:
    return SqlUnitOfWork(Statements(connection, AT_REST, savepoint=False), ReadOnlyRecords(), ReadOnlyOutbox())


def _append(connection: Connection, destination: str, count: int, at: datetime) -> None:
    with connection.begin():
        for first in range(1, count + 1, 10_000):
            numbers = range(first, min(first + 10_000, count + 1))
            connection.execute(insert(outbox), [_row(destination, number, at) for number in numbers])
    _analyse(connection)


def _analyse(connection: Connection) -> None:
    """As PostgreSQL's autovacuum would; on SQLite nobody does."""
    if connection.dialect.name == "postgresql":
        with connection.begin():
            connection.execute(text("ANALYZE"))


def _row(destination: str, position: int, at: datetime) -> dict[str, Any]:
    application, sequence = divmod(position - 1, EVENTS_EACH)
    event_id, moment = f"evt_{destination}_{position}", at + timedelta(milliseconds=position)
    row = {
        "event_id": event_id,
        "destination": destination,
        "position": position,
        "subject": f"app_{application}",
        "sequence": sequence + 1,
        "channel": "webhook",
        "type": "test",
        "at": moment,
        "data": {"said": "x" * 600},
        "state": "pending",
        "attempts": 0,
        "next_attempt_at": moment,
        "scheduled_at": moment,
        "tried_for_s": 0.0,
    }
    return seal_values(AT_REST.sealer, outbox, row, {})


if __name__ == "__main__":
    main()
