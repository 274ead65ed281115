"""The single window (一窗受理): one intake, and every department is asked in parallel.

State, record entry, the departments' requests and the utility's event are one unit of work. An application has one
joint review, for one line. The same intake again answers the same review; one that names further permits adds them,
and their departments are asked; another line, or another mode for a permit that is there, is a conflict.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from gateway.applications.errors import ApplicationClosed
from gateway.applications.model import GridConnectionApplication
from gateway.applications.rule_book import RulesNow
from gateway.approvals.composition import Composer, require_each_once
from gateway.approvals.departments import Departments
from gateway.approvals.dispatch import Dispatch
from gateway.approvals.errors import ReviewApplicationUnknown, ReviewContradicts, ReviewNotFound
from gateway.approvals.joint_review import APPROVALS_CLAUSE, Permit
from gateway.approvals.ports import KeptReview, SingleWindowTransaction
from gateway.approvals.review_modes import ModesAllowed
from gateway.approvals.review_requests import GatewayNames
from gateway.approvals.views import review_view
from gateway.caller import Caller
from gateway.crypto.keyed_digest import KeyedDigest, Use
from gateway.errors import Owner
from gateway.ids import MakeId
from gateway.partners.directory import Directory, DirectorySnapshot
from gateway.records.entries import Fact, RecordEntry
from gateway.records.refusals import refusals_recorded
from gateway.transaction import Transactions
from schemas.partner_api import JointReviewRequest, JointReviewView, PermitRequest


@dataclass(frozen=True)
class Answered:
    """``created`` is False where everything asked for was here before and nothing was done again."""

    view: JointReviewView
    created: bool


class SingleWindow:
    """Opens joint reviews for utilities, adds permits to them, and shows how they stand."""

    def __init__(
        self,
        transactions: Transactions[SingleWindowTransaction],
        directory: Directory,
        departments: Departments,
        rules: RulesNow,
        names: GatewayNames,
        make_id: MakeId,
        modes: ModesAllowed,
        digests: KeyedDigest,
    ) -> None:
        self._transactions = transactions
        self._directory = directory
        self._rules = rules
        self._digests = digests
        self._composer = Composer(departments, modes, make_id)
        self._dispatch = Dispatch(departments, rules, names, make_id)

    async def open(self, caller: Caller, application_id: str, request: JointReviewRequest, at: datetime) -> Answered:
        """Take the intake in and send it to every department that was not asked before.

        Raises ``ReviewApplicationUnknown``, ``ApplicationClosed``, ``ReviewUnsound``, ``DepartmentNotConcerned``,
        ``ReviewModeNotAllowed``, ``ReviewContradicts``, ``NoRuleInForce``; each refusal is recorded.
        """
        partners = await self._directory.snapshot()
        facts: dict[str, Fact] = {
            "request_digest": self._digest(application_id, request),
            "modes": sorted({permit.mode.value for permit in request.permits}),
        }
        async with refusals_recorded(
            self._transactions, "review.refused", lambda: at, caller.partner_code, application_id, facts
        ):
            return await self._transactions.write(
                lambda tx: self._take_in(tx, caller, application_id, request, partners, at)
            )

    async def view(self, caller: Caller, application_id: str, at: datetime) -> JointReviewView:
        """The joint review as it stands. Raises ``ReviewApplicationUnknown``, ``ReviewNotFound``."""

        def read(tx: SingleWindowTransaction) -> KeptReview:
            _own(tx.applications.find(application_id), caller)
            return require_found(tx.joint_reviews.find_by_application(application_id))

        return review_view(await self._transactions.read(read), self._rules(), at)

    def _take_in(
        self,
        tx: SingleWindowTransaction,
        caller: Caller,
        application_id: str,
        request: JointReviewRequest,
        partners: DirectorySnapshot,
        at: datetime,
    ) -> Answered:
        application = _own(tx.applications.find_for_change(application_id), caller)
        known = tx.joint_reviews.find_by_application_for_change(application_id)
        if known is None:
            return self._open(tx, application, request, partners, at)
        added = _added(known, request)
        if not added:
            return Answered(review_view(known, self._rules(), at), created=False)
        return self._extend(tx, application, known, request, added, partners, at)

    def _open(
        self,
        tx: SingleWindowTransaction,
        application: GridConnectionApplication,
        request: JointReviewRequest,
        partners: DirectorySnapshot,
        at: datetime,
    ) -> Answered:
        require_under_way(application, Owner.UTILITY)
        review = self._composer.compose(request, application, partners, at)
        record_id = tx.records.append(
            self._entry("review.opened", application, review.review_id, request, review.permits, at)
        )
        kept = KeptReview(application.application_id, application.utility, request.line, record_id, review)
        tx.joint_reviews.add(kept)
        self._dispatch.opened(tx.outbox, kept, at)
        return Answered(review_view(kept, self._rules(), at), created=True)

    def _extend(
        self,
        tx: SingleWindowTransaction,
        application: GridConnectionApplication,
        known: KeptReview,
        request: JointReviewRequest,
        wanted: list[PermitRequest],
        partners: DirectorySnapshot,
        at: datetime,
    ) -> Answered:
        require_under_way(application, Owner.UTILITY)
        review = self._composer.extend(known.review, wanted, known.line, application, partners, at)
        added = review.permits[len(known.review.permits) :]
        kept = replace(known, review=review)
        tx.records.append(self._entry("review.extended", application, review.review_id, request, added, at))
        tx.joint_reviews.put_extended(review, added)
        self._dispatch.changed(tx.outbox, kept, added, "permits_added", at)
        return Answered(review_view(kept, self._rules(), at), created=True)

    def _digest(self, application_id: str, request: JointReviewRequest) -> str:
        """What an entry says of an intake: line and permits, in any order. Keyed, because places can be guessed."""
        permits = sorted(request.permits, key=lambda each: (each.department, each.permit))
        said = request.model_copy(update={"permits": permits}).model_dump_json()
        return self._digests.commitment(Use.JOINT_REVIEW, application_id, said)

    def _entry(
        self,
        action: str,
        application: GridConnectionApplication,
        review_id: str,
        request: JointReviewRequest,
        permits: tuple[Permit, ...],
        at: datetime,
    ) -> RecordEntry:
        facts: dict[str, Fact] = {
            "review": review_id,
            "request_digest": self._digest(application.application_id, request),
            "permits": [f"{each.permit_id}:{each.department}:{each.permit}:{each.mode}" for each in permits],
            "mode_clauses": [each.mode_clause for each in permits],
        }
        return RecordEntry(action, at, application.utility, application.application_id, facts=facts)


def require_under_way(application: GridConnectionApplication, owner: Owner) -> None:
    """Raises ``ApplicationClosed``."""
    if application.lifecycle.closed_at is not None:
        raise ApplicationClosed(
            check="joint_review.application_closed", owner=owner, remedy="申请已终结，不能再办理并联审批。"
        )


def require_found(kept: KeptReview | None, owner: Owner = Owner.UTILITY) -> KeptReview:
    """The review; raises ``ReviewNotFound`` where there is none."""
    if kept is None:
        raise ReviewNotFound(check="joint_review.none", owner=owner, remedy="该申请尚未发起并联审批。")
    return kept


def _added(known: KeptReview, request: JointReviewRequest) -> list[PermitRequest]:
    """The permits of ``request`` that the review does not have. Raises ``ReviewContradicts``, ``ReviewUnsound``."""
    if request.line != known.line:
        raise _contradicts("line", "该申请已按另一线路发起并联审批，请先查询既有审批。")
    require_each_once(request.permits)
    modes = {(permit.department, permit.permit): permit.mode for permit in known.review.permits}
    if any(modes.get((each.department, each.permit), each.mode) is not each.mode for each in request.permits):
        raise _contradicts("mode_changed", "该事项已按另一审批方式办理，方式不可变更，请先查询既有审批。")
    return [each for each in request.permits if (each.department, each.permit) not in modes]


def _own(application: GridConnectionApplication | None, caller: Caller) -> GridConnectionApplication:
    if application is None or application.utility != caller.partner_code:
        raise ReviewApplicationUnknown(
            check="joint_review.application", owner=Owner.UTILITY, remedy="请核对申请编号；只能办理本单位受理的申请。"
        )
    return application


def _contradicts(what: str, remedy: str) -> ReviewContradicts:
    return ReviewContradicts(check=f"joint_review.{what}", owner=Owner.UTILITY, remedy=remedy, clause=APPROVALS_CLAUSE)
