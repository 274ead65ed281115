"""Which deadlines are near or over, by working days, with pauses respected; and that each is told once."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Row, Table

from adapters.storage.statements import Statements
from adapters.storage.transactions import SqlTransactions
from adapters.storage.unit_of_work import SqlUnitOfWork
from gateway.applications.customer_classes import CustomerClass
from gateway.applications.lifecycle import Lifecycle, StageAction, StageEvent, apply
from gateway.applications.model import GridConnectionApplication
from gateway.applications.rule_book import RuleBook
from gateway.applications.stages import Stage
from gateway.applications.time_limits import STAGE_LIMITS, StageLimitRow
from gateway.applications.working_days import WorkingCalendar
from gateway.notices.deadlines import deadline_notices, next_look_at
from gateway.notices.model import Notice, NoticeKind
from gateway.notices.watching import AT_LEAST_EVERY, DeadlineWatch
from tests.support.approvals import A_PARTY, a_small_application
from tests.support.storage import NOON, SetClock, opened

CALENDAR = WorkingCalendar()
DAY = timedelta(days=1)
PLAN = Stage.SUPPLY_PLAN


def happened(application: GridConnectionApplication, action: StageAction, stage: Stage, at: datetime, reason=None):
    event = StageEvent(action, at, stage, reason)
    return replace(application, lifecycle=apply(application.lifecycle, event, at))


def waiting_for_its_plan(application_id: str = "app_1") -> GridConnectionApplication:
    """Low voltage: accepted on Monday 2 March, so that the supply plan (3 working days) is due on Thursday the 5th."""
    received = NOON - timedelta(hours=2)
    lifecycle = Lifecycle(a_small_application().derivation.customer_class, received)
    application = a_small_application(application_id, received_at=received, lifecycle=lifecycle)
    application = happened(application, StageAction.STARTED, Stage.ACCEPTANCE, NOON - timedelta(hours=1))
    application = happened(application, StageAction.COMPLETED, Stage.ACCEPTANCE, NOON)
    return happened(application, StageAction.STARTED, PLAN, NOON)


def told(application: GridConnectionApplication, at: datetime, near: int = 1) -> list[tuple[NoticeKind, str]]:
    return [(each.kind, each.facts["due_on"]) for each in deadline_notices(application, RuleBook(CALENDAR), at, near)]


def test_a_deadline_is_near_a_working_day_before_and_then_over() -> None:
    application = waiting_for_its_plan()
    assert told(application, NOON + DAY) == []
    assert told(application, NOON + DAY, near=2) == [(NoticeKind.DEADLINE_NEAR, "2026-03-05")]
    assert told(application, NOON + 2 * DAY) == [(NoticeKind.DEADLINE_NEAR, "2026-03-05")]
    assert told(application, NOON + 3 * DAY) == [(NoticeKind.DEADLINE_NEAR, "2026-03-05")]
    assert told(application, NOON + 4 * DAY) == [(NoticeKind.OVERDUE, "2026-03-05")]


def test_a_limit_that_is_no_longer_than_near_is_not_told_to_be_near() -> None:
    assert told(waiting_for_its_plan(), NOON + 2 * DAY, near=3) == []
    assert told(waiting_for_its_plan(), NOON + 4 * DAY, near=3) == [(NoticeKind.OVERDUE, "2026-03-05")]


def test_a_clock_that_stands_still_is_neither_and_its_pause_puts_the_day_off() -> None:
    paused = happened(waiting_for_its_plan(), StageAction.PAUSED, PLAN, NOON + DAY, "待用户确认")
    assert told(paused, NOON + 2 * DAY) == told(paused, NOON + 20 * DAY) == []
    resumed = happened(paused, StageAction.RESUMED, PLAN, NOON + 7 * DAY)
    (near,) = told(resumed, NOON + 9 * DAY)
    assert near[0] is NoticeKind.DEADLINE_NEAR
    assert near[1] > "2026-03-05"


def test_a_stage_that_is_done_and_an_application_that_is_closed_are_told_nothing() -> None:
    done = happened(waiting_for_its_plan(), StageAction.COMPLETED, PLAN, NOON + DAY)
    assert told(done, NOON + 30 * DAY) == []
    ended = StageEvent(StageAction.WITHDRAWN, NOON + DAY)
    closed = replace(done, lifecycle=apply(waiting_for_its_plan().lifecycle, ended, NOON + DAY))
    assert told(closed, NOON + 30 * DAY) == []


class TestWatch:
    """Over both databases, with virtual time."""

    @pytest.fixture
    def clock(self) -> SetClock:
        return SetClock()

    @pytest.fixture
    def storage(self, database_url: str, clock: SetClock) -> Iterator[SqlTransactions]:
        with opened(database_url, clock) as transactions:
            yield transactions

    @pytest.fixture
    def opened_ids(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """Which applications were opened, in their order."""
        ids: list[str] = []
        opened = Statements.opened

        def noted(self: Statements, table: Table, row: Row[Any]) -> Mapping[str, Any]:
            ids.append(row.application_id)
            return opened(self, table, row)

        monkeypatch.setattr(Statements, "opened", noted)
        return ids

    async def notices(self, storage: SqlTransactions, application_id: str = "app_1") -> list[Notice]:
        return list(await storage.read(lambda tx: tx.notices.of_application(application_id, 10)))

    async def test_each_is_told_once_however_often_and_by_whomever(
        self, storage: SqlTransactions, clock: SetClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("gateway.notices.watching.PAGE", 2)
        for number in range(1, 6):
            made = waiting_for_its_plan(f"app_{number}")
            await storage.write(lambda tx, made=made: tx.applications.add(made, A_PARTY))
        one, two = (DeadlineWatch(storage, lambda: RuleBook(CALENDAR), clock, 1) for _ in "12")
        assert await one.pass_once() == 0
        clock.advance(days=2)
        assert (await one.pass_once(), await two.pass_once(), await one.pass_once()) == (5, 0, 0)
        clock.advance(days=2)
        assert (await two.pass_once(), await one.pass_once()) == (5, 0)
        kinds = [each.kind for each in await self.notices(storage, "app_5")]
        assert kinds == [NoticeKind.OVERDUE, NoticeKind.DEADLINE_NEAR]

    async def test_a_clock_that_jumps_tells_one_thing_and_going_back_nothing(
        self, storage: SqlTransactions, clock: SetClock
    ) -> None:
        await storage.write(lambda tx: tx.applications.add(waiting_for_its_plan(), A_PARTY))
        watch = DeadlineWatch(storage, lambda: RuleBook(CALENDAR), clock, 1)
        clock.advance(days=30)
        assert await watch.pass_once() == 1
        clock.advance(days=-30)
        assert await watch.pass_once() == 0
        clock.advance(days=30)
        assert await watch.pass_once() == 0
        assert [each.kind for each in await self.notices(storage)] == [NoticeKind.OVERDUE]

    async def test_an_application_is_opened_when_its_day_has_come_and_not_before(
        self, storage: SqlTransactions, clock: SetClock, opened_ids: list[str]
    ) -> None:
        await storage.write(lambda tx: tx.applications.add(waiting_for_its_plan(), A_PARTY))
        watch = DeadlineWatch(storage, lambda: RuleBook(CALENDAR), clock, 1)
        await watch.pass_once()
        assert opened_ids == ["app_1"], "what is new is looked at once"
        for _ in range(10):
            clock.advance(hours=3)
            assert await watch.pass_once() == 0
        assert opened_ids == ["app_1"]
        clock.advance(hours=6)
        assert await watch.pass_once() == 1
        assert opened_ids == ["app_1"] * 2

    async def test_a_pause_and_what_it_puts_off_are_seen(self, storage: SqlTransactions, clock: SetClock) -> None:
        application = waiting_for_its_plan()
        await storage.write(lambda tx: tx.applications.add(application, A_PARTY))
        watch = DeadlineWatch(storage, lambda: RuleBook(CALENDAR), clock, 1)
        await watch.pass_once()
        paused = happened(application, StageAction.PAUSED, PLAN, clock(), "待用户确认")
        await storage.write(lambda tx: tx.applications.put_lifecycle("app_1", paused.lifecycle))
        for _ in range(20):
            assert await watch.pass_once() == 0
            clock.advance(days=1)
        resumed = happened(paused, StageAction.RESUMED, PLAN, clock())
        await storage.write(lambda tx: tx.applications.put_lifecycle("app_1", resumed.lifecycle))
        told_on = {}
        for _ in range(12):
            await watch.pass_once()
            for each in await self.notices(storage):
                told_on.setdefault(each.kind, (clock(), each.facts["due_on"]))
            clock.advance(days=1)
        by_the_rules: dict[NoticeKind, tuple[datetime, str]] = {}
        at = NOON + 20 * DAY
        for _ in range(12):
            for kind, due_on in told(resumed, at):
                by_the_rules.setdefault(kind, (at, due_on))
            at += DAY
        assert told_on == by_the_rules
        assert set(told_on) == {NoticeKind.DEADLINE_NEAR, NoticeKind.OVERDUE}

    async def test_rules_and_days_that_tighten_are_told_once(self, storage: SqlTransactions, clock: SetClock) -> None:
        await storage.write(lambda tx: tx.applications.add(waiting_for_its_plan(), A_PARTY))
        book = RuleBook(CALENDAR)
        watch = DeadlineWatch(storage, lambda: book, clock, 1)
        assert await watch.pass_once() == 0
        clock.advance(days=1)
        assert await watch.pass_once() == 0
        shorter = [
            StageLimitRow(
                CustomerClass.LV_ORDINARY, PLAN, 2, clause="某省规定", effective_from=date(2026, 1, 1), region="44"
            )
        ]
        book = RuleBook(CALENDAR, stage_limits=STAGE_LIMITS.extended(shorter))
        assert (await watch.pass_once(), await watch.pass_once()) == (1, 0)
        (near,) = await self.notices(storage)
        assert (near.kind, near.facts["due_on"]) == (NoticeKind.DEADLINE_NEAR, "2026-03-04")
        book = RuleBook(WorkingCalendar({date(2026, 3, 4): False}), stage_limits=book.stage_limits)
        assert await watch.pass_once() == 0
        clock.advance(days=2)
        assert await watch.pass_once() == 0, "the fourth is a day off by now, so that the fifth is the last"
        clock.advance(days=1)
        assert (await watch.pass_once(), await watch.pass_once()) == (1, 0)
        assert [each.kind for each in await self.notices(storage)] == [NoticeKind.OVERDUE, NoticeKind.DEADLINE_NEAR]

    async def test_what_closes_is_told_nothing_and_looked_at_no_more(
        self, storage: SqlTransactions, clock: SetClock, opened_ids: list[str]
    ) -> None:
        application = waiting_for_its_plan()
        await storage.write(lambda tx: tx.applications.add(application, A_PARTY))
        ended = apply(application.lifecycle, StageEvent(StageAction.WITHDRAWN, clock()), clock())
        await storage.write(lambda tx: tx.applications.put_lifecycle("app_1", ended))
        clock.advance(days=30)
        watch = DeadlineWatch(storage, lambda: RuleBook(CALENDAR), clock, 1)
        assert await watch.pass_once() == 0
        assert opened_ids == []

    async def test_what_an_older_release_wrote_is_found(self, storage: SqlTransactions, clock: SetClock) -> None:
        """It knows nothing of looks: it adds none, and marks none when a lifecycle changes."""
        watch = DeadlineWatch(storage, lambda: RuleBook(CALENDAR), clock, 1)
        await watch.pass_once()
        application = waiting_for_its_plan()
        await storage.write(lambda tx: tx.applications.add(application, A_PARTY))
        await storage.write(lambda tx: tx.deadline_looks.forget("app_1"))
        clock.advance(days=2)
        assert await watch.pass_once() == 1
        paused = happened(application, StageAction.PAUSED, PLAN, clock(), "待用户确认")
        await storage.write(lambda tx: tx.applications.put_lifecycle("app_1", paused.lifecycle))
        await watch.pass_once()
        resumed = happened(paused, StageAction.RESUMED, PLAN, clock())
        rules = f"{RuleBook(CALENDAR).deadlines_basis()}:1"

        def as_before(tx: SqlUnitOfWork) -> None:
            tx.applications.put_lifecycle("app_1", resumed.lifecycle)
            tx.deadline_looks.put({"app_1": clock() + AT_LEAST_EVERY}, rules)

        await storage.write(as_before)
        clock.advance(days=6)
        assert await watch.pass_once() == 0
        clock.advance(days=1)
        assert await watch.pass_once() == 1
        assert (await self.notices(storage))[0].kind is NoticeKind.OVERDUE

    async def test_one_without_a_rule_holds_up_no_other(self, storage: SqlTransactions, clock: SetClock) -> None:
        nowhere = replace(waiting_for_its_plan("app_0"), demand=replace(waiting_for_its_plan().demand, region="no"))
        for each in (nowhere, waiting_for_its_plan()):
            await storage.write(lambda tx, each=each: tx.applications.add(each, A_PARTY))
        clock.advance(days=2)
        watch = DeadlineWatch(storage, lambda: RuleBook(CALENDAR), clock, 1)
        assert (await watch.pass_once(), await watch.pass_once()) == (1, 0)


@given(
    pauses=st.lists(st.tuples(st.integers(0, 30), st.integers(0, 20)), max_size=3),
    near=st.integers(0, 6),
    looked=st.lists(st.integers(0, 24 * 60), min_size=1, max_size=30),
)
@settings(max_examples=60, deadline=None)
def test_nothing_is_told_between_two_looks(pauses: list[tuple[int, int]], near: int, looked: list[int]) -> None:
    """Whoever looks at every hour finds no notice before the look that was said to be the next."""
    application, now = waiting_for_its_plan(), NOON
    for wait, length in pauses:
        now += timedelta(hours=wait)
        application = happened(application, StageAction.PAUSED, PLAN, now, "待用户确认")
        now += timedelta(hours=length)
        application = happened(application, StageAction.RESUMED, PLAN, now)
    book = RuleBook(CALENDAR)
    for hours in sorted(looked):
        at = now + timedelta(hours=hours)
        again_at = next_look_at(application, book, at, near)
        before = {kind for kind, _ in told(application, at, near)}
        for later in range(1, 24 * 20, 5):
            then = at + timedelta(hours=later)
            if again_at is not None and then >= again_at:
                break
            assert {kind for kind, _ in told(application, then, near)} <= before
