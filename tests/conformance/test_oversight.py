"""Applications as they are counted, on both databases: what is read, by which index, with how much memory."""

import tracemalloc
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from adapters.departments import discover
from adapters.storage.engine import create_database_engine
from adapters.storage.transactions import SqlTransactions
from gateway.applications.customer_classes import CustomerClass
from gateway.approvals.departments import Departments
from gateway.approvals.joint_review import JointReview, Outcome, Permit, record_outcome
from gateway.approvals.ports import KeptReview
from gateway.clock import date_in_china
from gateway.oversight.errors import NotPublished, PeriodRefused
from gateway.oversight.figures import Counting
from gateway.oversight.periods import Period, month
from gateway.oversight.service import OversightService
from gateway.ratings.model import Rating
from gateway.records.entries import RecordEntry
from schemas.departments import ConnectionLine, OutcomeKind, ReviewMode
from schemas.ratings import RatingLevel
from tests.support.approvals import LINE, PLANNING, UTILITY
from tests.support.oversight import RULES, added, application, withdrawn, working_days_later
from tests.support.storage import NOON, SetClock, opened

MARCH = month("2026-03")
LATER = datetime(2026, 5, 6, 4, 0, tzinfo=NOON.tzinfo)


@pytest.fixture
def storage(database_url: str) -> Iterator[SqlTransactions]:
    with opened(database_url, SetClock()) as transactions:
        yield transactions


def service(storage: SqlTransactions, at: datetime = LATER) -> OversightService:
    return OversightService(storage, lambda: RULES, Departments(discover({})), SetClock(at))


def a_review(name: str, took: int) -> KeptReview:
    permit = Permit(f"prm_{name}", PLANNING, "construction_planning", ReviewMode.FULL, NOON)
    review = JointReview(f"rev_{name}", NOON, date_in_china(NOON), "440106", 10_000, (permit,))
    decided_at = working_days_later(NOON, took)
    outcome = Outcome("out_1", permit.permit_id, 1, OutcomeKind.APPROVED, decided_at)
    return KeptReview(
        name, UTILITY, ConnectionLine.model_validate(LINE), "rec", record_outcome(review, outcome, decided_at)
    )


async def test_a_period_is_counted_from_what_is_stored(storage: SqlTransactions) -> None:
    gone = application("app_4", days=(1,))
    await storage.write(
        added(
            application("app_1", late=True),
            application("app_2", days=(3, 4, 2), region="440306"),
            application("app_3", received_at=NOON - timedelta(days=60)),
            application("app_4", days=(1,), lifecycle=withdrawn(gone.lifecycle, NOON + timedelta(days=4))),
            application("app_5", days=(1,)),
            application("app_6", CustomerClass.RESIDENTIAL, (1, 2), received_at=NOON + timedelta(days=40)),
        )
    )
    found = (await service(storage).figures(MARCH)).figures
    total = found.total()
    assert (total.received, total.completed, total.withdrawn, total.open, total.open_over) == (4, 2, 1, 1, 1)
    assert (total.whole.worst, total.whole.over) == (9, 1)
    assert total.backdated_events == 1
    assert (total.documents_fetched, total.documents_uploaded) == (6, 3)
    only = (await service(storage).figures(MARCH, "440300")).figures
    assert only.cities == ["440300"]
    assert only.total().completed == 1


async def test_what_applicants_gave_the_service_is_read_with_their_applications(storage: SqlTransactions) -> None:
    await storage.write(added(*(application(f"app_{number}") for number in range(3))))
    levels = (RatingLevel.SATISFIED, RatingLevel.VERY_DISSATISFIED)

    def rate(tx: Any) -> None:
        for number, level in enumerate(levels):
            tx.ratings.add(Rating(f"app_{number}", UTILITY, "440106", level, (), NOON, "rec"))

    await storage.write(rate)
    assert (await service(storage).figures(MARCH)).figures.total().ratings == Counter(levels)


async def test_refused_events_and_requests_are_read_from_the_record(storage: SqlTransactions) -> None:
    def refuse(tx: object, action: str, subject: str, check: str) -> None:
        tx.records.append(RecordEntry(action, NOON, UTILITY, subject, "refused", {"check": check}))  # type: ignore[attr-defined]

    def work(tx: object) -> None:
        refuse(tx, "stage.started", "app_1", "lifecycle.skipped")
        refuse(tx, "application.ended", "app_1", "lifecycle.closed")
        refuse(tx, "licence.disclosed", "app_1", "requirements.document_not_allowed")
        refuse(tx, "licence.disclosed", "app_1", "agreement.none")
        refuse(tx, "stage.started", "app_9", "lifecycle.skipped")
        tx.records.append(RecordEntry("stage.started", NOON, UTILITY, "app_1"))  # type: ignore[attr-defined]

    await storage.write(added(application("app_1"), application("app_2")))
    await storage.write(work)
    total = (await service(storage).figures(MARCH)).figures.total()
    assert (total.refused_events, total.refused_requests) == (2, 1)


