"""人工核查: an officer settles what no comparison may decide, once, having looked at it – and both are on record.

A task is opened by a confirmation. An officer is shown the compared values, read anew from the certificates: an access
that is recorded and that the applicant sees. Then the officer accepts or rejects, with a reason.

Accepted, everything that the confirmation rested on is judged anew, because days may have passed: each certificate by
the policy of its kind, the agent's authorisation, and every comparison. Only if all of it comes out as it did when the
applicant confirmed, the very code of a confirmation submits the application – the settlement, the application, its
authorisation, record and outbox row are one commit. Otherwise nothing is settled, and the officer is told what changed.
"""

import re
import unicodedata
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from datetime import datetime

from gateway.applications.confirmation import Ids, findings_about, prepare, submit
from gateway.applications.customer_classes import ClassDerivation, derive_class
from gateway.applications.errors import (
    ReasonTellsPerson,
    ReviewNotLookedAt,
    ReviewNotVerifiable,
    ReviewOutdated,
    ReviewSettled,
    ReviewUnknown,
)
from gateway.applications.intake import remove_intake
from gateway.applications.model import Party
from gateway.applications.ports import IntakeTransaction
from gateway.applications.reconciliation.facts import Facts
from gateway.applications.reconciliation.finding import ComparedValue, Finding
from gateway.applications.reconciliation.normal_forms import code_form
from gateway.applications.reconciliation.reconcile import compared_values, reconcile
from gateway.applications.review_reading import Reread, ReviewReader
from gateway.applications.review_tasks import Look, LookedAt, ReviewState, ReviewTask, Settlement
from gateway.applications.review_views import review_view
from gateway.applications.rule_book import RuleBook, RulesNow
from gateway.applications.stored_intake import StoredIntake
from gateway.applications.submission import Submitted
from gateway.applications.utilities import utilities_of
from gateway.clock import Clock, date_in_china
from gateway.crypto.keyed_digest import KeyedDigest, Use
from gateway.errors import Owner
from gateway.ids import MakeId
from gateway.partners.directory import Directory, DirectorySnapshot
from gateway.records.entries import Fact, RecordEntry
from gateway.records.refusals import refusals_recorded
from gateway.transaction import Transactions
from schemas.applicant_api import Confirmation, ReviewView
from schemas.operator_api import SettlementRequest

LOOKED_AT, SETTLED = "review.looked_at", "review.settled"
MOST_OF_A_HOLDER = 50
_NUMBER = re.compile(
    r"(?<![0-9A-Z])(?:[0-9]{15}|[0-9]{17}[0-9X]|[0-9A-HJ-NPQRTUWXY]{2}[0-9]{6}[0-9A-HJ-NPQRTUWXY]{10}|1[3-9][0-9]{9})"
    r"(?![0-9A-Z])"
)
"""公民身份号码, old and new, 统一社会信用代码, or the number of a mobile telephone."""


@dataclass(frozen=True)
class SettledReview:
    """A settlement that is durable, and the application that it made, if it did."""

    task: ReviewTask
    submitted: Submitted | None
    record_id: str


