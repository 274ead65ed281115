"""告知承诺: the applicant reads the statement and gives it, in a session of their own; nobody gives it for them.

The statement is the same text whenever it is asked for: it names permit, department, application, line, the day the
permit was asked for and the clause of its mode. Its digest, who gave it and when are recorded; text and digest stay
with the permit; the department is asked, with the digest, and the utility told, in the same unit of work. A code that
only the gateway can make (核验码) stands in the text, so that its digest tells nobody who does not have the text.
"""

from dataclasses import replace
from datetime import datetime

from gateway.applications.errors import ApplicationUnknown
from gateway.applications.model import GridConnectionApplication
from gateway.applications.rule_book import RulesNow
from gateway.approvals.departments import Departments
from gateway.approvals.dispatch import Dispatch
from gateway.approvals.joint_review import Commitment, Permit, commitment_permit, replace_permit
from gateway.approvals.ports import KeptReview, SingleWindowTransaction
from gateway.approvals.review_requests import GatewayNames
from gateway.approvals.single_window import require_found, require_under_way
from gateway.clock import date_in_china
from gateway.crypto.keyed_digest import KeyedDigest, Use
from gateway.errors import Owner
from gateway.identity.model import VerifiedApplicant
from gateway.ids import MakeId
from gateway.records.entries import Fact, RecordEntry, digest
from gateway.records.refusals import refusals_recorded
from gateway.transaction import Transactions
from schemas.applicant_api import CommitmentView


def commitment_path(application_id: str, permit_id: str) -> str:
    """Where the applicant reads the statement (GET) and gives it (POST)."""
    return f"/v1/applications/{application_id}/joint-review/permits/{permit_id}/commitment"


class CommitmentService:
    """Shows applicants what they are to commit to, and takes their commitments in."""

    def __init__(
        self,
        transactions: Transactions[SingleWindowTransaction],
        departments: Departments,
        rules: RulesNow,
        names: GatewayNames,
        make_id: MakeId,
        digests: KeyedDigest,
    ) -> None:
        self._transactions = transactions
        self._departments = departments
        self._digests = digests
        self._dispatch = Dispatch(departments, rules, names, make_id)

    async def statement(self, applicant: VerifiedApplicant, application_id: str, permit_id: str) -> CommitmentView:
        """The statement of a permit of this holder's, given or not.

        Raises ``ApplicationUnknown``, ``ReviewNotFound``, ``PermitNotFound``.
        """

        def read(tx: SingleWindowTransaction) -> CommitmentView:
            _own(tx.applications.find(application_id), applicant)
            kept = require_found(tx.joint_reviews.find_by_application(application_id), Owner.APPLICANT)
            return self._view(kept, commitment_permit(kept.review, permit_id))

        return await self._transactions.read(read)

    async def give(
        self, applicant: VerifiedApplicant, application_id: str, permit_id: str, at: datetime
    ) -> CommitmentView:
        """Take the commitment in; given before, it is answered as it was given then.

        Raises ``ApplicationUnknown``, ``ReviewNotFound``, ``PermitNotFound``, ``ApplicationClosed``; each refusal is
        recorded.
        """
        async with refusals_recorded(
            self._transactions, "commitment.refused", lambda: at, "applicant", application_id, {}
        ):
            return await self._transactions.write(lambda tx: self._give(tx, applicant, application_id, permit_id, at))

    def _give(
        self,
        tx: SingleWindowTransaction,
        applicant: VerifiedApplicant,
        application_id: str,
        permit_id: str,
        at: datetime,
    ) -> CommitmentView:
        application = _own(tx.applications.find_for_change(application_id), applicant)
        kept = require_found(tx.joint_reviews.find_by_application_for_change(application_id), Owner.APPLICANT)
        permit = commitment_permit(kept.review, permit_id)
        if permit.commitment is not None:
            return self._view(kept, permit)
        require_under_way(application, Owner.APPLICANT)
        text = self._text(kept, permit)
        facts: dict[str, Fact] = {
            "review": kept.review.review_id,
            "permit": permit_id,
            "statement_sha256": digest(text),
            "verified_by": applicant.method.value,
            "role": applicant.role.value if applicant.role else None,
        }
        record_id = tx.records.append(RecordEntry("commitment.given", at, "applicant", application_id, facts=facts))
        given = replace(permit, commitment=Commitment(text, digest(text), at, record_id))
        kept = replace(kept, review=replace_permit(kept.review, given))
        tx.joint_reviews.put(kept.review)
        self._dispatch.changed(tx.outbox, kept, [given], "commitment_given", at)
        return self._view(kept, given)

    def _view(self, kept: KeptReview, permit: Permit) -> CommitmentView:
        given = permit.commitment
        text = given.statement if given else self._text(kept, permit)
        return CommitmentView(
            permit_id=permit.permit_id,
            text=text,
            sha256=digest(text),
            given_at=given.given_at if given else None,
            record_id=given.record_id if given else None,
        )

    def _text(self, kept: KeptReview, permit: Permit) -> str:
        department = self._departments.of_code(permit.department)
        title, name = ("", "") if department is None else (department.permits.get(permit.permit, ""), department.title)
        line = kept.line
        return "\n".join(
            (
                "告知承诺书",
                f"审批事项：{title}（{permit.permit}，编号 {permit.permit_id}）",
                f"审批部门：{name}（{permit.department}）",
                f"用电申请：{kept.application_id}，行政区划 {kept.review.region}",
                f"电力外线工程：{line.description}，自{line.from_point}至{line.to_point}，"
                f"{line.voltage_v} 伏，长 {line.length_m:.10g} 米",
                f"提出日期：{date_in_china(permit.opened_at).isoformat()}",
                f"适用依据：{permit.mode_clause}",
                f"核验码：{self._digests.of(Use.COMMITMENT, permit.permit_id)[:32]}",
                "本人（单位）已知悉该事项的办理条件、标准和要求，承诺上述工程符合条件，所提供的信息真实、准确、完整；"
                "接受审批部门事后核查；承诺不实的，审批部门可依法撤销其决定，由此产生的后果由本人（单位）承担。",
            )
        )


def _own(application: GridConnectionApplication | None, applicant: VerifiedApplicant) -> GridConnectionApplication:
    if application is None or application.holder_digest != applicant.holder_digest:
        raise ApplicationUnknown(check="application.unknown", owner=Owner.APPLICANT, remedy="请核对申请编号")
    return application
