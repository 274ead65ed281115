"""What a permit's outcomes add up to, and what all permits of a joint review do.

Outcomes arrive in any order. A permit's state is read from the whole set each time, by the department's own
``sequence``; so the same outcomes end in the same state, whatever the order of arrival.

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

Modes (第（四）条): 审批 as above. 告知承诺 is approved at once on the commitment that the applicant gave, and checked
afterwards: only decisions have an effect. 备案 goes like 审批, without a clock: that the gateway sent it is not yet a
filing, so the permit is *filed* when the department says so, by approving. 免批 needs nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from gateway.applications.claimed_times import DEFAULT_TOLERANCE, BackdatedReason, Tolerance, judge_time
from gateway.applications.working_days import Pause
from gateway.approvals.joint_review import PAUSING, HeardOutcome, JointReview, Outcome, Permit
from schemas.departments import OutcomeKind, ReviewMode

DECISIONS = (OutcomeKind.APPROVED, OutcomeKind.REJECTED, OutcomeKind.REVOKED)
ENDS_PAUSE_OF = {
    OutcomeKind.CORRECTION_RECEIVED: OutcomeKind.CORRECTION_REQUESTED,
    OutcomeKind.SPECIAL_PROCEDURE_ENDED: OutcomeKind.SPECIAL_PROCEDURE_STARTED,
}


_STATE: Final = "state"


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
    SUPERSEDES_UNKNOWN = "supersedes_unknown"
    """It replaces an outcome that was not heard of (so far)."""
    SUPERSEDES_LATER = "supersedes_later"
    """It would replace an outcome with a higher number, and does not."""
    NO_EFFECT_IN_MODE = "no_effect_in_mode"


@dataclass(frozen=True)
class Finding:
    """A finding about one outcome; ``flags`` say why a time is ``backdated``."""

    outcome_id: str
    kind: FindingKind
    flags: tuple[BackdatedReason, ...] = ()

    @property
    def slugs(self) -> list[str]:
        """For the wire: ``after_decision``, ``backdated.later_than_now``."""
        return [f"{self.kind}.{flag}" for flag in self.flags] or [self.kind.value]


@dataclass(frozen=True)
class PermitState:
    """What a permit's outcomes add up to.

    ``standing`` is the decision that holds now, or None. ``clock_ended_at`` is the first decision's counted time.
    ``missing_sequences`` are gaps below the highest number heard or noted: outcomes still on their way.
    """

    status: PermitStatus
    standing: Outcome | None
    clock_ended_at: datetime | None
    pauses: tuple[Pause, ...]
    superseded: frozenset[str]
    findings: tuple[Finding, ...]
    missing_sequences: tuple[int, ...]

    def findings_of(self, outcome_id: str) -> list[str]:
        """The slugs of what was found about one outcome."""
        return [slug for finding in self.findings if finding.outcome_id == outcome_id for slug in finding.slugs]


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
        elif self.permit.mode is ReviewMode.COMMITMENT:
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
        if revoking and not self.granted_before and self.permit.mode is not ReviewMode.COMMITMENT:
            self.find(outcome, FindingKind.REVOKED_UNGRANTED)
        elif self.standing is not None and not (revoking and self.standing.outcome is OutcomeKind.APPROVED):
            self.find(outcome, FindingKind.DECISION_NOT_SUPERSEDED)
        self.standing = outcome
        self.pauses.extend(replace(pause, until_at=at) for pause in self.open.values())
        self.open.clear()

    def status(self) -> PermitStatus:
        if self.standing is not None:
            filed = self.permit.mode is ReviewMode.FILING and self.standing.outcome is OutcomeKind.APPROVED
            return PermitStatus.FILED if filed else DECIDED[self.standing.outcome]
        match self.permit.mode:
            case ReviewMode.EXEMPT:
                return PermitStatus.EXEMPT
            case ReviewMode.COMMITMENT:
                given = self.permit.commitment is not None
                return PermitStatus.APPROVED_ON_COMMITMENT if given else PermitStatus.WAITING_ON_APPLICANT
            case ReviewMode.FULL | ReviewMode.FILING:
                return self.status_under_way()

    def status_under_way(self) -> PermitStatus:
        if OutcomeKind.CORRECTION_REQUESTED in self.open:
            return PermitStatus.WAITING_ON_APPLICANT
        if OutcomeKind.SPECIAL_PROCEDURE_STARTED in self.open:
            return PermitStatus.SPECIAL_PROCEDURE
        return PermitStatus.ACCEPTED if self.accepted else PermitStatus.SUBMITTED


def permit_state(permit: Permit, tolerance: Tolerance = DEFAULT_TOLERANCE) -> PermitState:
    """What the outcomes of ``permit`` add up to; with the tolerance of every day it is read once for each permit."""
    if tolerance is not DEFAULT_TOLERANCE:
        return _read(permit, tolerance)
    known: PermitState | None = permit.derived.get(_STATE)
    if known is None:
        known = permit.derived[_STATE] = _read(permit, tolerance)
    return known


def _read(permit: Permit, tolerance: Tolerance) -> PermitState:
    replaced_by = _replaced_by(permit.heard)
    fold = _Fold(permit)
    fold.findings.extend(_replacing_nothing(permit.heard))
    clock_ended_at: datetime | None = None
    counted_at = permit.opened_at
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
    used = {*[known.outcome.sequence for known in permit.heard], *permit.noted}
    return PermitState(
        status=fold.status(),
        standing=fold.standing,
        clock_ended_at=clock_ended_at,
        pauses=tuple(sorted((*fold.pauses, *fold.open.values()), key=lambda pause: pause.from_at)),
        superseded=frozenset(replaced_by),
        findings=tuple(fold.findings),
        missing_sequences=tuple([n for n in range(1, max(used, default=0)) if n not in used]),
    )


def review_status(review: JointReview) -> ReviewStatus:
    """What all permits of ``review`` add up to; read once for each review."""
    known: ReviewStatus | None = review.derived.get(_STATE)
    if known is None:
        known = review.derived[_STATE] = _status(review)
    return known


def _status(review: JointReview) -> ReviewStatus:
    statuses = [permit_state(permit).status for permit in review.permits]
    if any(status in REFUSED for status in statuses):
        return ReviewStatus.REJECTED
    if all(status in GRANTED for status in statuses):
        return ReviewStatus.APPROVED
    if PermitStatus.WAITING_ON_APPLICANT in statuses:
        return ReviewStatus.WAITING_ON_APPLICANT
    return ReviewStatus.UNDER_WAY


def _replaced_by(heard: tuple[HeardOutcome, ...]) -> dict[str, Outcome]:
    """Which outcome was superseded by which; only a higher sequence can supersede a lower one."""
    replaced: dict[str, Outcome] = {}
    if not _supersedes(heard):
        return replaced
    by_id = {known.outcome.outcome_id: known.outcome for known in heard}
    for known in heard:
        target = by_id.get(known.outcome.supersedes or "")
        if target is not None and target.sequence < known.outcome.sequence:
            replaced[target.outcome_id] = known.outcome
    return replaced


def _supersedes(heard: tuple[HeardOutcome, ...]) -> bool:
    """Whether any names another, as few do."""
    return bool([known for known in heard if known.outcome.supersedes is not None])


def _replacing_nothing(heard: tuple[HeardOutcome, ...]) -> Iterator[Finding]:
    """Outcomes that name another which they cannot replace."""
    if not _supersedes(heard):
        return
    sequences = {known.outcome.outcome_id: known.outcome.sequence for known in heard}
    for known in heard:
        outcome = known.outcome
        if outcome.supersedes is not None and outcome.supersedes not in sequences:
            yield Finding(outcome.outcome_id, FindingKind.SUPERSEDES_UNKNOWN)
        elif outcome.supersedes is not None and sequences[outcome.supersedes] >= outcome.sequence:
            yield Finding(outcome.outcome_id, FindingKind.SUPERSEDES_LATER)


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
        known_by.append(min(known.heard_at, known_by[-1]) if known_by else known.heard_at)
    known_by.reverse()
    return known_by
