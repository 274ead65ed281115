"""Progress, put together from what other rooms keep. Nothing here is decided."""

from datetime import datetime
from typing import Any

import orjson

from gateway.applications.deadlines import deadlines
from gateway.applications.errors import ApplicationUnknown
from gateway.applications.lifecycle import LifecycleStatus
from gateway.applications.model import GridConnectionApplication
from gateway.applications.purge_receipts import PURGE_WORKING_DAYS, purge_by
from gateway.applications.review_views import look_views
from gateway.applications.rule_book import RuleBook, RulesNow
from gateway.applications.views import class_view, stage_view, whole_view
from gateway.approvals.commitments import commitment_path
from gateway.approvals.deadlines import PermitDeadline, review_deadlines
from gateway.approvals.permit_states import PermitStatus
from gateway.approvals.ports import KeptReview
from gateway.approvals.views import permit_summaries, review_view
from gateway.authorisations.model import Authorisation
from gateway.clock import Clock
from gateway.contracts.views import standing_of
from gateway.delivery.ports import DeliveryState
from gateway.errors import Owner
from gateway.identity.model import VerifiedApplicant
from gateway.identity.sessions import applicant_in
from gateway.licences.service import DISCLOSED
from gateway.progress.bundles import ACTION as BUNDLES
from gateway.progress.bundles import given_whole
from gateway.progress.ports import ProgressTransaction, Standing
from gateway.progress.titles import (
    EVERYTHING,
    EVIDENCE,
    document_title,
    field_titles,
    withheld_views,
)
from gateway.rechecks.views import document_progress
from gateway.records.entries import digest
from gateway.records.log import record_id
from gateway.records.ports import StoredEntry
from gateway.transaction import Transactions
from schemas.applicant_api import (
    AccessView,
    ApplicationSummary,
    DocumentProgress,
    OutcomeView,
    PermitProgress,
    ProgressView,
    WithdrawalProgress,
)
from schemas.contracts import ContractStanding
from schemas.departments import ReviewMode
from schemas.events import EventType
from schemas.partner_api import PauseView

MOST_APPLICATIONS = 50
WITHDRAWALS = (EventType.AUTHORISATION_WITHDRAWN, EventType.APPLICATION_WITHDRAWN)
"""What tells a utility to stop and to purge; the first of them ends the authorisation."""
PARTIES, PARTIES_SHOWN = "parties", "application.parties_shown"
"""The applicant's own data, and that an officer was shown them."""


