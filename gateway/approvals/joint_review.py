"""Joint review (并联审批): one intake, every department in parallel, and what their outcomes add up to.

Outcomes arrive in any order. A permit keeps all of them, sorted by the department's own ``sequence``, and its state is
read from the whole set each time; so the same outcomes end in the same state, whatever the order of arrival. Nothing
is taken away: a superseded outcome stays, and has no effect.

How a permit's outcomes combine, lowest sequence first:

1. An outcome that a higher-numbered one of the same permit supersedes has no effect.
2. 补正 and special procedures (公示、听证、专家评审) stop the clock from request to receipt, from start to end; a
   decision ends both.
3. The latest decision (approved, rejected, revoked) stands. One that replaces a standing decision without saying so
   stands too, because the department's later word is its word, and is a finding.
4. What makes no sense where it stands (an answer to a 补正 never asked for, a step after the decision) is a finding
   and has no effect.
5. The clock ends with the first decision: to correct a decision later neither restarts it nor stretches it. A
   decision that was taken back, with no other in its place, does not end it.

Modes (第（四）条): 审批 as above; 告知承诺 is approved at once on the applicant's signed commitment and checked
afterwards; 备案 is done when filed; 免批 needs nothing. In 告知承诺 and 备案 only decisions have an effect.
"""

from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum

from gateway.applications.claimed_times import DEFAULT_TOLERANCE, BackdatedReason, Tolerance, judge_time
from gateway.applications.working_days import Pause
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

DECISIONS = (OutcomeKind.APPROVED, OutcomeKind.REJECTED, OutcomeKind.REVOKED)
PAUSING = (OutcomeKind.CORRECTION_REQUESTED, OutcomeKind.SPECIAL_PROCEDURE_STARTED)
ENDS_PAUSE_OF = {
    OutcomeKind.CORRECTION_RECEIVED: OutcomeKind.CORRECTION_REQUESTED,
    OutcomeKind.SPECIAL_PROCEDURE_ENDED: OutcomeKind.SPECIAL_PROCEDURE_STARTED,
}


class PermitStatus(StrEnum):
    """Where a permit stands."""

    SUBMITTED = "submitted"
    ACCEPTED = "accepted"
    WAITING_ON_APPLICANT = "waiting_on_applicant"
    SPECIAL_PROCEDURE = "special_procedure"
    APPROVED = "approved"
    APPROVED_ON_COMMITMENT = "approved_on_commitment"
    FILED = "filed"
    EXEMPT = "exempt"
    REJECTED = "rejected"
    REVOKED = "revoked"


GRANTED = (PermitStatus.APPROVED, PermitStatus.APPROVED_ON_COMMITMENT, PermitStatus.FILED, PermitStatus.EXEMPT)
REFUSED = (PermitStatus.REJECTED, PermitStatus.REVOKED)
DECIDED = {
    OutcomeKind.APPROVED: PermitStatus.APPROVED,
    OutcomeKind.REJECTED: PermitStatus.REJECTED,
    OutcomeKind.REVOKED: PermitStatus.REVOKED,
}


class ReviewStatus(StrEnum):
    """What all permits add up to; the first that applies, in this order. A revoked permit counts as rejected."""

    REJECTED = "rejected"
    APPROVED = "approved"
    WAITING_ON_APPLICANT = "waiting_on_applicant"
    UNDER_WAY = "under_way"


class FindingKind(StrEnum):
    """What an officer should look at; none of it changes what the department decided."""

    BACKDATED = "backdated"
    DECISION_NOT_SUPERSEDED = "decision_not_superseded"
    AFTER_DECISION = "after_decision"
    PAUSE_REPEATED = "pause_repeated"
    PAUSE_NEVER_BEGAN = "pause_never_began"
    REVOKED_UNGRANTED = "revoked_ungranted"
    NO_EFFECT_IN_MODE = "no_effect_in_mode"


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
class Permit:
    """One department's permit. ``commitment`` is the digest of the signed commitment (告知承诺), once there is one."""

    permit_id: str
    department: str
    permit: str
    mode: ReviewMode
    commitment: str | None = None
    heard: tuple[HeardOutcome, ...] = ()


@dataclass(frozen=True)
class JointReview:
    """A single intake. ``received_on`` is the day the application was received: the rules of that day judge it."""

    review_id: str
    opened_at: datetime
    received_on: date
    region: str
    voltage_v: int
    permits: tuple[Permit, ...]


