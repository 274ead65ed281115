"""Which deadlines are near or over, by working days, with pauses respected; and that each is told once."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from adapters.storage.transactions import SqlTransactions
from gateway.applications.lifecycle import Lifecycle, StageAction, StageEvent, apply
from gateway.applications.model import GridConnectionApplication
from gateway.applications.rule_book import RuleBook
from gateway.applications.stages import Stage
from gateway.applications.working_days import WorkingCalendar
from gateway.notices.deadlines import deadline_notices
from gateway.notices.model import Notice, NoticeKind
from gateway.notices.watching import DeadlineWatch
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
