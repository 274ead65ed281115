"""Stage events, and the ending: what a utility says it did, heard and stamped by the gateway (第（三）条 如实记录)."""

from dataclasses import dataclass
from datetime import datetime

from gateway.applications.deadlines import deadlines
from gateway.applications.errors import ApplicationUnknown, StageEventContradicts, StageNotInClass
from gateway.applications.lifecycle import StageAction, StageEvent, Step, apply
from gateway.applications.model import GridConnectionApplication
from gateway.applications.ports import StagesTransaction
from gateway.applications.rule_book import RulesNow
from gateway.applications.stages import Stage
from gateway.applications.views import stage_view
from gateway.clock import Clock
from gateway.crypto.keyed_digest import KeyedDigest, Use
from gateway.errors import Owner
from gateway.records.entries import Fact, RecordEntry, digest
from gateway.records.refusals import refusals_recorded
from gateway.transaction import Transactions
from gateway.wording.phrases import Phrase, listed
from schemas.partner_api import EndingRecorded, EndingRequest, StageEventRecorded, StageEventRequest

ENDED = "application.ended"
BOUNDARIES = (StageAction.STARTED, StageAction.COMPLETED)
"""Here certificates are looked at again. The stage does not wait: a change is told to the utility, which decides."""


@dataclass(frozen=True)
class _Heard:
    application: GridConnectionApplication
    step: Step | None
    record_id: str
    duplicate: bool


class StageEventService:
    """环节: takes events, keeps the lifecycle of the class."""

    def __init__(
        self,
        transactions: Transactions[StagesTransaction],
        rules: RulesNow,
        clock: Clock,
        digests: KeyedDigest,
    ) -> None:
        self._transactions = transactions
        self._digests = digests
        self._rules = rules
        self._clock = clock

    async def hear(self, utility: str, application_id: str, request: StageEventRequest) -> StageEventRecorded:
        """Take one event. What the rules refuse is recorded as refused.

        Raises ``ApplicationUnknown``, ``StageEventContradicts`` and what ``lifecycle.apply`` raises.
        """
        now = self._clock()
        content = self._digests.of(Use.STAGE_EVENT, digest(request.model_dump_json()))
        facts: dict[str, Fact] = {"stage": request.stage, "event_sha256": digest(request.event_id)}
        action = f"stage.{request.action}"
        async with refusals_recorded(self._transactions, action, self._clock, utility, application_id, facts):
            event = StageEvent(
                StageAction(request.action), request.claimed_at, parse_stage(request.stage), request.reason
            )
            heard = await self._transactions.write(
                lambda tx: self._hear(tx, utility, application_id, request.event_id, content, event, action, now)
            )
        stages = deadlines(heard.application.lifecycle, heard.application.region, self._rules(), now).stages
        stage = next(each for each in stages if each.progress.stage is event.stage)
        return StageEventRecorded(
            event_id=request.event_id,
            application_id=application_id,
            stage=stage_view(stage, heard.application.lifecycle),
            flags=[flag.value for flag in heard.step.flags] if heard.step else [],
            duplicate=heard.duplicate,
            record_id=heard.record_id,
        )

    async def end(self, utility: str, application_id: str, request: EndingRequest) -> EndingRecorded:
        """The utility ends the application, with its reason; no stage, licence or review follows.

        What the rules refuse is recorded as refused. Raises ``ApplicationUnknown``,
        ``StageEventContradicts``, ``ApplicationClosed``, ``PauseReasonMissing``.
        """
        now = self._clock()
        content = self._digests.of(Use.STAGE_EVENT, digest(request.model_dump_json()))
        facts: dict[str, Fact] = {"event_sha256": digest(request.event_id)}
        event = StageEvent(StageAction.ENDED, request.claimed_at, None, request.reason)
        async with refusals_recorded(self._transactions, ENDED, self._clock, utility, application_id, facts):
            heard = await self._transactions.write(
                lambda tx: self._hear(tx, utility, application_id, request.event_id, content, event, ENDED, now)
            )
        lifecycle = heard.application.lifecycle
        return EndingRecorded(
            event_id=request.event_id,
            application_id=application_id,
            status=lifecycle.status.value,
            ended_at=lifecycle.closed_at or now,
            flags=[flag.value for flag in lifecycle.steps[-1].flags],
            duplicate=heard.duplicate,
            record_id=heard.record_id,
        )

    def _hear(
        self,
        tx: StagesTransaction,
        utility: str,
        application_id: str,
        event_id: str,
        content: str,
        event: StageEvent,
        action: str,
        now: datetime,
    ) -> _Heard:
        application = require_application(tx.applications.find_for_change(application_id), utility)
        known = tx.stage_events.find(application_id, event_id)
        if known is not None:
            if known[0] != content:
                raise StageEventContradicts(
                    check="stage_event.contradicts",
                    owner=Owner.UTILITY,
                    remedy="该事件编号已用于另一内容；新的事件请使用新的编号",
                )
            return _Heard(application, None, known[1], duplicate=True)
        lifecycle = apply(application.lifecycle, event, now)
        step = lifecycle.steps[-1]
        tx.applications.put_lifecycle(application_id, lifecycle)
        record_id = tx.records.append(
            RecordEntry(
                action,
                now,
                utility,
                application_id,
                facts={
                    "stage": event.stage.value if event.stage else None,
                    "claimed_at": step.claimed_at.isoformat(),
                    "counted_at": step.counted_at.isoformat(),
                    "flags": [flag.value for flag in step.flags],
                    "reason_digest": self._digests.commitment(Use.REASON, f"{application_id}/{event_id}", event.reason)
                    if event.reason
                    else None,
                },
            )
        )
        tx.stage_events.add(application_id, event_id, content, record_id, now)
        if event.action in BOUNDARIES and lifecycle.closed_at is None:
            tx.recheck_queue.ask_at_stage(application_id, now)
        changed = GridConnectionApplication(**{**application.__dict__, "lifecycle": lifecycle})
        return _Heard(changed, step, record_id, duplicate=False)


def parse_stage(name: str) -> Stage:
    """The stage of that name. Raises ``StageNotInClass`` for a name that no class has (第（六）条)."""
    try:
        return Stage(name)
    except ValueError:
        raise StageNotInClass(
            check="stages.unknown",
            owner=Owner.UTILITY,
            remedy=Phrase("不得增设环节；可用环节：{stages}", stages=listed(stage.value for stage in Stage)),
            clause="第（六）条",
        ) from None


def require_application(application: GridConnectionApplication | None, utility: str) -> GridConnectionApplication:
    """The application, if it is this utility's. Raises ``ApplicationUnknown``: another's is as if it were not there."""
    if application is None or application.utility != utility:
        raise ApplicationUnknown(check="application.unknown", owner=Owner.CALLER, remedy="请核对申请编号")
    return application