@dataclass(frozen=True)
class Finding:
    """A finding about one outcome; ``flags`` say why a time is ``backdated``."""

    outcome_id: str
    kind: FindingKind
    flags: tuple[BackdatedReason, ...] = ()


@dataclass(frozen=True)
class PermitState:
    """What a permit's outcomes add up to.

    ``standing`` is the decision that holds now, or None. ``clock_ended_at`` is the first decision's counted time.
    ``missing_sequences`` are gaps below the highest sequence heard: outcomes still on their way.
    """

    status: PermitStatus
    standing: Outcome | None
    clock_ended_at: datetime | None
    pauses: tuple[Pause, ...]
    superseded: frozenset[str]
    findings: tuple[Finding, ...]
    missing_sequences: tuple[int, ...]


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
    permit = next((permit for permit in review.permits if permit.permit_id == outcome.permit_id), None)
    if permit is None:
        raise PermitNotFound(check="outcome.permit", owner=Owner.GOVERNMENT, remedy="请核对审批事项编号后重新推送。")
    if permit.mode is ReviewMode.EXEMPT:
        raise PermitExempt(
            check="outcome.exempt", owner=Owner.GOVERNMENT, remedy="该事项免批，无需推送结果。", clause=APPROVALS_CLAUSE
        )
    _require_sound(outcome)
    if _is_repeated(permit, outcome):
        return review
    heard = (*permit.heard, HeardOutcome(outcome, heard_at))
    added = replace(permit, heard=tuple(sorted(heard, key=lambda each: each.outcome.sequence)))
    return replace(review, permits=tuple(added if each is permit else each for each in review.permits))


def sign_commitment(review: JointReview, permit_id: str, commitment: str) -> JointReview:
    """The review once the applicant has signed the commitment of a 告知承诺 permit; raises ``PermitNotFound``."""
    for permit in review.permits:
        if permit.permit_id == permit_id and permit.mode is ReviewMode.COMMITMENT:
            signed = replace(permit, commitment=commitment)
            return replace(review, permits=tuple(signed if each is permit else each for each in review.permits))
    raise PermitNotFound(check="commitment.permit", owner=Owner.APPLICANT, remedy="请核对告知承诺事项编号后重新提交。")


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
            raise OutcomeContradicts(
                check="outcome.contradicts",
                owner=Owner.GOVERNMENT,
                remedy="结果编号或序号已用于另一结果；更正请以新的编号和序号推送，并注明所替代的结果。",
                clause=FEEDBACK_CLAUSE,
            )
    return False


@dataclass
class _Fold:
    """Reads a permit's outcomes in sequence; see the module's rules."""

    permit: Permit
    granted_before: bool = False
    accepted: bool = False
    standing: Outcome | None = None
    open: dict[OutcomeKind, Pause] = field(default_factory=dict)
    pauses: list[Pause] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def find(self, outcome: Outcome, kind: FindingKind) -> None:
        self.findings.append(Finding(outcome.outcome_id, kind))

    def take(self, outcome: Outcome, at: datetime) -> None:
        kind = outcome.outcome
        if kind in DECISIONS:
            self.decide(outcome, at)
        elif self.standing is not None:
            self.find(outcome, FindingKind.AFTER_DECISION)
        elif self.permit.mode is not ReviewMode.FULL:
            self.find(outcome, FindingKind.NO_EFFECT_IN_MODE)
        elif kind is OutcomeKind.ACCEPTED:
            self.accepted = True
        elif kind in PAUSING and kind in self.open:
            self.find(outcome, FindingKind.PAUSE_REPEATED)
        elif kind in PAUSING:
            self.open[kind] = Pause(at, None, outcome.reason or "")
        elif ENDS_PAUSE_OF[kind] in self.open:
            self.pauses.append(replace(self.open.pop(ENDS_PAUSE_OF[kind]), until_at=at))
        else:
            self.find(outcome, FindingKind.PAUSE_NEVER_BEGAN)

    def decide(self, outcome: Outcome, at: datetime) -> None:
        revoking = outcome.outcome is OutcomeKind.REVOKED
        if revoking and not self.granted_before and self.permit.mode is ReviewMode.FULL:
            self.find(outcome, FindingKind.REVOKED_UNGRANTED)
        elif self.standing is not None and not (revoking and self.standing.outcome is OutcomeKind.APPROVED):
            self.find(outcome, FindingKind.DECISION_NOT_SUPERSEDED)
        self.standing = outcome
        self.pauses.extend(replace(pause, until_at=at) for pause in self.open.values())
        self.open.clear()

    def status(self) -> PermitStatus:
        if self.standing is not None:
            return DECIDED[self.standing.outcome]
        match self.permit.mode:
            case ReviewMode.EXEMPT:
                return PermitStatus.EXEMPT
            case ReviewMode.FILING:
                return PermitStatus.FILED
            case ReviewMode.COMMITMENT:
                signed = self.permit.commitment is not None
                return PermitStatus.APPROVED_ON_COMMITMENT if signed else PermitStatus.WAITING_ON_APPLICANT
            case ReviewMode.FULL:
                return self.status_under_way()

    def status_under_way(self) -> PermitStatus:
        if OutcomeKind.CORRECTION_REQUESTED in self.open:
            return PermitStatus.WAITING_ON_APPLICANT
        if OutcomeKind.SPECIAL_PROCEDURE_STARTED in self.open:
            return PermitStatus.SPECIAL_PROCEDURE
        return PermitStatus.ACCEPTED if self.accepted else PermitStatus.SUBMITTED


