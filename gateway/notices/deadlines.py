"""期限提醒: which deadlines of an application are near, or over, at one instant. Pure.

Pauses are respected as by the clock itself: a clock that stands still is neither near its end nor over.
"""

from datetime import datetime

from gateway.applications.deadlines import StageDeadline, deadlines
from gateway.applications.lifecycle import StageStatus
from gateway.applications.model import GridConnectionApplication
from gateway.applications.rule_book import RuleBook
from gateway.clock import date_in_china
from gateway.notices.model import Notice, NoticeKind

_DONE = (StageStatus.COMPLETED, StageStatus.ABANDONED)


def deadline_notices(
    application: GridConnectionApplication, book: RuleBook, at: datetime, near_working_days: int
) -> list[Notice]:
    """What the applicant is to be told of the deadlines of ``application`` at the aware instant ``at``.

    A stage is near its deadline from ``near_working_days`` before its due day on. Once it is over it is overdue and no
    longer near, so whoever looks late tells one thing and not two. Raises as ``deadlines``.
    """
    if application.lifecycle.closed_at is not None:
        return []
    stages = deadlines(application.lifecycle, application.region, book, at).stages
    found = (_notice(application.application_id, stage, book, at, near_working_days) for stage in stages)
    return [notice for notice in found if notice is not None]


def _notice(
    application_id: str, stage: StageDeadline, book: RuleBook, at: datetime, near_working_days: int
) -> Notice | None:
    clock, progress = stage.clock, stage.progress
    if clock is None or clock.due_on is None or clock.stopped or progress.status in _DONE:
        return None
    today = date_in_china(at)
    if clock.over:
        kind = NoticeKind.OVERDUE
    elif today >= clock.started_on and book.calendar.working_days_between(today, clock.due_on) <= near_working_days:
        if clock.limit_working_days is not None and clock.limit_working_days <= near_working_days:
            return None  # near from its first day on: the limit itself was told
        kind = NoticeKind.DEADLINE_NEAR
    else:
        return None
    facts = {"stage": progress.stage.value, "due_on": clock.due_on.isoformat()}
    return Notice(f"{kind}/{application_id}/{progress.stage}", application_id, kind, at, facts)
