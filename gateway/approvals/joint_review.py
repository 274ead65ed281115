"""Joint review (并联审批): one intake, every department in parallel, and what it has heard of them.

A permit keeps every outcome, sorted by the department's own ``sequence``; nothing is taken away. What the outcomes add
up to is read from all of them (``permit_states``).
"""

from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any, TypeVar

from gateway.approvals.errors import (
    OutcomeContradicts,
    OutcomeUnsound,
    PermitExempt,
    PermitNotFound,
    ReviewUnsound,
)
from gateway.errors import Owner
from schemas.departments import OutcomeKind, ReviewMode

APPROVALS_CLAUSE = "第（四）条"
FEEDBACK_CLAUSE = "第（七）条"

PAUSING = (OutcomeKind.CORRECTION_REQUESTED, OutcomeKind.SPECIAL_PROCEDURE_STARTED)


@dataclass(frozen=True)
class Outcome:
    """审批结果 as a department pushes it: ``sequence`` counts a permit's outcomes from 1, ``decided_at`` is a claim."""

    outcome_id: str
    permit_id: str
    sequence: int
    outcome: OutcomeKind
    decided_at: datetime
    supersedes: str | None = None
    reason: str | None = None
    document_number: str | None = None
    valid_until: date | None = None


@dataclass(frozen=True)
class HeardOutcome:
    """An outcome and the aware instant the gateway heard of it."""

    outcome: Outcome
    heard_at: datetime


@dataclass(frozen=True)
class Commitment:
    """告知承诺: the statement that the applicant gave, word for word, its SHA-256 (hexadecimal), when, the entry."""

    statement: str
    sha256: str
    given_at: datetime
    record_id: str


@dataclass(frozen=True)
class Permit:
    """One department's permit. It was asked for at ``opened_at``, in a mode that ``mode_clause`` allows.

    ``noted`` are the sequence numbers of handling steps (接件), which are no outcomes. ``derived`` keeps what was read
    from this very permit: one that is replaced begins anew.
    """

    permit_id: str
    department: str
    permit: str
    mode: ReviewMode
    opened_at: datetime
    mode_clause: str = APPROVALS_CLAUSE
    commitment: Commitment | None = None
    heard: tuple[HeardOutcome, ...] = ()
    noted: tuple[int, ...] = ()
    derived: dict[str, Any] = field(default_factory=dict, init=False, compare=False, repr=False)


@dataclass(frozen=True)
class JointReview:
    """A single intake. ``received_on`` is the day the application was received: the rules of that day judge it.

    ``derived`` is as a permit's.
    """

    review_id: str
    opened_at: datetime
    received_on: date
    region: str
    voltage_v: int
    permits: tuple[Permit, ...]
    derived: dict[str, Any] = field(default_factory=dict, init=False, compare=False, repr=False)


ReviewOrPermit = TypeVar("ReviewOrPermit", JointReview, Permit)


def open_review(review: JointReview) -> JointReview:
    """``review`` when it is sound; raises ``ReviewUnsound`` without permits or with a permit id twice."""
    ids = [permit.permit_id for permit in review.permits]
    if not ids or len(set(ids)) != len(ids):
        raise ReviewUnsound(
            check="joint_review.permits",
            owner=Owner.UTILITY,
            remedy="并联审批至少包含一个审批事项，且每个事项只能出现一次。",
            clause=APPROVALS_CLAUSE,
        )
    return review


def record_outcome(review: JointReview, outcome: Outcome, heard_at: datetime) -> JointReview:
    """The review with ``outcome`` in its place; the very same outcome again changes nothing.

    Raises ``PermitNotFound``, ``PermitExempt``, ``OutcomeUnsound``, ``OutcomeContradicts``; ``ValueError`` for naive
    times.
    """
    if outcome.decided_at.tzinfo is None or heard_at.tzinfo is None:
        raise ValueError("times are aware")
    permit = _heard_permit(review, outcome.permit_id)
    _require_sound(outcome)
    if _is_repeated(permit, outcome):
        return review
    heard = (*permit.heard, HeardOutcome(outcome, heard_at))
    return replace_permit(review, _changed(permit, heard=tuple(sorted(heard, key=_sequence_of))))


