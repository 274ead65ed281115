"""Outcomes of one batch look and change together, and each comes out as if it had been alone."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import orjson
import pytest
from sqlalchemy import insert
from structlog.testing import capture_logs

from adapters.storage.approvals import approval_outcomes, read_outcomes, read_reviews
from adapters.storage.engine import create_memory_engine
from adapters.storage.read_ahead import Reader
from adapters.storage.sealed import AtRest
from adapters.storage.tables import metadata
from gateway.approvals.errors import OutcomeContradicts, PermitNotFound
from gateway.approvals.joint_review import note_step
from gateway.approvals.permit_states import permit_state
from gateway.notices.model import NoticeKind
from gateway.notices.preferences import Preference, Way
from gateway.notices.words import Tongue
from tests.support.approvals import ROAD, ApprovalsRoom, approvals_room, intake, road_claims
from tests.support.storage import AT_REST, NOON, opened

STEPS = ("accepted", "correction_requested", "correction_received", "approved")


@pytest.fixture
def room(database_url: str) -> Iterator[ApprovalsRoom]:
    with approvals_room(database_url) as made:
        yield made


async def permits_of(room: ApprovalsRoom, count: int) -> list[str]:
    from tests.support.approvals import an_application

    permits = []
    for number in range(count):
        await room.receive_application(an_application(f"app_{number}"))
        wanted = intake({"department": ROAD, "permit": "road_occupation"})
        permits.append((await room.open(wanted, f"app_{number}"))[ROAD])
    return permits


def claims(permit: str, number: int) -> dict[str, Any]:
    step = STEPS[number - 1]
    reason = "请补充材料" if step == "correction_requested" else None
    return road_claims(permit, number, step, NOON, reason=reason)


async def test_all_outcomes_of_a_review_in_one_batch_are_heard_in_it(room: ApprovalsRoom) -> None:
    permits = await permits_of(room, 3)
    pushes = [(permit, number) for number in range(1, 5) for permit in permits]
    answers = await asyncio.gather(*(room.push(ROAD, claims(*each)) for each in pushes))
    assert len({answer.record_id for answer in answers}) == len(pushes)
    for number, _ in enumerate(permits):
        kept = await room.transactions.read(lambda tx, n=number: tx.joint_reviews.find_by_application(f"app_{n}"))
        (permit,) = kept.review.permits
        assert [known.outcome.sequence for known in permit.heard] == [1, 2, 3, 4]
        assert permit_state(permit).status.value == "approved"
        own = await room.transactions.read(lambda tx, n=number: tx.notices.of_application(f"app_{n}", 10))
        assert {each.kind for each in own} >= {NoticeKind.PERMIT_ACCEPTED, NoticeKind.PERMIT_APPROVED}
    events = [event for event in await room.events("csg-guangzhou") if event.type.endswith("outcome.v1")]
    assert len(events) == len(pushes)


async def test_the_same_outcome_twice_in_a_batch_is_one(room: ApprovalsRoom) -> None:
    permits = await permits_of(room, 4)
    pushes = [claims(permit, 1) for permit in (*permits, *permits)]
    answers = await asyncio.gather(*(room.push(ROAD, each) for each in pushes))
    assert sorted(answer.duplicate for answer in answers) == [False] * 4 + [True] * 4
    assert len({answer.record_id for answer in answers}) == 4


async def test_what_another_process_changed_is_seen_by_the_next_outcome(room: ApprovalsRoom, database_url: str) -> None:
    (permit,) = await permits_of(room, 1)
    await room.push(ROAD, claims(permit, 1))

    def noted_elsewhere(tx: Any) -> None:
        kept = tx.joint_reviews.find_by_permit_for_change(permit)
        tx.joint_reviews.put(note_step(kept.review, permit, 7))

    with opened(database_url, room.clock, at_rest=AtRest(AT_REST.sealer, AT_REST.digests)) as elsewhere:
        await elsewhere.write(noted_elsewhere)
    await room.push(ROAD, claims(permit, 2))
    kept = await room.transactions.read(lambda tx: tx.joint_reviews.find_by_application("app_0"))
    (found,) = kept.review.permits
    assert ([known.outcome.sequence for known in found.heard], found.noted) == ([1, 2], (7,))
    assert permit_state(found).missing_sequences == (3, 4, 5, 6)


async def test_of_two_changes_of_one_review_the_later_holds(room: ApprovalsRoom) -> None:
    (permit,) = await permits_of(room, 1)

    def twice(tx: Any) -> None:
        once = note_step(tx.joint_reviews.find_by_permit_for_change(permit).review, permit, 5)
        tx.joint_reviews.put(once)
        tx.joint_reviews.put(note_step(once, permit, 7))

    await room.transactions.write(twice)
    kept = await room.transactions.read(lambda tx: tx.joint_reviews.find_by_application("app_0"))
    assert kept.review.permits[0].noted == (5, 7)


async def test_a_unit_that_failed_after_its_change_left_nothing_to_be_remembered(room: ApprovalsRoom) -> None:
    (permit,) = await permits_of(room, 1)

    def failing(tx: Any) -> None:
        kept = tx.joint_reviews.find_by_permit_for_change(permit)
        tx.joint_reviews.put(note_step(kept.review, permit, 7))
        raise ValueError("after it was put")

    with pytest.raises(ValueError, match="after it was put"):
        await room.transactions.write(failing)
    await room.push(ROAD, claims(permit, 1))
    kept = await room.transactions.read(lambda tx: tx.joint_reviews.find_by_application("app_0"))
    assert kept.review.permits[0].noted == ()


@pytest.mark.parametrize(
    ("reader", "keys", "table"),
    [(read_outcomes, [("a", "1"), ("b", "2")], "approval_outcomes"), (read_reviews, [("a",), ("b",)], "joint_reviews")],
)
def test_what_is_looked_at_is_found_by_its_index(reader: Reader, keys: list[tuple[str, ...]], table: str) -> None:
    engine, said = create_memory_engine(), []
    metadata.create_all(engine)
    with engine.connect() as connection:
        connection.connection.driver_connection.set_trace_callback(said.append)  # type: ignore[union-attr]
        reader(connection, keys)
        (asked,) = [statement for statement in said if table in statement]
        plan = [step[-1] for step in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {asked}")]
    assert plan
    assert not [step for step in plan if step.startswith("SCAN") and "VIRTUAL TABLE" not in step]


async def test_of_a_batch_those_are_written_to_who_chose_a_way(room: ApprovalsRoom) -> None:
    permits = await permits_of(room, 4)

    def chosen(tx: Any) -> None:
        for number in (1, 3):
            to = Preference(f"app_{number}", Way.EMAIL, "someone@example.cn", Tongue.CHINESE, NOON)
            tx.notice_sends.choose(to)

    await room.transactions.write(chosen)
    await asyncio.gather(*(room.push(ROAD, claims(permit, 1)) for permit in permits))
    at, lease = room.clock.advance(hours=1), timedelta(minutes=1)
    claimed = await room.transactions.write(lambda tx: tx.notice_sends.claim("one", at, lease, 10))
    assert sorted(waiting.preference.application_id for waiting in claimed) == ["app_1", "app_3"]
    assert {waiting.notice.kind for waiting in claimed} == {NoticeKind.PERMIT_ACCEPTED}


async def test_what_is_refused_in_a_batch_leaves_nothing_and_takes_nothing_with_it(room: ApprovalsRoom) -> None:
    permits = await permits_of(room, 4)
    await room.push(ROAD, claims(permits[0], 1))
    contradicting = {**claims(permits[0], 1), "jti": "another", "outcome": "approved"}
    wanted = [contradicting, claims("prm_none", 1), *(claims(permit, 1) for permit in permits[1:])]
    answers = await asyncio.gather(*(room.push(ROAD, each) for each in wanted), return_exceptions=True)
    assert [type(answer) for answer in answers[:2]] == [OutcomeContradicts, PermitNotFound]
    assert [answer.duplicate for answer in answers[2:]] == [False] * 3
    kept = await room.transactions.read(lambda tx: tx.joint_reviews.find_by_application("app_0"))
    assert [known.outcome.outcome_id for known in kept.review.permits[0].heard] == [claims(permits[0], 1)["jti"]]
    for permit in permits[1:]:
        assert len(await room.transactions.read(lambda tx, p=permit: tx.approval_outcomes.of_permit(p))) == 1
    assert (await room.actions()).count("outcome.refused") == 2


async def test_what_a_unit_kept_back_goes_with_it_when_it_fails(room: ApprovalsRoom) -> None:
    permits = await permits_of(room, 4)
    row = {"department": ROAD, "outcome_id": "never", "permit_id": permits[3], "sequence": 1}
    rest = {"content_digest": "0" * 64, "signed": b"x", "signed_digest": "0" * 64, "record_id": "r-1"}

    def failing(tx: Any) -> None:
        sealed = tx._statements.sealed(approval_outcomes, {**row, **rest, "received_at": NOON})
        tx._statements.defer(insert(approval_outcomes), sealed)
        raise ValueError("after it was kept back")

    pushes = [room.push(ROAD, claims(permit, 1)) for permit in permits[:3]]
    answers = await asyncio.gather(room.transactions.write(failing), *pushes, return_exceptions=True)
    assert isinstance(answers[0], ValueError)
    assert [answer.duplicate for answer in answers[1:]] == [False] * 3
    assert await room.transactions.read(lambda tx: tx.approval_outcomes.find(ROAD, "never")) is None


async def test_where_writing_together_fails_each_is_written_by_itself(room: ApprovalsRoom) -> None:
    permits = await permits_of(room, 5)
    row = {"department": ROAD, "outcome_id": "doubled", "permit_id": permits[4], "sequence": 1}
    rest = {"content_digest": "0" * 64, "signed": b"x", "signed_digest": "0" * 64, "record_id": "r-1"}
    blind = insert(approval_outcomes)

    def doubling(tx: Any) -> None:
        """A unit that does not look before it adds."""
        tx._statements.defer(blind, tx._statements.sealed(approval_outcomes, {**row, **rest, "received_at": NOON}))

    with capture_logs() as logs:
        pushes = [room.push(ROAD, claims(permit, 1)) for permit in permits[:4]]
        writes = [room.transactions.write(doubling) for _ in range(2)]
        answers = await asyncio.gather(*pushes, *writes, return_exceptions=True)
    failed = [answer for answer in answers if isinstance(answer, Exception)]
    assert [answer.duplicate for answer in answers[:4]] == [False] * 4
    assert len(failed) == 1
    assert any(line["event"] == "writer.one_by_one" for line in logs)
    for permit in permits[:4]:
        assert len(await room.transactions.read(lambda tx, p=permit: tx.approval_outcomes.of_permit(p))) == 1
    actions = [orjson.dumps(each) for each in await room.entries() if each["action"] == "outcome.received"]
    assert len(actions) == 4
