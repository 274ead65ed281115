"""What operators list: newest first, page by page, at the cost of a page; on both databases."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from adapters.storage.sealed import AtRest
from adapters.storage.unit_of_work import SqlUnitOfWork
from gateway.crypto.sealing import FixedKeys, Sealer
from gateway.delivery.ports import DeliveryState
from tests.support.long_queue import LongQueue, event_row, long_queue
from tests.support.storage import DIGESTS, NOON

ROWS, PAGE = 3000, 5
UTILITY, RARE = "csg-guangzhou", "csg-shenzhen"
FEW = ROWS // 2
"""Not half of the rows, nor steps for a tenth of them."""
DELIVERED = {"state": "delivered", "attempts": 1, "next_attempt_at": None, "settled_at": NOON}
DEAD = {**DELIVERED, "state": "dead"}
UNKNOWN = {"attempts": 1, "unknown_since": NOON}


@pytest.fixture
def queue(database_url: str) -> Iterator[LongQueue]:
    """Of a utility, oldest first: dead ones, ones that wait, and most delivered. Another has few, between them."""
    with long_queue(database_url) as made:
        of = {
            UTILITY: [DEAD] * 12 + [UNKNOWN] * 12 + [{}] * ROWS + [DELIVERED] * ROWS,
            RARE: [DELIVERED] * 6 + [DEAD] * 6,
        }
        for destination, changes in of.items():
            at = NOON - timedelta(hours=1)
            rows = [event_row(destination, number, 1, at, **change) for number, change in enumerate(changes, 1)]
            made.append(rows)
        yield made


def listed(
    unit: SqlUnitOfWork, destination: str | None, state: DeliveryState | None, before: str | None = None
) -> list[str]:
    return [view.event.event_id for view in unit.deliveries.list(destination, state, PAGE, before)]


CASES = [(destination, state) for destination in (None, UTILITY, RARE) for state in (None, *DeliveryState)]


@pytest.mark.parametrize(
    ("destination", "state"), [(None, None), (None, DeliveryState.DEAD), (RARE, None), (UTILITY, DeliveryState.UNKNOWN)]
)
def test_pages_follow_one_another_newest_first(
    queue: LongQueue, destination: str | None, state: DeliveryState | None
) -> None:
    """Every event once, also where more come meanwhile."""
    found: list[str] = []
    with queue.connection.begin():
        whole = [view.event.event_id for view in queue.unit.deliveries.list(destination, state, 10_000)]
    for _ in range(4):
        with queue.connection.begin():
            page = listed(queue.unit, destination, state, found[-1] if found else None)
        found += page
        if len(found) == PAGE:
            queue.append([event_row(UTILITY, 9000, 1, NOON), event_row(RARE, 9000, 1, NOON, **DEAD)])
    assert len(found) == min(4 * PAGE, len(whole))
    assert found == whole[: len(found)] == sorted(found, reverse=True)


def test_a_page_costs_no_more_than_a_page(queue: LongQueue) -> None:
    costs = {}
    for destination, state in CASES:
        costs[destination, state] = queue.cost_of(lambda unit, d=destination, s=state: listed(unit, d, s))
    assert {case: cost for case, cost in costs.items() if cost > FEW} == {}


def test_what_cannot_be_opened_is_listed_all_the_same(queue: LongQueue) -> None:
    """Its reason is what an operator looks for; what it carries is not shown."""
    keyless = AtRest(Sealer(FixedKeys(())), DIGESTS)
    (view,) = queue.unit_with(keyless).deliveries.list(RARE, None, 1)
    assert (view.event.position, view.state, view.event.data) == (12, DeliveryState.DEAD, {})
