"""A department pushes an outcome (审批结果自动反馈), and it reaches the utility with no human step.

1. The path's code names a department that takes part.
2. The raw bytes are authenticated: a key that the department registered for outcomes, ``typ``, ``aud``, ``iss``, age.
3. The department's adapter reads the claims.
4. One unit of work: the review is held; the same outcome again gets the same answer; permit and department fit; the
   joint review takes it in; outcome, state, record entry and the utility's event are committed together.

A refusal is recorded in a unit of its own, once the signature proved that the department said it. What anybody may
send is logged and counted (by route and status, ``/metrics``) and leaves the record alone: it is never pruned.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

import structlog

from gateway.approvals.departments import Departments
from gateway.approvals.errors import (
    DepartmentUnknown,
    OutcomeContradicts,
    OutcomeNotAuthentic,
    PermitNotFound,
)
from gateway.approvals.joint_review import FEEDBACK_CLAUSE, JointReview, Outcome, Permit, note_step, record_outcome
from gateway.approvals.permit_states import PermitState, ReviewStatus, permit_state, review_status
from gateway.approvals.ports import (
    Department,
    HandlingStep,
    HeldReview,
    KeptOutcome,
    OutcomesTransaction,
    outcome_known,
    review_of,
)
from gateway.caller import Role
from gateway.crypto.errors import JoseRefused
from gateway.crypto.jws import JwsPolicy, VerifiedJws, verify_jws
from gateway.crypto.keyed_digest import KeyedDigest, Use
from gateway.delivery.ports import ChannelKind, EventDraft
from gateway.errors import Owner
from gateway.ids import MakeId
from gateway.partners.directory import Directory, DirectorySnapshot
from gateway.partners.model import KeyUse
from gateway.records.entries import Fact, RecordEntry, digest
from gateway.records.refusals import refusals_recorded
from gateway.rounds import Round
from gateway.transaction import Foreseen, Transactions
from schemas.departments import OutcomeAcknowledged
from schemas.events import EventType, PermitOutcome
from schemas.wire import Typ

log = structlog.get_logger()

MAX_OUTCOME_BYTES = 16 * 1024
_TYP = frozenset({Typ.APPROVAL_OUTCOME.value})
_ALGORITHMS = frozenset({"ES256", "EdDSA", "SM2-SM3"})
_REQUIRED = frozenset({"iss", "aud", "jti", "iat"})
_SIGNING_TIMES = ("iat", "nbf", "exp")
"""Claims that tell when it was signed and not what: an outcome that is signed anew is the same outcome."""
_PLAIN = json.JSONEncoder(sort_keys=True, separators=(",", ":"))


@dataclass(frozen=True)
class _Pushed:
    """An outcome whose signature was verified and whose claims were read.

    ``content_digest`` is keyed: a reason could be guessed from a plain one. ``signed_digest`` is not: nobody can guess
    the signature in it.
    """

    department: str
    said: Outcome | HandlingStep
    content_digest: str
    signed: bytes
    signed_digest: str


class OutcomeIntake:
    """Takes outcomes in. ``issuer`` is what departments name in ``aud`` unless their settings say otherwise."""

    def __init__(
        self,
        transactions: Transactions[OutcomesTransaction],
        directory: Directory,
        departments: Departments,
        issuer: str,
        make_id: MakeId,
        digests: KeyedDigest,
    ) -> None:
        self._transactions = transactions
        self._directory = directory
        self._departments = departments
        self._issuer = issuer
        self._make_id = make_id
        self._digests = digests
        self._round = Round()

    async def receive(self, code: str, signed: bytes, at: datetime) -> OutcomeAcknowledged:
        """Take in the JWS ``signed`` that was pushed for department ``code``; answers once it is durable.

        Raises ``DepartmentUnknown``, ``OutcomeNotAuthentic``, ``OutcomeUnreadable``, ``PermitNotFound``,
        ``PermitExempt``, ``OutcomeUnsound``, ``OutcomeContradicts``, ``AlgorithmUnavailable``.
        """
        partners = await self._directory.snapshot()
        department = self._participant(code, partners)
        verified = await self._round.run(self._authenticate, code, department, signed, partners, at)
        signed_digest = digest(signed)
        facts: dict[str, Fact] = {"signed_sha256": signed_digest}
        async with refusals_recorded(self._transactions, "outcome.refused", lambda: at, code, None, facts):
            said = department.read_outcome(verified.claims)
            content = self._digests.of(Use.OUTCOME, content_digest(verified.claims))
            pushed = _Pushed(code, said, content, signed, signed_digest)
            looks = (review_of(said.permit_id), outcome_known(code, said.outcome_id))
            return await self._transactions.write(Foreseen(lambda tx: self._take(tx, pushed, at), looks))

    def _participant(self, code: str, partners: DirectorySnapshot) -> Department[Any]:
        department, partner = self._departments.of_code(code), partners.active_partner(code)
        if department is None or partner is None or partner.role is not Role.DEPARTMENT:
            raise DepartmentUnknown(
                check="department.unknown",
                owner=Owner.GOVERNMENT,
                remedy="请核对部门代码；部门须已接入且处于启用状态。",
            )
        return department

    def _authenticate(
        self, code: str, department: Department[Any], signed: bytes, partners: DirectorySnapshot, at: datetime
    ) -> VerifiedJws:
        settings = department.settings
        policy = _policy(settings.audience or self._issuer, code, settings.max_age, settings.leeway)
        try:
            return verify_jws(signed, partners.verification_keys(code, KeyUse.OUTCOME, at), policy, at)
        except JoseRefused as refusal:
            log.warning("outcome.not_authentic", department=code, check=refusal.check)
            raise OutcomeNotAuthentic(
                check=f"outcome.{refusal.check}", owner=Owner.GOVERNMENT, remedy=refusal.remedy
            ) from None

    def _take(self, tx: OutcomesTransaction, pushed: _Pushed, at: datetime) -> OutcomeAcknowledged:
        kept = tx.joint_reviews.find_by_permit_for_change(pushed.said.permit_id)
        known = tx.approval_outcomes.find(pushed.department, pushed.said.outcome_id)
        if known is not None:
            return _same_again(known, pushed)
        permit = None if kept is None else _permit(kept.review, pushed.said.permit_id)
        if kept is None or permit is None or permit.department != pushed.department:
            raise PermitNotFound(
                check="outcome.permit", owner=Owner.GOVERNMENT, remedy="请核对审批事项编号后重新推送。"
            )
        if isinstance(pushed.said, Outcome):
            record_id = self._take_outcome(tx, kept, pushed, pushed.said, at)
        else:
            tx.joint_reviews.put(note_step(kept.review, pushed.said.permit_id, pushed.said.sequence))
            entry = RecordEntry("outcome.noted", at, pushed.department, kept.application_id, facts=_facts(pushed))
            record_id = tx.records.append(entry)
        tx.approval_outcomes.add(
            KeptOutcome(
                department=pushed.department,
                outcome_id=pushed.said.outcome_id,
                permit_id=pushed.said.permit_id,
                sequence=pushed.said.sequence,
                content_digest=pushed.content_digest,
                signed=pushed.signed,
                signed_digest=pushed.signed_digest,
                record_id=record_id,
                received_at=at,
            )
        )
        return OutcomeAcknowledged(
            outcome_id=pushed.said.outcome_id, permit_id=pushed.said.permit_id, duplicate=False, record_id=record_id
        )

    def _take_outcome(
        self, tx: OutcomesTransaction, kept: HeldReview, pushed: _Pushed, outcome: Outcome, at: datetime
    ) -> str:
        review = record_outcome(kept.review, outcome, at)
        tx.joint_reviews.put(review)
        permit = next(permit for permit in review.permits if permit.permit_id == outcome.permit_id)
        state, standing = permit_state(permit), review_status(review)
        tx.outbox.append(self._event_for_utility(kept, review, state, standing, outcome, pushed, at))
        facts: dict[str, Fact] = {
            **_facts(pushed),
            "review": review.review_id,
            "outcome_kind": outcome.outcome.value,
            "supersedes": outcome.supersedes,
            "permit_state": state.status.value,
            "review_state": standing.value,
            "findings": state.findings_of(outcome.outcome_id),
        }
        return tx.records.append(
            RecordEntry("outcome.received", at, pushed.department, kept.application_id, facts=facts)
        )

    def _event_for_utility(
        self,
        kept: HeldReview,
        review: JointReview,
        state: PermitState,
        standing: ReviewStatus,
        outcome: Outcome,
        pushed: _Pushed,
        at: datetime,
    ) -> EventDraft:
        data = PermitOutcome(
            review_id=review.review_id,
            permit_id=outcome.permit_id,
            department=pushed.department,
            outcome_id=outcome.outcome_id,
            outcome_sequence=outcome.sequence,
            outcome=outcome.outcome,
            supersedes=outcome.supersedes,
            permit_state=state.status.value,
            review_state=standing.value,
            findings=state.findings_of(outcome.outcome_id),
            signed_outcome=pushed.signed.decode("ascii"),
        )
        return EventDraft(
            self._make_id("evt"),
            kept.utility,
            ChannelKind.WEBHOOK,
            EventType.PERMIT_OUTCOME.value,
            kept.application_id,
            at,
            data.model_dump(mode="json"),
        )


@lru_cache(1024)
def _policy(audience: str, code: str, max_age: timedelta, leeway: timedelta) -> JwsPolicy:
    return JwsPolicy(
        typ=_TYP,
        algorithms=_ALGORITHMS,
        max_bytes=MAX_OUTCOME_BYTES,
        audience=frozenset({audience}),
        issuer=code,
        required=_REQUIRED,
        max_age=max_age,
        leeway=leeway,
    )


def content_digest(claims: Mapping[str, Any]) -> str:
    """SHA-256 over what a department says, whatever the order of its members; when it was signed is left out."""
    said = {name: claim for name, claim in claims.items() if name not in _SIGNING_TIMES}
    return digest(_PLAIN.encode(said))


def _same_again(known: KeptOutcome, pushed: _Pushed) -> OutcomeAcknowledged:
    if known.content_digest != pushed.content_digest:
        raise OutcomeContradicts(
            check="outcome.contradicts",
            owner=Owner.GOVERNMENT,
            remedy="结果编号已用于另一结果；更正请以新的编号和序号推送，并注明所替代的结果。",
            clause=FEEDBACK_CLAUSE,
        )
    return OutcomeAcknowledged(
        outcome_id=known.outcome_id, permit_id=known.permit_id, duplicate=True, record_id=known.record_id
    )


def _facts(pushed: _Pushed) -> dict[str, Fact]:
    return {
        "permit": pushed.said.permit_id,
        "outcome": pushed.said.outcome_id,
        "sequence": pushed.said.sequence,
        "content_digest": pushed.content_digest,
        "signed_sha256": pushed.signed_digest,
    }


def _permit(review: JointReview, permit_id: str) -> Permit | None:
    return next((permit for permit in review.permits if permit.permit_id == permit_id), None)
