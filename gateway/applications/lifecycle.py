"""The lifecycle of an application: its class's stages, in order, once each (第（三）条 如实记录).

A lifecycle is an immutable list of steps; everything else is read from them. Each step keeps the time its sender
claims beside the time the gateway heard of it, and is never edited; ``claimed_times`` says which of them counts.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from functools import cached_property
from typing import Any

from gateway.applications.claimed_times import DEFAULT_TOLERANCE, BackdatedReason, Tolerance, judge_time
from gateway.applications.customer_classes import CustomerClass
from gateway.applications.errors import (
    ApplicationClosed,
    PauseReasonMissing,
    StageNotOpen,
    StageReentered,
    StageSkipped,
)
from gateway.applications.stages import Stage, require_stage, stages_of
from gateway.applications.working_days import Pause
from gateway.errors import Owner
from gateway.wording.phrases import Phrase

CLAUSE = "第（三）条"


class StageAction(StrEnum):
    """What can happen; the last two end the application and name no stage. The wire uses the same words."""

    STARTED = "started"
    COMPLETED = "completed"
    PAUSED = "paused"
    RESUMED = "resumed"
    WITHDRAWN = "withdrawn"
    ENDED = "ended"


CLOSING = (StageAction.WITHDRAWN, StageAction.ENDED)


class StageStatus(StrEnum):
    """Where a stage stands."""

    PENDING = "pending"
    UNDER_WAY = "under_way"
    PAUSED = "paused"
    COMPLETED = "completed"
    ABANDONED = "abandoned"


class LifecycleStatus(StrEnum):
    """Where the application stands: between stages it is ``waiting``."""

    WAITING = "waiting"
    UNDER_WAY = "under_way"
    PAUSED = "paused"
    COMPLETED = "completed"
    WITHDRAWN = "withdrawn"
    ENDED = "ended"


@dataclass(frozen=True)
class StageEvent:
    """What a sender says happened, and when (``claimed_at``, aware)."""

    action: StageAction
    claimed_at: datetime
    stage: Stage | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Step:
    """An event as it was recorded. ``flags`` empty means its claimed time counts."""

    action: StageAction
    stage: Stage | None
    claimed_at: datetime
    heard_at: datetime
    counted_at: datetime
    reason: str | None = None
    flags: tuple[BackdatedReason, ...] = ()

    @property
    def backdated(self) -> bool:
        """Whether the claimed time was not taken at its word."""
        return bool(self.flags)


@dataclass(frozen=True)
class StageProgress:
    """One stage as the steps tell it; times are counted times."""

    stage: Stage
    status: StageStatus = StageStatus.PENDING
    started_at: datetime | None = None
    ended_at: datetime | None = None
    pauses: tuple[Pause, ...] = ()


@dataclass(frozen=True)
class Lifecycle:
    """An application of ``customer_class`` received at ``received_at``, and the steps heard of since."""

    customer_class: CustomerClass
    received_at: datetime
    steps: tuple[Step, ...] = ()

    def progress(self) -> tuple[StageProgress, ...]:
        """Every stage of the class, in order."""
        return self._stages

    @cached_property
    def _stages(self) -> tuple[StageProgress, ...]:
        # Asked for by whatever else is here, and goes with this very lifecycle, which nobody changes.
        stages = {stage: StageProgress(stage) for stage in stages_of(self.customer_class)}
        for step in self.steps:
            for stage in [step.stage] if step.stage else list(stages):
                stages[stage] = _advance(stages[stage], step)
        return tuple(stages.values())

    def current(self) -> StageProgress | None:
        """The stage under way or paused, else the next to start; None when the application is closed."""
        if self.closed_at is not None:
            return None
        return next(stage for stage in self.progress() if stage.status is not StageStatus.COMPLETED)

    @property
    def status(self) -> LifecycleStatus:
        """Where the application stands."""
        if self.steps and self.steps[-1].action in CLOSING:
            withdrawn = self.steps[-1].action is StageAction.WITHDRAWN
            return LifecycleStatus.WITHDRAWN if withdrawn else LifecycleStatus.ENDED
        statuses = [stage.status for stage in self.progress()]
        if all(status is StageStatus.COMPLETED for status in statuses):
            return LifecycleStatus.COMPLETED
        if StageStatus.PAUSED in statuses:
            return LifecycleStatus.PAUSED
        return LifecycleStatus.UNDER_WAY if StageStatus.UNDER_WAY in statuses else LifecycleStatus.WAITING

    @property
    def closed_at(self) -> datetime | None:
        """When the application was completed, withdrawn or ended (counted time), or None."""
        closed = (LifecycleStatus.COMPLETED, LifecycleStatus.WITHDRAWN, LifecycleStatus.ENDED)
        return self.steps[-1].counted_at if self.status in closed else None

    @property
    def closing_reason(self) -> str | None:
        """Why it was ended, where a reason was given."""
        return self.steps[-1].reason if self.steps and self.steps[-1].action in CLOSING else None


def apply(
    lifecycle: Lifecycle, event: StageEvent, heard_at: datetime, tolerance: Tolerance = DEFAULT_TOLERANCE
) -> Lifecycle:
    """The lifecycle after ``event``, heard of at the aware instant ``heard_at``.

    Raises ``StageSkipped``, ``StageReentered``, ``StageNotOpen``, ``StageNotInClass``, ``ApplicationClosed``,
    ``PauseReasonMissing``; the lifecycle is then as it was. ``ValueError`` for naive times or an event that names a
    stage when it must not, or does not when it must.
    """
    _require_well_formed(event, heard_at)
    current = lifecycle.current()
    if current is None:
        raise ApplicationClosed(
            check="lifecycle.closed", owner=Owner.UTILITY, remedy="申请已终结，不得后补环节记录。", clause=CLAUSE
        )
    if event.action in (StageAction.PAUSED, StageAction.ENDED) and not (event.reason or "").strip():
        raise PauseReasonMissing(
            check="lifecycle.reason", owner=Owner.UTILITY, remedy="请说明暂停或终止的理由后重新报送。", clause=CLAUSE
        )
    if event.stage is not None:
        require_stage(lifecycle.customer_class, event.stage)
        _require_in_order(lifecycle, current, event.action, event.stage)
    return replace(lifecycle, steps=(*lifecycle.steps, _record(lifecycle, event, heard_at, tolerance)))


def _require_well_formed(event: StageEvent, heard_at: datetime) -> None:
    if event.claimed_at.tzinfo is None or heard_at.tzinfo is None:
        raise ValueError("times are aware")
    if (event.stage is None) != (event.action in CLOSING):
        raise ValueError("a stage event names its stage, a closing event names none")


def _require_in_order(lifecycle: Lifecycle, current: StageProgress, action: StageAction, stage: Stage) -> None:
    order = stages_of(lifecycle.customer_class)
    named, expected = Phrase(stage.chinese_title), Phrase(current.stage.chinese_title)
    if order.index(stage) < order.index(current.stage):
        raise StageReentered(
            check="lifecycle.reentered",
            owner=Owner.UTILITY,
            remedy=Phrase("“{stage}”环节已办结，不得重走；当前环节为“{expected}”。", stage=named, expected=expected),
            clause=CLAUSE,
        )
    if stage is not current.stage:
        raise StageSkipped(
            check="lifecycle.skipped",
            owner=Owner.UTILITY,
            remedy=Phrase(
                "“{expected}”环节尚未办结，不得跳至“{stage}”；请先如实报送“{expected}”。",
                stage=named,
                expected=expected,
            ),
            clause=CLAUSE,
        )
    if action is StageAction.STARTED and current.status is not StageStatus.PENDING:
        raise StageReentered(
            check="lifecycle.reentered",
            owner=Owner.UTILITY,
            remedy=Phrase("“{stage}”环节已开始，不得重复开始。", stage=named),
            clause=CLAUSE,
        )
    needed = {
        StageAction.COMPLETED: StageStatus.UNDER_WAY,
        StageAction.PAUSED: StageStatus.UNDER_WAY,
        StageAction.RESUMED: StageStatus.PAUSED,
    }
    if action in needed and current.status is not needed[action]:
        raise StageNotOpen(
            check="lifecycle.not_open",
            owner=Owner.UTILITY,
            remedy=Phrase("“{stage}”环节须先开始且未处于暂停状态，方可暂停或办结；处于暂停状态方可恢复。", stage=named),
            clause=CLAUSE,
        )


def _record(lifecycle: Lifecycle, event: StageEvent, heard_at: datetime, tolerance: Tolerance) -> Step:
    previous_at = lifecycle.steps[-1].counted_at if lifecycle.steps else lifecycle.received_at
    judged = judge_time(event.claimed_at, heard_at, previous_at, tolerance)
    return Step(
        action=event.action,
        stage=event.stage,
        claimed_at=event.claimed_at.astimezone(UTC),
        heard_at=heard_at.astimezone(UTC),
        counted_at=judged.counted_at,
        reason=event.reason,
        flags=judged.flags,
    )


def _advance(progress: StageProgress, step: Step) -> StageProgress:
    at = step.counted_at
    match step.action:
        case StageAction.STARTED:
            return replace(progress, status=StageStatus.UNDER_WAY, started_at=at)
        case StageAction.PAUSED:
            pause = Pause(at, None, step.reason or "")
            return replace(progress, status=StageStatus.PAUSED, pauses=(*progress.pauses, pause))
        case StageAction.RESUMED:
            return replace(progress, status=StageStatus.UNDER_WAY, pauses=_close_last(progress.pauses, at))
        case StageAction.COMPLETED:
            return replace(progress, status=StageStatus.COMPLETED, ended_at=at)
        case StageAction.WITHDRAWN | StageAction.ENDED:
            if progress.status not in (StageStatus.UNDER_WAY, StageStatus.PAUSED):
                return progress
            pauses = _close_last(progress.pauses, at)
            return replace(progress, status=StageStatus.ABANDONED, ended_at=at, pauses=pauses)


def _close_last(pauses: tuple[Pause, ...], at: datetime) -> tuple[Pause, ...]:
    if not pauses or pauses[-1].until_at is not None:
        return pauses
    return (*pauses[:-1], replace(pauses[-1], until_at=at))


def to_json(lifecycle: Lifecycle) -> dict[str, Any]:
    """A plain, JSON-serialisable form for storage; times are RFC 3339 in UTC."""
    return {
        "customer_class": lifecycle.customer_class.value,
        "received_at": lifecycle.received_at.astimezone(UTC).isoformat(),
        "steps": [
            {
                "action": step.action.value,
                "stage": step.stage.value if step.stage else None,
                "claimed_at": step.claimed_at.isoformat(),
                "heard_at": step.heard_at.isoformat(),
                "counted_at": step.counted_at.isoformat(),
                "reason": step.reason,
                "flags": [flag.value for flag in step.flags],
            }
            for step in lifecycle.steps
        ],
    }


def from_json(stored: dict[str, Any]) -> Lifecycle:
    """What ``to_json`` wrote. Raises ``KeyError`` or ``ValueError`` for anything else; nothing is judged again."""
    return Lifecycle(
        customer_class=CustomerClass(stored["customer_class"]),
        received_at=datetime.fromisoformat(stored["received_at"]),
        steps=tuple(
            Step(
                action=StageAction(step["action"]),
                stage=Stage(step["stage"]) if step["stage"] else None,
                claimed_at=datetime.fromisoformat(step["claimed_at"]),
                heard_at=datetime.fromisoformat(step["heard_at"]),
                counted_at=datetime.fromisoformat(step["counted_at"]),
                reason=step["reason"],
                flags=tuple(BackdatedReason(flag) for flag in step["flags"]),
            )
            for step in stored["steps"]
        ),
    )