class ReviewService:
    """核查任务."""

    def __init__(
        self,
        transactions: Transactions[IntakeTransaction],
        reader: ReviewReader,
        partners: Directory,
        rules: RulesNow,
        clock: Clock,
        make_id: MakeId,
        gateway_name: str,
        digests: KeyedDigest,
    ) -> None:
        self._transactions = transactions
        self._digests = digests
        self._reader = reader
        self._partners = partners
        self._rules = rules
        self._clock = clock
        self._make_id = make_id
        self._gateway_name = gateway_name

    async def listed(self, state: ReviewState | None, limit: int) -> Sequence[ReviewTask]:
        """Tasks in ``state``, or all, the oldest first."""
        return await self._transactions.read(lambda tx: tx.reviews.listed(state, limit))

    async def find(self, task_id: str) -> ReviewTask:
        """One task, without the values. Raises ``ReviewUnknown``."""
        return await self._transactions.read(lambda tx: _require(tx, task_id))

    async def of_intake(self, intake_id: str, holder_digest: str) -> ReviewView:
        """The applicant's own review, also after it has ended. Raises ``ReviewUnknown``, for another's too."""

        def read(tx: IntakeTransaction) -> ReviewView:
            task = tx.reviews.of_intake(intake_id)
            if task is None or task.holder_digest != holder_digest:
                raise _unknown(Owner.APPLICANT)
            return review_view(task, tx.reviews.looks(task.task_id))

        return await self._transactions.read(read)

    async def of_holder(self, holder_digest: str) -> list[ReviewView]:
        """The applicant's own reviews, the newest first."""

        def read(tx: IntakeTransaction) -> list[ReviewView]:
            own = tx.reviews.of_holder(holder_digest, MOST_OF_A_HOLDER)
            return [review_view(task, tx.reviews.looks(task.task_id)) for task in own]

        return await self._transactions.read(read)

    async def look(self, task_id: str, officer: str, caller: str) -> LookedAt:
        """Show the compared values to ``officer``; ``caller`` is the partner or the command that asks.

        Raises ``ReviewUnknown``, ``ReviewSettled``; a refusal is recorded too.
        """
        now = self._clock()
        async with self._refusals(LOOKED_AT, caller, task_id, officer):
            task, stored = await self._transactions.read(lambda tx: _require_open(tx, task_id, now))
            reread = await self._reader.read(stored, now)
            shown = tuple((each, compared_values(reread.facts, each.comparison)) for each in task.findings)
            record_id = await self._transactions.write(lambda tx: self._looked(tx, task_id, officer, caller, shown))
        return LookedAt(task, shown, (*reread.gone, *reread.unknown), record_id)

    def _looked(
        self,
        tx: IntakeTransaction,
        task_id: str,
        officer: str,
        caller: str,
        shown: Sequence[tuple[Finding, Sequence[ComparedValue]]],
    ) -> str:
        at = self._clock()
        task, _ = _require_open(tx, task_id, at)
        fields = tuple(dict.fromkeys(f"{value.side.value}：{value.label}" for _, values in shown for value in values))
        facts: dict[str, Fact] = {
            "intake": task.intake_id,
            "officer": officer,
            "comparisons": [finding.comparison for finding, _ in shown],
            "fields": list(fields),
        }
        record_id = tx.records.append(RecordEntry(LOOKED_AT, at, caller, task_id, facts=facts))
        tx.reviews.add_look(Look(task_id, officer, caller, at, fields, record_id))
        return record_id

    async def settle(self, task_id: str, request: SettlementRequest, caller: str) -> SettledReview:
        """Accept or reject, once. Raises ``ReviewUnknown``, ``ReviewSettled``, ``ReviewNotLookedAt``,
        ``ReasonTellsPerson``; of an acceptance also ``ReviewOutdated``, ``ReviewNotVerifiable``, ``NoUtility``,
        ``AuthorisationPeriodUnsound``. A refusal settles nothing, and is recorded.
        """
        now = self._clock()
        async with self._refusals(SETTLED, caller, task_id, request.officer):
            task, stored = await self._transactions.read(
                lambda tx: _require_settleable(tx, task_id, request, caller, now)
            )
            reread = await self._reader.read(stored, now)
            _require_silent(request.reason, stored.party, reread.facts, task)
            if request.decision == "rejected":
                return await self._transactions.write(
                    lambda tx: _reject(tx, task_id, request, caller, now, self._digests)
                )
            derivation = _rederived(stored, now, self._rules())
            _require_unchanged(stored, reread)
            snapshot = await self._partners.snapshot()
            ids = Ids(*(self._make_id(kind) for kind in ("app", "auth", "evt")))
            return await self._transactions.write(
                lambda tx: self._accept(tx, task_id, request, caller, snapshot, derivation, ids, now)
            )

    def _accept(
        self,
        tx: IntakeTransaction,
        task_id: str,
        request: SettlementRequest,
        caller: str,
        snapshot: DirectorySnapshot,
        derivation: ClassDerivation,
        ids: Ids,
        now: datetime,
    ) -> SettledReview:
        task, stored = _require_settleable(tx, task_id, request, caller, now)
        settled = replace(stored, derivation=derivation)
        confirmation = Confirmation.model_validate(stored.confirmation)
        serving = utilities_of(snapshot, stored.demand.region)
        prepared = prepare(settled, task.holder_digest, confirmation, serving, self._gateway_name, ids, now)
        ended = _end(tx, task, request, caller, now, ids.application_id)
        if not tx.intakes.remove(task.intake_id, under_review=True):
            raise _settled()
        submitted = submit(tx, prepared, settled, task.intake_id)
        return SettledReview(ended, submitted, _record(tx, ended, caller, now, self._digests))

    def _refusals(self, action: str, caller: str, task_id: str, officer: str) -> AbstractAsyncContextManager[None]:
        return refusals_recorded(self._transactions, action, self._clock, caller, task_id, {"officer": officer})


def _reject(
    tx: IntakeTransaction,
    task_id: str,
    request: SettlementRequest,
    caller: str,
    now: datetime,
    digests: KeyedDigest,
) -> SettledReview:
    task, _ = _require_settleable(tx, task_id, request, caller, now)
    ended = _end(tx, task, request, caller, now, None)
    remove_intake(tx, task.intake_id, task.holder_digest)
    return SettledReview(ended, None, _record(tx, ended, caller, now, digests))


def _end(
    tx: IntakeTransaction,
    task: ReviewTask,
    request: SettlementRequest,
    caller: str,
    now: datetime,
    application_id: str | None,
) -> ReviewTask:
    settlement = Settlement(
        state=ReviewState(request.decision),
        at=now,
        officer=request.officer,
        settled_by=caller,
        reason=request.reason,
        application_id=application_id,
    )
    if not tx.reviews.settle(task.task_id, settlement):
        raise _settled()
    return replace(
        task,
        state=settlement.state,
        settled_at=now,
        officer=request.officer,
        settled_by=caller,
        reason=request.reason,
        application_id=application_id,
    )


