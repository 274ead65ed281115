"""The utility's side of reconciliation: when it compares, its Merkle root, and a gateway that contradicts itself."""

import hashlib
import sqlite3
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from gateway.records import merkle
from mock_services.utility.client import GatewayUnavailable
from mock_services.utility.ledger import Ledger
from mock_services.utility.reconciliation import Contradiction, Reconciler, leaf_hash, merkle_root
from mock_services.utility.store import Store
from schemas.reconciliation import DayEventPage, DayEventView, DaySummary, ReportRequest

NIGHT = datetime(2026, 3, 2, 16, 10, tzinfo=UTC)
"""Ten past midnight in China: Monday is over."""
MONDAY = date(2026, 3, 2)


class Gateway:
    """Days without events, but for what a test sets."""

    def __init__(self) -> None:
        self.asked: list[date] = []
        self.down = False
        self.root = merkle.EMPTY_ROOT.hex()
        self.events: list[DayEventView] = []

    async def reconciliation(self, day: date) -> DaySummary:
        if self.down:
            raise GatewayUnavailable("away")
        self.asked.append(day)
        count = len(self.events)
        return DaySummary(
            day=day,
            closed=True,
            count=count,
            first_position=1,
            last_position=count,
            applications=count,
            root=self.root,
        )

    async def day_events(self, day: date, after: int) -> DayEventPage:
        return DayEventPage(day=day, events=self.events, cursor=len(self.events), more=False)

    async def report_reconciliation(self, report: ReportRequest) -> None:
        return None


@pytest.fixture
def made(tmp_path: Any) -> Any:
    store = Store(tmp_path / "utility.sqlite3")
    now = [NIGHT]
    reconciler = Reconciler(Gateway(), Ledger(store.connection), lambda: now[0], 0.1)  # type: ignore[arg-type]
    yield reconciler, now
    store.close()


@pytest.mark.parametrize("size", [0, 1, 2, 3, 5, 6, 7, 8, 13, 64, 100])
def test_the_root_is_the_gateways(size: int) -> None:
    hashes = [leaf_hash(b"%d" % number) for number in range(size)]
    assert merkle_root(hashes) == merkle.root(hashes)


async def test_each_night_the_day_before_is_compared_once_and_what_was_missed_is_made_up_for(made: Any) -> None:
    reconciler, now = made
    gateway = reconciler.client
    reconciler.ledger.compared(MONDAY - timedelta(days=1), now[0], None)
    now[0] = NIGHT - timedelta(seconds=1)
    assert await reconciler.catch_up() == [], "not before ten past: late commits are still coming"
    now[0] = NIGHT
    assert await reconciler.catch_up() == [MONDAY]
    assert await reconciler.catch_up() == []
    now[0] = NIGHT + timedelta(days=3)
    gateway.down = True
    with pytest.raises(GatewayUnavailable):
        await reconciler.catch_up()
    gateway.down = False
    missed = [MONDAY + timedelta(days=number) for number in (1, 2, 3)]
    assert await reconciler.catch_up() == missed
    assert gateway.asked == [MONDAY, *missed]


async def test_a_list_that_is_not_what_the_gateway_signed_heals_nothing(made: Any) -> None:
    reconciler, _ = made
    gateway = reconciler.client
    event = {"event_id": "evt_1", "subject": "app_1", "sequence": 1, "type": "t", "state": "delivered"}
    gateway.events = [DayEventView(position=1, body_sha256="0" * 64, erased=False, **event)]
    gateway.root = hashlib.sha256(b"another list").hexdigest()
    with pytest.raises(Contradiction):
        await reconciler.compare(MONDAY)
    assert reconciler.ledger.reports() == []


def test_the_ledger_reads_a_body_that_is_no_json_any_more(made: Any) -> None:
    reconciler, _ = made
    database: sqlite3.Connection = reconciler.ledger._database
    database.execute(
        "INSERT INTO events (event_id, application_id, sequence, type, received_at, body_sha256, body)"
        " VALUES ('evt_1', 'app_1', 1, 't', '2026-03-02T04:00:00.000Z', 'kept', x'00ff')"
    )
    (held,) = reconciler.ledger.held()
    assert (held.position, held.on, held.body_sha256) == (None, MONDAY, hashlib.sha256(b"\x00\xff").hexdigest())