def note_step(review: JointReview, permit_id: str, sequence: int) -> JointReview:
    """The review once a handling step with a number of its own was told: no effect, and no gap in the numbers.

    Raises ``PermitNotFound``, ``PermitExempt``, ``OutcomeContradicts`` where the number was used before.
    """
    permit = _heard_permit(review, permit_id)
    if sequence in permit.noted or any(known.outcome.sequence == sequence for known in permit.heard):
        raise _contradicts()
    return replace_permit(review, replace(permit, noted=tuple(sorted((*permit.noted, sequence)))))


def commitment_permit(review: JointReview, permit_id: str) -> Permit:
    """The 告知承诺 permit; raises ``PermitNotFound`` where the review has no such one."""
    for permit in review.permits:
        if permit.permit_id == permit_id and permit.mode is ReviewMode.COMMITMENT:
            return permit
    raise PermitNotFound(check="commitment.permit", owner=Owner.APPLICANT, remedy="请核对告知承诺事项编号后重新提交。")


def replace_permit(review: JointReview, changed: Permit) -> JointReview:
    """The review with ``changed`` in the place of the permit of that id."""
    permits = tuple(changed if each.permit_id == changed.permit_id else each for each in review.permits)
    return _changed(review, permits=permits)


def _changed(of: ReviewOrPermit, **members: Any) -> ReviewOrPermit:
    """``replace`` at a quarter of its cost: each outcome makes a permit and a review anew. Nothing is derived yet."""
    other = object.__new__(type(of))
    other.__dict__.update(of.__dict__, derived={}, **members)
    return other


def _sequence_of(known: HeardOutcome) -> int:
    return known.outcome.sequence


def _heard_permit(review: JointReview, permit_id: str) -> Permit:
    """The permit that a department speaks of."""
    permit = next((permit for permit in review.permits if permit.permit_id == permit_id), None)
    if permit is None:
        raise PermitNotFound(check="outcome.permit", owner=Owner.GOVERNMENT, remedy="请核对审批事项编号后重新推送。")
    if permit.mode is ReviewMode.EXEMPT:
        raise PermitExempt(
            check="outcome.exempt", owner=Owner.GOVERNMENT, remedy="该事项免批，无需推送结果。", clause=APPROVALS_CLAUSE
        )
    return permit


def _require_sound(outcome: Outcome) -> None:
    if outcome.outcome in PAUSING and not (outcome.reason or "").strip():
        raise OutcomeUnsound(
            check="outcome.reason",
            owner=Owner.GOVERNMENT,
            remedy="补正或特别程序暂停计时，须说明理由后重新推送。",
            clause=APPROVALS_CLAUSE,
        )
    if outcome.sequence < 1 or outcome.supersedes == outcome.outcome_id:
        raise OutcomeUnsound(
            check="outcome.sequence", owner=Owner.GOVERNMENT, remedy="结果序号从1起编，且结果不得替代其自身。"
        )


def _is_repeated(permit: Permit, outcome: Outcome) -> bool:
    for known in permit.heard:
        if known.outcome == outcome:
            return True
        if known.outcome.outcome_id == outcome.outcome_id or known.outcome.sequence == outcome.sequence:
            raise _contradicts()
    if outcome.sequence in permit.noted:
        raise _contradicts()
    return False


def _contradicts() -> OutcomeContradicts:
    return OutcomeContradicts(
        check="outcome.contradicts",
        owner=Owner.GOVERNMENT,
        remedy="结果编号或序号已用于另一结果；更正请以新的编号和序号推送，并注明所替代的结果。",
        clause=FEEDBACK_CLAUSE,
    )