async def test_permits_are_counted_by_department(storage: SqlTransactions) -> None:
    await storage.write(added(application("app_1"), application("app_2")))
    await storage.write(lambda tx: tx.joint_reviews.add(a_review("app_1", 3)))
    await storage.write(lambda tx: tx.joint_reviews.add(a_review("app_2", 7)))
    permits = (await service(storage).figures(MARCH)).figures.departments()[PLANNING]
    assert (permits.count, permits.granted, permits.refused) == (2, 2, 0)
    assert (permits.decided.median, permits.decided.worst, permits.decided.over) == (5, 7, 1)
    assert permits.decided.limit_range == (5, 5), "Guangdong's limit"


async def test_the_month_of_the_last_instant_in_china_counts(storage: SqlTransactions) -> None:
    last = MARCH.ends_at - timedelta(microseconds=1)
    await storage.write(
        added(
            application("app_1", received_at=last, days=(0, 0, 0)),
            application("app_2", received_at=MARCH.ends_at, days=(0, 0, 0)),
        )
    )
    assert (await service(storage).figures(MARCH)).figures.total().completed == 1


async def test_a_month_is_published_once_nothing_of_it_can_change(storage: SqlTransactions) -> None:
    await storage.write(added(*(application(f"app_{number}", days=(1, 3, 2)) for number in range(6))))
    early = service(storage, MARCH.ends_at + timedelta(hours=24))
    with pytest.raises(NotPublished) as refused:
        await early.performance("2026-03")
    assert refused.value.latest == "2026-02"
    told = await service(storage, MARCH.ends_at + timedelta(hours=25)).performance()
    assert told.month == "2026-03"
    assert {cell.completed for cell in told.of_city("440100")} == {6, 0}
    for bad in ("2026-13", "26-03", "", "2020-11x"):
        with pytest.raises(PeriodRefused):
            await early.performance(bad)


async def test_figures_are_counted_anew_after_five_minutes(storage: SqlTransactions) -> None:
    clock = SetClock(LATER)
    asked = OversightService(storage, lambda: RULES, Departments(()), clock)
    assert (await asked.figures(MARCH)).figures.total().completed == 0
    await storage.write(added(application("app_1")))
    clock.advance(minutes=4)
    assert (await asked.figures(MARCH)).figures.total().completed == 0
    clock.advance(minutes=1)
    assert (await asked.figures(MARCH)).figures.total().completed == 1


async def test_memory_does_not_grow_with_what_is_counted(storage: SqlTransactions) -> None:
    async def peak(first: int, number: int) -> int:
        await storage.write(added(*(application(f"app_{first + each}") for each in range(number))))

        def count(tx: object) -> int:
            counting = Counting(RULES, LATER)
            tracemalloc.start()
            try:
                counting.take_closed(tx.observed.closed(MARCH.begins_at, MARCH.ends_at, ""))  # type: ignore[attr-defined]
                assert counting.figures.total().completed == first + number
                return tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()

        return await storage.read(count)

    once = await peak(0, 600)
    assert await peak(600, 1200) < 1.4 * once


def test_it_is_found_by_the_index_on_closed_at(database_url: str) -> None:
    engine = create_database_engine(database_url, pool_size=1)
    asked = "SELECT application_id FROM applications WHERE closed_at >= :a AND closed_at < :b"
    try:
        with engine.connect() as connection:
            sqlite = engine.dialect.name == "sqlite"
            if not sqlite:
                connection.execute(text("SET enable_seqscan = off"))
            plan = connection.execute(
                text(f"EXPLAIN {'QUERY PLAN ' if sqlite else ''}{asked}"),
                {"a": MARCH.begins_at.isoformat(), "b": MARCH.ends_at.isoformat()},
            )
            assert "ix_applications_closed_at" in str(plan.all())
            waiting = connection.execute(
                text(
                    f"EXPLAIN {'QUERY PLAN ' if sqlite else ''}SELECT region FROM applications WHERE closed_at IS NULL"
                )
            )
            assert "ix_applications_closed_at" in str(waiting.all())
    finally:
        engine.dispose()


def test_a_period_is_days_in_china() -> None:
    day = date_in_china(NOON)
    assert Period(day, day).begins_at == datetime(2026, 3, 1, 16, 0, tzinfo=NOON.tzinfo)