class ProgressService:
    """进度查询."""

    def __init__(
        self,
        transactions: Transactions[ProgressTransaction],
        rules: RulesNow,
        clock: Clock,
        purge_working_days: int = PURGE_WORKING_DAYS,
    ) -> None:
        self._transactions = transactions
        self._rules = rules
        self._clock = clock
        self._purge_working_days = purge_working_days

    async def progress(self, application_id: str, holder_digest: str) -> ProgressView:
        """One application of this holder's. Raises ``ApplicationUnknown``, for another's too."""
        now = self._clock()
        return await self._transactions.read(lambda tx: self._read(tx, application_id, holder_digest, now))

    async def standing(self, application_id: str, session_token: str) -> tuple[VerifiedApplicant, ProgressView]:
        """Who holds the secret, and how their application stands, both of one moment; without who looked at what.

        Raises ``SessionRequired``, ``VerificationFailed``, ``ApplicationUnknown``, for another's too.
        """
        now = self._clock()

        def read(tx: ProgressTransaction) -> tuple[VerifiedApplicant, ProgressView]:
            applicant = applicant_in(tx, session_token, now)
            own = _own(tx, application_id, applicant.holder_digest)
            return applicant, self.read_any(tx, own, now, accesses=False)

        return await self._transactions.read(read)

    async def applications(self, holder_digest: str) -> list[ApplicationSummary]:
        """The holder's applications, newest first, at most fifty."""
        mine = await self._transactions.read(lambda tx: tx.applications.of_holder(holder_digest, MOST_APPLICATIONS))
        return [
            ApplicationSummary(
                application_id=each.application_id,
                customer_class=class_view(each.derivation),
                status=each.lifecycle.status.value,
                received_at=each.received_at,
            )
            for each in mine
        ]

    async def require_own(self, application_id: str, holder_digest: str) -> None:
        """Raises ``ApplicationUnknown`` where the application is not this holder's."""
        await self._transactions.read(lambda tx: _own(tx, application_id, holder_digest))

    def _read(self, tx: ProgressTransaction, application_id: str, holder_digest: str, now: datetime) -> ProgressView:
        return self.read_any(tx, _own(tx, application_id, holder_digest), now)

    def read_any(
        self,
        tx: ProgressTransaction,
        standing: Standing,
        now: datetime,
        *,
        accesses: bool = True,
    ) -> ProgressView:
        """Whoever's it is: the caller has made sure that it may be seen. Without ``accesses`` nobody looks for them."""
        application, authorisation, review = standing
        application_id = application.application_id
        under_way = application.lifecycle.closed_at is None
        rules = self._rules()
        limits = deadlines(application.lifecycle, application.region, rules, now)
        return ProgressView(
            application_id=application_id,
            utility=application.utility,
            customer_class=class_view(application.derivation),
            status=application.lifecycle.status.value,
            received_at=application.received_at,
            closed_at=application.lifecycle.closed_at,
            closing_reason=application.lifecycle.closing_reason,
            whole=whole_view(limits.whole),
            stages=[stage_view(stage, application.lifecycle) for stage in limits.stages],
            documents=_documents(tx, application),
            joint_review=review_view(review, rules, now) if review else None,
            permits=permit_progress(review, under_way, rules, now) if review else [],
            authorised_until=authorisation.until if authorisation else None,
            authorisation_withdrawn_at=authorisation.withdrawn_at if authorisation else None,
            withdrawal=self._withdrawal(tx, application, authorisation, now),
            contract=_contract(tx, application_id, now),
            accesses=_accesses(tx, application_id) if accesses else [],
        )

    def _withdrawal(
        self,
        tx: ProgressTransaction,
        application: GridConnectionApplication,
        authorisation: Authorisation | None,
        now: datetime,
    ) -> WithdrawalProgress | None:
        """How far the withdrawal has come with the utility; None where nothing was withdrawn."""
        stands = authorisation is not None and authorisation.withdrawn_at is None
        if stands and application.lifecycle.status is not LifecycleStatus.WITHDRAWN:
            return None  # what tells of it is committed with it
        told = tx.deliveries.of_subject(application.utility, application.application_id, WITHDRAWALS)
        if not told:
            return None
        first = told[0]
        receipts = [attempt.receipt for attempt in first.history if attempt.receipt is not None]
        delivered = first.state is DeliveryState.DELIVERED
        due = purge_by(first.event.at, self._rules().calendar, self._purge_working_days)
        purge = authorisation.purge_receipt if authorisation else None
        return WithdrawalProgress(
            told_at=first.event.at,
            acknowledged_at=first.settled_at if delivered else None,
            receipt_sha256=digest(receipts[-1].document) if delivered and receipts else None,
            stuck=first.state is DeliveryState.DEAD,
            purge_by=due,
            purged_at=authorisation.purged_at if authorisation else None,
            purge_heard_at=authorisation.purge_heard_at if authorisation else None,
            purge_receipt_sha256=digest(purge) if purge else None,
            purge_overdue=purge is None and now > due,
        )


def _own(tx: ProgressTransaction, application_id: str, holder_digest: str) -> Standing:
    standing = tx.standings.of_application(application_id)
    if standing is None or standing.application.holder_digest != holder_digest:
        raise ApplicationUnknown(check="application.unknown", owner=Owner.APPLICANT, remedy="请核对申请编号")
    return standing


