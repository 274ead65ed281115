"""What a claim costs does not grow with what waits for receivers that nothing is sent to; on both databases."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from adapters.storage.unit_of_work import SqlUnitOfWork
from gateway.delivery.destinations import untried
from gateway.delivery.ports import AttemptOutcome, ClaimedDelivery, ClaimRoom, DeliveryState, Settlement
from tests.support.long_queue import LongQueue, event_row, long_queue
from tests.support.plans import plans_of
from tests.support.storage import NOON

LIVE, DOWN = "csg-guangzhou", "csg-down"
ROWS, EACH = 4000, 4
"""Events that wait for the receiver that is down, and of each of its applications."""
LEASE = timedelta(seconds=30)
OPEN, FULL = ClaimRoom(64, 16), ClaimRoom(64, 16, {DOWN: 0})
FEW = ROWS // 2
"""Not half of the rows, nor steps for a tenth of them."""
BY_DESTINATION = "ix_outbox_destination_due"


@pytest.fixture
def queue(database_url: str) -> Iterator[LongQueue]:
    with long_queue(database_url) as made:
        made.append([event_row(DOWN, number, EACH, NOON - timedelta(hours=2)) for number in range(1, ROWS + 1)])
        made.append([event_row(LIVE, number, EACH, NOON - timedelta(hours=1)) for number in range(1, 4 * EACH + 1)])
        yield made


def claimed(unit: SqlUnitOfWork, room: ClaimRoom = OPEN) -> list[ClaimedDelivery]:
    return list(unit.deliveries.claim("relay", NOON, NOON + LEASE, room))


def cost_of_claiming(queue: LongQueue, room: ClaimRoom = OPEN) -> int:
    """Of what is due for the receiver that works."""
    claims: list[ClaimedDelivery] = []
    cost = queue.cost_of(lambda unit: claims.extend(claimed(unit, room)))
    assert [each.event.position for each in claims if each.event.destination == LIVE] == [1, 5, 9, 13]
    return cost


def failed(claim: ClaimedDelivery) -> Settlement:
    return Settlement(
        claim.event.event_id,
        claim.attempt,
        NOON,
        NOON,
        DeliveryState.PENDING,
        "webhook.status_400",
        next_attempt_at=NOON + timedelta(minutes=5),
        outcome=AttemptOutcome.DECLINED,
    )


def test_what_waits_for_a_disabled_receiver_is_not_looked_at(queue: LongQueue) -> None:
    with queue.connection.begin():
        failing = untried(DOWN).failed(NOON, "webhook.timeout")
        queue.unit.destinations.put(replace(failing, disabled_at=NOON))
    assert cost_of_claiming(queue) < FEW


def test_what_waits_for_a_receiver_without_room_is_not_looked_at(queue: LongQueue) -> None:
    assert cost_of_claiming(queue, FULL) < FEW


def test_what_waits_behind_events_that_are_tried_again_later_is_not_looked_at(queue: LongQueue) -> None:
    with queue.connection.begin():
        oldest = claimed(queue.unit, ClaimRoom(ROWS, ROWS, {LIVE: 0}))
        assert len(oldest) == ROWS / EACH
        queue.unit.deliveries.settle("relay", *(failed(each) for each in oldest))
    assert cost_of_claiming(queue) < FEW


def test_a_failure_looks_at_what_waits_in_its_own_application_alone(queue: LongQueue) -> None:
    with queue.connection.begin():
        (claim,) = claimed(queue.unit, ClaimRoom(1, 1, {LIVE: 0}))
    assert queue.cost_of(lambda unit: unit.deliveries.settle("relay", failed(claim))) < FEW


def test_a_claim_goes_by_no_index_of_all_receivers(queue: LongQueue) -> None:
    """Whatever its parameters: the plan is looked at that a statement is given which is asked all the time."""
    with queue.connection.begin() as transaction:
        receivers, *due = plans_of(queue.connection, lambda: claimed(queue.unit))
        transaction.rollback()
    assert gone_by(receivers) == {"ix_outbox_pending_by_id", BY_DESTINATION}
    assert len(due) == 2
    for plan in due:
        assert BY_DESTINATION in gone_by(plan)
        assert gone_by(plan) - {BY_DESTINATION} <= {"ix_outbox_undelivered", "uq_outbox_destination_subject_sequence"}


def gone_by(plan: str) -> set[str]:
    """Whatever is read of the outbox, and by which index; ``all`` where it is by none."""
    read = re.findall(r"(?:(?:Scan|SEARCH|SCAN)(?: Backward)? (?:using|on|outbox|earlier))[^\n]*", plan)
    reads = [line for line in read if re.search(r"outbox|earlier", line)]
    return {index[0] if (index := re.findall(r"(?:ix|uq|pk)_\w+", line)) else "all" for line in reads}
