"""The single window (一窗受理): one intake, and every department is asked in parallel.

State, record entry, the departments' requests and the utility's event are one unit of work. An application has one
joint review: the same intake again answers the same review, another one is a conflict.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from gateway.applications.errors import ApplicationClosed
from gateway.applications.model import GridConnectionApplication
from gateway.applications.working_days import WorkingCalendar
from gateway.approvals.deadlines import review_deadlines
from gateway.approvals.departments import Departments
from gateway.approvals.errors import ReviewApplicationUnknown, ReviewContradicts, ReviewNotFound
from gateway.approvals.joint_review import APPROVALS_CLAUSE, JointReview, Permit, sign_commitment
from gateway.approvals.orders import GatewayNames, RequestWriter, compose_review, goes_out
from gateway.approvals.ports import Directory, KeptReview, SingleWindowTransaction
from gateway.approvals.views import permit_summaries, review_view
from gateway.caller import Caller
from gateway.delivery.ports import ChannelKind, EventDraft
from gateway.errors import Owner
from gateway.ids import MakeId
from gateway.partners.directory import DirectorySnapshot
from gateway.records.entries import Fact, RecordEntry, digest
from gateway.records.refusals import refusals_recorded
from gateway.transaction import Transactions
from schemas.events import EventType, ReviewOpened
from schemas.partner_api import JointReviewRequest, JointReviewView

ResultT = TypeVar("ResultT")


@dataclass(frozen=True)
class Answered:
    """``created`` is False where the same intake or commitment was here before and nothing was done again."""

    view: JointReviewView
    created: bool


class SingleWindow:
    """Opens joint reviews for utilities and shows how they stand."""

    def __init__(
        self,
        transactions: Transactions[SingleWindowTransaction],
        directory: Directory,
        departments: Departments,
        calendar: WorkingCalendar,
        names: GatewayNames,
        make_id: MakeId,
    ) -> None:
        self._transactions = transactions
        self._directory = directory
        self._departments = departments
        self._calendar = calendar
        self._requests = RequestWriter(departments, names, make_id)
        self._make_id = make_id

    async def open(self, caller: Caller, application_id: str, request: JointReviewRequest, at: datetime) -> Answered:
        """Take the intake in and send it to every department.

        Raises ``ReviewApplicationUnknown``, ``ApplicationClosed``, ``ReviewUnsound``, ``DepartmentNotConcerned``,
        ``ReviewContradicts``, ``NoRuleInForce``; each refusal is recorded.
        """
        partners = await self._directory.snapshot()
        return await self._write(
            "review.refused",
            caller,
            application_id,
            {"request_sha256": request_digest(request)},
            lambda tx: self._open(tx, caller, application_id, request, partners, at),
            at,
        )

    async def view(self, caller: Caller, application_id: str, at: datetime) -> JointReviewView:
        """The joint review as it stands. Raises ``ReviewApplicationUnknown``, ``ReviewNotFound``."""

        def read(tx: SingleWindowTransaction) -> KeptReview:
            _own(tx.applications.find(application_id), caller)
            return _found(tx.joint_reviews.find_by_application(application_id))

        return review_view(await self._transactions.read(read), self._calendar, at)

    async def commit(
        self, caller: Caller, application_id: str, permit_id: str, commitment: str, at: datetime
    ) -> Answered:
        """Hand in the digest of the commitment that the applicant signed (告知承诺); the department is then asked.

        ``commitment`` is SHA-256 in hexadecimal. Raises ``ReviewApplicationUnknown``, ``ReviewNotFound``,
        ``PermitNotFound``, ``ReviewContradicts``, ``ApplicationClosed``; each refusal is recorded.
        """
        return await self._write(
            "review.commitment_refused",
            caller,
            application_id,
            {"permit": permit_id, "commitment_sha256": commitment},
            lambda tx: self._commit(tx, caller, application_id, permit_id, commitment, at),
            at,
        )

    async def _write(
        self,
        refusal: str,
        caller: Caller,
        application_id: str,
        facts: dict[str, Fact],
        work: Callable[[SingleWindowTransaction], ResultT],
        at: datetime,
    ) -> ResultT:
        async with refusals_recorded(self._transactions, refusal, lambda: at, caller.partner_code, application_id, facts):
            return await self._transactions.write(work)

    def _open(
        self,
        tx: SingleWindowTransaction,
        caller: Caller,
        application_id: str,
        request: JointReviewRequest,
        partners: DirectorySnapshot,
        at: datetime,
    ) -> Answered:
        application = _own(tx.applications.find_for_change(application_id), caller)
        known = tx.joint_reviews.find_by_application(application_id)
        if known is not None:
            if known.request_digest != request_digest(request):
                raise _contradicts("opened", "该申请已按其他内容发起并联审批，请先查询既有审批。")
            return Answered(review_view(known, self._calendar, at), created=False)
        _require_under_way(application)
        review = compose_review(request, application, self._departments, partners, self._make_id, at)
        entry = RecordEntry(
            "review.opened",
            at,
            caller.partner_code,
            application_id,
            facts={
                "review": review.review_id,
                "request_sha256": request_digest(request),
                "permits": [f"{each.permit_id}:{each.department}:{each.permit}:{each.mode}" for each in review.permits],
                "commitments_sha256": [each.commitment for each in review.permits if each.commitment is not None],
            },
        )
        record_id = tx.records.append(entry)
        kept = KeptReview(application_id, application.utility, request.line, request_digest(request), record_id, review)
        tx.joint_reviews.add(kept)
        self._ask(tx, kept, [permit for permit in review.permits if goes_out(permit)], at)
        self._tell_utility(tx, kept, at)
        return Answered(review_view(kept, self._calendar, at), created=True)

    def _commit(
        self,
        tx: SingleWindowTransaction,
        caller: Caller,
        application_id: str,
        permit_id: str,
        commitment: str,
        at: datetime,
    ) -> Answered:
        application = _own(tx.applications.find(application_id), caller)
        kept = _found(tx.joint_reviews.find_by_application_for_change(application_id))
        review = sign_commitment(kept.review, permit_id, commitment)
        before = _permit(kept.review, permit_id)
        if before.commitment is not None:
            if before.commitment != commitment:
                raise _contradicts("commitment", "该事项已提交其他承诺书，承诺书不可替换。")
            return Answered(review_view(kept, self._calendar, at), created=False)
        _require_under_way(application)
        kept = replace(kept, review=review)
        tx.joint_reviews.put(review)
        facts: dict[str, Fact] = {"permit": permit_id, "commitment_sha256": commitment}
        tx.records.append(RecordEntry("review.committed", at, caller.partner_code, application_id, facts=facts))
        self._ask(tx, kept, [_permit(review, permit_id)], at)
        return Answered(review_view(kept, self._calendar, at), created=True)

    def _ask(self, tx: SingleWindowTransaction, kept: KeptReview, permits: list[Permit], at: datetime) -> None:
        deadlines = review_deadlines(kept.review, self._calendar, at)
        for draft in self._requests.drafts(kept, permits, deadlines, at):
            tx.outbox.append(draft)

    def _tell_utility(self, tx: SingleWindowTransaction, kept: KeptReview, at: datetime) -> None:
        opened = ReviewOpened(
            review_id=kept.review.review_id,
            application_id=kept.application_id,
            permits=permit_summaries(kept.review, review_deadlines(kept.review, self._calendar, at)),
        )
        tx.outbox.append(
            EventDraft(
                self._make_id("evt"),
                kept.utility,
                ChannelKind.WEBHOOK,
                EventType.REVIEW_OPENED.value,
                kept.application_id,
                at,
                opened.model_dump(mode="json"),
            )
        )


def request_digest(request: JointReviewRequest) -> str:
    """What tells two intakes apart: the line and the permits, in whatever order they are listed."""
    permits = sorted(request.permits, key=lambda each: (each.department, each.permit))
    return digest(request.model_copy(update={"permits": permits}).model_dump_json())


def _own(application: GridConnectionApplication | None, caller: Caller) -> GridConnectionApplication:
    if application is None or application.utility != caller.partner_code:
        raise ReviewApplicationUnknown(
            check="joint_review.application", owner=Owner.UTILITY, remedy="请核对申请编号；只能办理本单位受理的申请。"
        )
    return application


def _require_under_way(application: GridConnectionApplication) -> None:
    if application.lifecycle.closed_at is not None:
        raise ApplicationClosed(
            check="joint_review.application_closed", owner=Owner.UTILITY, remedy="申请已终结，不能再办理并联审批。"
        )


def _found(kept: KeptReview | None) -> KeptReview:
    if kept is None:
        raise ReviewNotFound(check="joint_review.none", owner=Owner.UTILITY, remedy="请先发起并联审批。")
    return kept


def _permit(review: JointReview, permit_id: str) -> Permit:
    return next(permit for permit in review.permits if permit.permit_id == permit_id)


def _contradicts(what: str, remedy: str) -> ReviewContradicts:
    return ReviewContradicts(check=f"joint_review.{what}", owner=Owner.UTILITY, remedy=remedy, clause=APPROVALS_CLAUSE)
