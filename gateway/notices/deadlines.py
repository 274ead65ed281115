"""期限提醒: which deadlines of an application are near, or over, at one instant. Pure.

Pauses are respected as by the clock itself: a clock that stands still is neither near its end nor over.
"""

from datetime import date, datetime, timedelta

from gateway.applications.deadlines import StageDeadline, deadlines
from gateway.applications.lifecycle import StageStatus
from gateway.applications.model import GridConnectionApplication
from gateway.applications.rule_book import RuleBook
from gateway.applications.working_days import ClockReading
from gateway.clock import date_in_china, start_of_day_in_china
from gateway.notices.model import Notice, NoticeKind

_DONE = (StageStatus.COMPLETED, StageStatus.ABANDONED)
_A_DAY = timedelta(days=1)


def deadline_notices(
    application: GridConnectionApplication, book: RuleBook, at: datetime, near_working_days: int
) -> list[Notice]:
    """What the applicant is to be told of the deadlines of ``application`` at the aware instant ``at``.

    A stage is near its deadline from ``near_working_days`` before its due day on. Once it is over it is overdue and no
    longer near, so whoever looks late tells one thing and not two. Raises as ``deadlines``.
    """
    running = _running(application, book, at)
    found = (_notice(application.application_id, stage, book, at, near_working_days) for stage in running)
    return [notice for notice in found if notice is not None]


def next_look_at(
    application: GridConnectionApplication, book: RuleBook, at: datetime, near_working_days: int
) -> datetime | None:
    """The first instant after ``at`` at which ``deadline_notices`` may find more by the same rules and lifecycle.

    None where nothing comes of itself: every clock stands still, is over or has not begun. Raises as ``deadlines``.
    """
    days = (day for stage in _running(application, book, at) for day in _turning_days(stage, book, near_working_days))
    return min((start for day in days if (start := start_of_day_in_china(day)) > at), default=None)


def _running(application: GridConnectionApplication, book: RuleBook, at: datetime) -> list[StageDeadline]:
    """The stages whose clock runs towards a due day."""
    if application.lifecycle.closed_at is not None:
        return []
    stages = deadlines(application.lifecycle, application.region, book, at).stages
    return [
        stage
        for stage in stages
        if stage.clock is not None
        and stage.clock.due_on is not None
        and not stage.clock.stopped
        and stage.progress.status not in _DONE
    ]


def _turning_days(stage: StageDeadline, book: RuleBook, near_working_days: int) -> list[date]:
    """The first day on which the stage is near, where that is told at all, and the first on which it is over."""
    clock = stage.clock
    assert clock is not None
    assert clock.due_on is not None
    over, near = clock.due_on + _A_DAY, clock.due_on
    if _near_from_its_first_day(clock, near_working_days):
        return [over]
    while near > clock.started_on and _left(near - _A_DAY, clock, book) <= near_working_days:
        near -= _A_DAY
    return [near, over]


def _left(today: date, clock: ClockReading, book: RuleBook) -> int:
    assert clock.due_on is not None
    return book.calendar.working_days_between(today, clock.due_on)


def _near_from_its_first_day(clock: ClockReading, near_working_days: int) -> bool:
    """Then the limit itself was told, and it is not told to be near."""
    return clock.limit_working_days is not None and clock.limit_working_days <= near_working_days


def _notice(
    application_id: str, stage: StageDeadline, book: RuleBook, at: datetime, near_working_days: int
) -> Notice | None:
    clock, progress = stage.clock, stage.progress
    assert clock is not None
    assert clock.due_on is not None
    today = date_in_china(at)
    if clock.over:
        kind = NoticeKind.OVERDUE
    elif today >= clock.started_on and _left(today, clock, book) <= near_working_days:
        if _near_from_its_first_day(clock, near_working_days):
            return None
        kind = NoticeKind.DEADLINE_NEAR
    else:
        return None
    facts = {"stage": progress.stage.value, "due_on": clock.due_on.isoformat()}
    return Notice(f"{kind}/{application_id}/{progress.stage}", application_id, kind, at, facts)