def permit_state(permit: Permit, opened_at: datetime, tolerance: Tolerance = DEFAULT_TOLERANCE) -> PermitState:
    """What the outcomes of ``permit``, opened at the aware instant ``opened_at``, add up to."""
    replaced_by = _replaced_by(permit.heard)
    fold = _Fold(permit)
    clock_ended_at: datetime | None = None
    counted_at = opened_at
    for known, heard_at in zip(permit.heard, _known_by(permit.heard), strict=True):
        outcome = known.outcome
        judged = judge_time(outcome.decided_at, heard_at, counted_at, tolerance)
        counted_at = judged.counted_at
        if judged.flags:
            fold.findings.append(Finding(outcome.outcome_id, FindingKind.BACKDATED, judged.flags))
        if clock_ended_at is None and _ends_clock(outcome, replaced_by):
            clock_ended_at = counted_at
        if outcome.outcome_id not in replaced_by:
            fold.take(outcome, counted_at)
        fold.granted_before = fold.granted_before or outcome.outcome is OutcomeKind.APPROVED
    heard_sequences = {known.outcome.sequence for known in permit.heard}
    return PermitState(
        status=fold.status(),
        standing=fold.standing,
        clock_ended_at=clock_ended_at,
        pauses=tuple(sorted((*fold.pauses, *fold.open.values()), key=lambda pause: pause.from_at)),
        superseded=frozenset(replaced_by),
        findings=tuple(fold.findings),
        missing_sequences=tuple(n for n in range(1, max(heard_sequences, default=0)) if n not in heard_sequences),
    )


def review_status(review: JointReview) -> ReviewStatus:
    """What all permits of ``review`` add up to."""
    statuses = [permit_state(permit, review.opened_at).status for permit in review.permits]
    if any(status in REFUSED for status in statuses):
        return ReviewStatus.REJECTED
    if all(status in GRANTED for status in statuses):
        return ReviewStatus.APPROVED
    if PermitStatus.WAITING_ON_APPLICANT in statuses:
        return ReviewStatus.WAITING_ON_APPLICANT
    return ReviewStatus.UNDER_WAY


def _replaced_by(heard: tuple[HeardOutcome, ...]) -> dict[str, Outcome]:
    """Which outcome was superseded by which; only a higher sequence can supersede a lower one."""
    by_id = {known.outcome.outcome_id: known.outcome for known in heard}
    replaced: dict[str, Outcome] = {}
    for known in heard:
        target = by_id.get(known.outcome.supersedes or "")
        if target is not None and target.sequence < known.outcome.sequence:
            replaced[target.outcome_id] = known.outcome
    return replaced


def _ends_clock(outcome: Outcome, replaced_by: dict[str, Outcome]) -> bool:
    """Whether this is a decision, and each that took its place is one too."""
    latest: Outcome | None = outcome
    while latest is not None and latest.outcome in DECISIONS:
        latest = replaced_by.get(latest.outcome_id)
    return latest is None


def _known_by(heard: tuple[HeardOutcome, ...]) -> list[datetime]:
    """When each had happened at the latest: when it, or any later one of the permit, was heard of."""
    known_by: list[datetime] = []
    for known in reversed(heard):
        known_by.insert(0, min([known.heard_at, *known_by[:1]]))
    return known_by
