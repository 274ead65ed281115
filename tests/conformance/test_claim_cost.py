"""What a claim costs does not grow with what waits for receivers that nothing is sent to; on both databases."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, insert, text

from adapters.storage.deliveries import ReadOnlyOutbox, outbox
from adapters.storage.engine import create_database_engine
from adapters.storage.records import ReadOnlyRecords
from adapters.storage.sealed import seal_values
from adapters.storage.statements import Statements
from adapters.storage.unit_of_work import SqlUnitOfWork
from gateway.delivery.destinations import untried
from gateway.delivery.ports import AttemptOutcome, ClaimedDelivery, ClaimRoom, DeliveryState, Settlement
from tests.support.plans import plans_of
from tests.support.storage import AT_REST, NOON

LIVE, DOWN = "csg-guangzhou", "csg-down"
ROWS, EACH = 4000, 4
"""Events that wait for the receiver that is down, and of each of its applications."""
LEASE = timedelta(seconds=30)
OPEN, FULL = ClaimRoom(64, 16), ClaimRoom(64, 16, {DOWN: 0})
FEW, STEPS_AT_ONCE = ROWS // 2, 10
"""Not half of the rows, nor steps for a tenth of them."""
BY_DESTINATION = "ix_outbox_destination_due"


def row(destination: str, position: int) -> dict[str, Any]:
    application, sequence = divmod(position - 1, EACH)
    at = NOON - timedelta(hours=1 if destination == LIVE else 2) + timedelta(milliseconds=position)
    values = {
        "event_id": f"evt_{destination}_{position:06}",
        "destination": destination,
        "position": position,
        "subject": f"app_{application}",
        "sequence": sequence + 1,
        "channel": "webhook",
        "type": "test",
        "at": at,
        "data": {},
        "state": "pending",
        "attempts": 0,
        "next_attempt_at": at,
        "scheduled_at": at,
        "tried_for_s": 0.0,
    }
    return seal_values(AT_REST.sealer, outbox, values, {})


class Queue:
    """A long queue on one connection; what is claimed to see what it costs is undone."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._steps = 0
        if connection.dialect.name == "sqlite":
            driver: Any = connection.connection.dbapi_connection
            driver.set_progress_handler(self._stepped, STEPS_AT_ONCE)
        with connection.begin():
            for destination, count in ((DOWN, ROWS), (LIVE, 4 * EACH)):
                connection.execute(insert(outbox), [row(destination, number) for number in range(1, count + 1)])
        if connection.dialect.name == "postgresql":  # as autovacuum would; nobody does on SQLite
            with connection.begin():
                connection.execute(text("ANALYZE"))

    def _stepped(self) -> int:
        self._steps += STEPS_AT_ONCE
        return 0

    @property
    def unit(self) -> SqlUnitOfWork:
        return SqlUnitOfWork(Statements(self.connection, AT_REST, savepoint=False), ReadOnlyRecords(), ReadOnlyOutbox())

    def disable(self) -> None:
        with self.connection.begin():
            failing = untried(DOWN).failed(NOON, "webhook.timeout")
            self.unit.destinations.put(replace(failing, disabled_at=NOON))

    def let_every_application_wait(self) -> None:
        """Each oldest event has failed, and is tried again in five minutes."""
        with self.connection.begin():
            claims = self.unit.deliveries.claim("relay", NOON, NOON + LEASE, ClaimRoom(ROWS, ROWS, {LIVE: 0}))
            assert len(claims) == ROWS / EACH
            self.unit.deliveries.settle("relay", *(failed(each) for each in claims))

    def cost(self, room: ClaimRoom = OPEN) -> int:
        """Of a claim that takes what is due for the other receiver: rows that were looked at, or steps for them."""
        with self.connection.begin() as transaction:
            began = self._looked_at()
            claims = self.unit.deliveries.claim("relay", NOON, NOON + LEASE, room)
            cost = self._looked_at() - began
            assert [each.event.position for each in claims if each.event.destination == LIVE] == [1, 5, 9, 13]
            transaction.rollback()
        return cost

    def cost_of_settling(self) -> int:
        """Of one attempt that failed."""
        with self.connection.begin() as transaction:
            (claim,) = self.unit.deliveries.claim("relay", NOON, NOON + LEASE, ClaimRoom(1, 1, {LIVE: 0}))
            began = self._looked_at()
            assert self.unit.deliveries.settle("relay", failed(claim)) == [claim.event.event_id]
            cost = self._looked_at() - began
            transaction.rollback()
        return cost

    def _looked_at(self) -> int:
        """SQLite: steps of its machine, several for a row. PostgreSQL: rows of the outbox, in this transaction."""
        if self.connection.dialect.name == "sqlite":
            return self._steps
        read = text("SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'outbox'")
        return int(self.connection.execute(read).scalar_one())


@pytest.fixture
def queue(database_url: str) -> Iterator[Queue]:
    engine = create_database_engine(database_url, pool_size=1)
    with engine.connect() as connection:
        yield Queue(connection)
    engine.dispose()


def failed(claim: ClaimedDelivery) -> Settlement:
    later = NOON + timedelta(minutes=5)
    return Settlement(
        claim.event.event_id,
        claim.attempt,
        NOON,
        NOON,
        DeliveryState.PENDING,
        "webhook.status_400",
        next_attempt_at=later,
        outcome=AttemptOutcome.DECLINED,
    )


def test_what_waits_for_a_disabled_receiver_is_not_looked_at(queue: Queue) -> None:
    queue.disable()
    assert queue.cost() < FEW


def test_what_waits_for_a_receiver_without_room_is_not_looked_at(queue: Queue) -> None:
    assert queue.cost(FULL) < FEW


def test_what_waits_behind_events_that_are_tried_again_later_is_not_looked_at(queue: Queue) -> None:
    queue.let_every_application_wait()
    assert queue.cost() < FEW


def test_a_failure_looks_at_what_waits_in_its_own_application_alone(queue: Queue) -> None:
    assert queue.cost_of_settling() < FEW


def test_a_claim_goes_by_the_index_of_a_receivers_due_events(queue: Queue) -> None:
    """Whatever its parameters: the plan is looked at that a statement is given which is asked all the time."""
    with queue.connection.begin() as transaction:
        plans = plans_of(queue.connection, lambda: queue.unit.deliveries.claim("relay", NOON, NOON + LEASE, OPEN))
        transaction.rollback()
    assert any(BY_DESTINATION in plan for plan in plans)
    assert [plan for plan in plans if re.search(r"Seq Scan on outbox|SCAN (outbox|earlier)(?! USING)", plan)] == []
