"""How an application stands against its limits: per stage, and as a whole.

The first stage's clock runs from the day of receipt, and that of a stage before which the applicant has nothing to do
(供电方案答复) from the completion of the stage before, whenever the utility says that it began; every other stage's
from its start. Pauses with a reason stop the clock of their stage and of the whole.
"""

from dataclasses import dataclass
from datetime import datetime

from gateway.applications.lifecycle import Lifecycle, StageProgress, StageStatus
from gateway.applications.rule_book import RuleBook
from gateway.applications.stages import FOLLOWS_AT_ONCE
from gateway.applications.time_limits import (
    LimitBasis,
    StageLimitRow,
    WholeLimitRow,
    stage_limit,
    whole_process_limit,
)
from gateway.applications.working_days import ClockReading, Pause, WorkingCalendar, read_clock
from gateway.clock import date_in_china


@dataclass(frozen=True)
class StageDeadline:
    """One stage against its limit; ``clock`` is None as long as the stage has not begun to count."""

    progress: StageProgress
    limit: StageLimitRow
    clock: ClockReading | None


@dataclass(frozen=True)
class WholeDeadline:
    """The whole against its limit.

    For ``LimitBasis.ELAPSED`` ``clock`` has the due day. For ``STAGES_SUM`` there is no single due day, so ``clock`` is
    None, and what counts is ``used_working_days`` of all stages together.
    """

    limit: WholeLimitRow
    used_working_days: int
    over: bool
    provisional: bool
    clock: ClockReading | None


@dataclass(frozen=True)
class Deadlines:
    """Every stage of the class in order, and the whole."""

    stages: tuple[StageDeadline, ...]
    whole: WholeDeadline


def deadlines(lifecycle: Lifecycle, region: str, rules: RuleBook, at: datetime) -> Deadlines:
    """The limits of an application in ``region`` (GB/T 2260) as they stand at the aware instant ``at``.

    It is judged by the rows in force on the China date it was received. Raises ``NoRuleInForce``, ``RegionMalformed``.
    """
    received_on = date_in_china(lifecycle.received_at)
    every, calendar = lifecycle.progress(), rules.calendar
    stages = tuple(
        StageDeadline(
            progress=progress,
            limit=(
                limit := stage_limit(lifecycle.customer_class, progress.stage, received_on, region, rules.stage_limits)
            ),
            clock=_stage_clock(lifecycle, progress, limit, _began_at(lifecycle, progress, before), calendar, at),
        )
        for before, progress in zip((None, *every), every, strict=False)
    )
    whole = whole_process_limit(lifecycle.customer_class, received_on, region, rules.whole_limits)
    if whole.basis is LimitBasis.STAGES_SUM:
        return Deadlines(stages, _sum_of_stages(stages, whole))
    return Deadlines(stages, _elapsed(lifecycle, stages, whole, calendar, at))


def _began_at(lifecycle: Lifecycle, progress: StageProgress, before: StageProgress | None) -> datetime | None:
    """From when a stage counts; an application that was closed before it came so far never began to count it."""
    if before is None:
        return lifecycle.received_at
    if progress.stage not in FOLLOWS_AT_ONCE:
        return progress.started_at
    return before.ended_at if before.status is StageStatus.COMPLETED else None


def _stage_clock(
    lifecycle: Lifecycle,
    progress: StageProgress,
    limit: StageLimitRow,
    began_at: datetime | None,
    calendar: WorkingCalendar,
    at: datetime,
) -> ClockReading | None:
    if began_at is None:
        return None
    return read_clock(
        calendar,
        started_on=date_in_china(began_at),
        limit_working_days=limit.working_days,
        pauses=progress.pauses,
        ended_at=progress.ended_at or lifecycle.closed_at,
        at=at,
    )


def _sum_of_stages(stages: tuple[StageDeadline, ...], limit: WholeLimitRow) -> WholeDeadline:
    clocks = [stage.clock for stage in stages if stage.clock is not None]
    used = sum(clock.used_working_days for clock in clocks)
    over = limit.working_days is not None and used > limit.working_days
    return WholeDeadline(limit, used, over, any(clock.provisional for clock in clocks), None)


def _elapsed(
    lifecycle: Lifecycle,
    stages: tuple[StageDeadline, ...],
    limit: WholeLimitRow,
    calendar: WorkingCalendar,
    at: datetime,
) -> WholeDeadline:
    pauses: list[Pause] = [pause for stage in stages for pause in stage.progress.pauses]
    clock = read_clock(
        calendar,
        started_on=date_in_china(lifecycle.received_at),
        limit_working_days=limit.working_days,
        pauses=pauses,
        ended_at=lifecycle.closed_at,
        at=at,
    )
    return WholeDeadline(limit, clock.used_working_days, clock.over, clock.provisional, clock)