def _documents(tx: ProgressTransaction, application: GridConnectionApplication) -> list[DocumentProgress]:
    looks = tx.application_certificates.looks(application.application_id)
    under_way = application.lifecycle.closed_at is None
    return [document_progress(each, looks.get(each.document), under_way=under_way) for each in application.documents]


def _accesses(tx: ProgressTransaction, application_id: str) -> list[AccessView]:
    """谁看过我的信息: officers who looked before it was sent (人工核查), then who asked for certificates, was shown the
    parties, or was given everything (证据包).
    """
    review = tx.reviews.of_application(application_id)
    looks = look_views(tx.reviews.looks(review.task_id)) if review else []
    return looks + [
        access_view(entry)
        for entry in tx.record_reader.of_subject(application_id, (DISCLOSED, PARTIES_SHOWN, BUNDLES))
        if entry.action != BUNDLES or given_whole(orjson.loads(entry.leaf))
    ]


def _contract(tx: ProgressTransaction, application_id: str, now: datetime) -> ContractStanding | None:
    versions = tx.contracts.of_application(application_id)
    return standing_of(versions[-1], now) if versions else None


def permit_progress(kept: KeptReview, under_way: bool, rules: RuleBook, now: datetime) -> list[PermitProgress]:
    """Every permit as its applicant sees it: the same outcomes that the utility gets, and what waits on the applicant.

    ``under_way`` – the application is not closed: then nothing waits on anybody.
    """
    review = kept.review
    standing = review_deadlines(review, rules, now)
    steps = [_next_step(kept, deadline) if under_way else (None, None) for deadline in standing.permits]
    return [
        PermitProgress(
            summary=summary,
            next_step=step,
            next_step_href=href,
            overdue=deadline.clock is not None and deadline.clock.over,
            used_working_days=deadline.clock.used_working_days if deadline.clock else None,
            pauses=[
                PauseView(from_at=pause.from_at, until_at=pause.until_at, reason=pause.reason)
                for pause in deadline.state.pauses
            ],
            outcomes=[
                OutcomeView(
                    outcome=heard.outcome.outcome,
                    decided_at=heard.outcome.decided_at,
                    heard_at=heard.heard_at,
                    reason=heard.outcome.reason,
                    document_number=heard.outcome.document_number,
                    superseded=heard.outcome.outcome_id in deadline.state.superseded,
                    findings=deadline.state.findings_of(heard.outcome.outcome_id),
                )
                for heard in permit.heard
            ],
        )
        for permit, deadline, summary, (step, href) in zip(
            review.permits, standing.permits, permit_summaries(review, standing), steps, strict=True
        )
    ]


def _next_step(kept: KeptReview, permit: PermitDeadline) -> tuple[str | None, str | None]:
    """What waits on the applicant, and where it is done."""
    if permit.state.status is not PermitStatus.WAITING_ON_APPLICANT:
        return None, None
    if permit.mode is ReviewMode.COMMITMENT:
        return "待您办理：阅读并签署告知承诺书", commitment_path(kept.application_id, permit.permit_id)
    return "待您办理：按审批部门的要求补正材料", None


def access_view(stored: StoredEntry) -> AccessView:
    """One disclosure, or refused attempt, as its record entry tells it."""
    entry: dict[str, Any] = orjson.loads(stored.leaf)
    whole: dict[str, Any] = {"kind": EVIDENCE, "purpose": EVIDENCE, "fields": [EVERYTHING]}
    facts: dict[str, Any] = whole if stored.action == BUNDLES else entry["facts"]
    document, fields = facts.get("kind"), facts.get("fields") or []
    clauses = facts.get("clauses") or [facts.get("clause")]
    return AccessView(
        at=entry["at"],
        who=entry["actor"],
        result=entry["result"],
        document=document,
        purpose=facts.get("purpose"),
        fields=fields,
        clause=clauses[0],
        record_id=record_id(stored.log_id, stored.sequence),
        document_title=document_title(document),
        titles=field_titles(document, fields),
        withheld=withheld_views(document, facts.get("withheld") or []),
    )