def _record(tx: IntakeTransaction, task: ReviewTask, caller: str, now: datetime, digests: KeyedDigest) -> str:
    facts: dict[str, Fact] = {
        "intake": task.intake_id,
        "officer": task.officer,
        "decision": task.state.value,
        "no_interest": True,
        "reason_digest": digests.commitment(Use.REASON, task.task_id, task.reason) if task.reason else None,
        "application": task.application_id,
        "comparisons": [f"{each.comparison}:{each.reason}" for each in task.findings],
    }
    return tx.records.append(RecordEntry(SETTLED, now, caller, task.task_id, facts=facts))


def _require(tx: IntakeTransaction, task_id: str) -> ReviewTask:
    task = tx.reviews.find(task_id)
    if task is None:
        raise _unknown(Owner.CALLER)
    return task


def _require_open(tx: IntakeTransaction, task_id: str, now: datetime) -> tuple[ReviewTask, StoredIntake]:
    task = _require(tx, task_id)
    body = tx.intakes.find_under_review(task.intake_id, now)
    if task.state is not ReviewState.OPEN or body is None:
        raise _settled()
    return task, StoredIntake.from_json(body)


def _require_settleable(
    tx: IntakeTransaction, task_id: str, request: SettlementRequest, caller: str, now: datetime
) -> tuple[ReviewTask, StoredIntake]:
    task, stored = _require_open(tx, task_id, now)
    if not any((look.officer, look.looked_by) == (request.officer, caller) for look in tx.reviews.looks(task_id)):
        raise ReviewNotLookedAt(
            check="review.not_looked_at", owner=Owner.CALLER, remedy="请先查看比对内容（将留痕），再作出决定"
        )
    return task, stored


def _require_silent(reason: str, party: Party, facts: Facts, task: ReviewTask) -> None:
    """Raises ``ReasonTellsPerson`` for a number, and for whatever the applicant gave or the officer was shown.

    What cannot be had of the certificates now is not looked for: a rejection does not wait for a source.
    """
    shown = [value.value for each in task.findings for value in compared_values(facts, each.comparison)]
    values = {party.name, party.code, party.person_name, party.person_code, party.address, *shown}
    told, forms = _read_closely(reason), {_read_closely(value) for value in values if value}
    if _NUMBER.search(told) or any(form in told for form in forms if len(form) > 1):
        raise ReasonTellsPerson(
            check="review.reason", owner=Owner.CALLER, remedy="理由将告知申请人并留存：请勿写入姓名、名称、号码或地址"
        )


def _read_closely(text: str) -> str:
    """``text`` in the form in which values are compared, without what is easily put between: spaces, hyphens, marks."""
    return "".join(each for each in code_form(text) if unicodedata.category(each) != "Cf")


def _rederived(stored: StoredIntake, now: datetime, rules: RuleBook) -> ClassDerivation:
    """The class by the rules of today, which is when the application is received. Raises ``ReviewOutdated``."""
    demand = stored.demand
    on = date_in_china(now)
    derived = derive_class(demand.facts(stored.party.applicant_kind), on, demand.region, rules.ceilings)
    if derived.customer_class is not stored.derivation.customer_class:
        raise _outdated(("customer_class",), "核查期间规则已变，用户类型不同：请不予通过，由申请人重新发起")
    return derived


def _require_unchanged(stored: StoredIntake, reread: Reread) -> None:
    if reread.gone:
        raise _outdated(reread.gone, "所列证照已失效或已更换：请不予通过，由申请人重新发起")
    if reread.unknown:
        raise ReviewNotVerifiable(
            check="review.not_verifiable",
            owner=Owner.GOVERNMENT,
            remedy="来源平台或状态列表暂不可用，所列证照无法重新核验，请稍后再试",
            documents=reread.unknown,
        )
    confirmed = _answers(findings_about(stored, Confirmation.model_validate(stored.confirmation)))
    changed = sorted({comparison for comparison, *_ in confirmed ^ _answers(reconcile(reread.facts))})
    if changed:
        raise _outdated(tuple(changed), "所列比对的结果已与申请人确认时不同：请不予通过，由申请人重新发起")


def _answers(findings: Sequence[Finding]) -> set[tuple[str, str, str]]:
    return {(each.comparison, each.outcome.value, each.reason) for each in findings}


def _outdated(documents: tuple[str, ...], remedy: str) -> ReviewOutdated:
    return ReviewOutdated(check="review.outdated", owner=Owner.CALLER, remedy=remedy, documents=documents)


def _settled() -> ReviewSettled:
    return ReviewSettled(
        check="review.settled", owner=Owner.CALLER, remedy="该任务已办结、放弃或逾期，无需再作决定；可查看其结果"
    )


def _unknown(owner: Owner) -> ReviewUnknown:
    return ReviewUnknown(check="review.unknown", owner=owner, remedy="请核对编号")
