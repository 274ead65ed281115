"""Each department's deadline in a joint review, with its pauses, and the deadline of the whole.

Every department has the limit of the whole joint review, from the day its permit was asked for: with the review, or
later where a permit was added. The whole ends with the last of them. Modes without a review (告知承诺, 备案, 免批) have
no clock.
"""

from dataclasses import dataclass
from datetime import datetime

from gateway.applications.claimed_times import DEFAULT_TOLERANCE, Tolerance
from gateway.applications.rule_book import RuleBook
from gateway.applications.time_limits import JointReviewLimitRow, joint_review_limit
from gateway.applications.working_days import ClockReading, Deadline, read_clock
from gateway.approvals.joint_review import JointReview
from gateway.approvals.permit_states import PermitState, permit_state
from gateway.clock import date_in_china
from schemas.departments import ReviewMode


@dataclass(frozen=True)
class PermitDeadline:
    """One permit: its state, and its clock (None where the mode has none)."""

    permit_id: str
    department: str
    mode: ReviewMode
    state: PermitState
    clock: ClockReading | None


@dataclass(frozen=True)
class ReviewDeadlines:
    """All permits against the limit; ``whole`` is None where there is no limit, or no permit with a clock.

    ``limit.working_days`` None means that the rules set no limit, and ``limit.note`` says so.
    """

    limit: JointReviewLimitRow
    permits: tuple[PermitDeadline, ...]
    whole: Deadline | None
    over: bool


def review_deadlines(
    review: JointReview, rules: RuleBook, at: datetime, tolerance: Tolerance = DEFAULT_TOLERANCE
) -> ReviewDeadlines:
    """The deadlines of ``review`` as they stand at the aware instant ``at``.

    Raises ``NoRuleInForce``, ``RegionMalformed``; ``ValueError`` for a voltage that is neither low nor high.
    """
    limit = joint_review_limit(review.voltage_v, review.region, review.received_on, rules.joint_review_limits)
    permits = []
    for permit in review.permits:
        state = permit_state(permit, tolerance)
        clock = None
        if permit.mode is ReviewMode.FULL:
            clock = read_clock(
                rules.calendar,
                started_on=date_in_china(permit.opened_at),
                limit_working_days=limit.working_days,
                pauses=state.pauses,
                ended_at=state.clock_ended_at,
                at=at,
            )
        permits.append(PermitDeadline(permit.permit_id, permit.department, permit.mode, state, clock))
    clocks = [permit.clock for permit in permits if permit.clock is not None]
    due = [Deadline(clock.due_on, clock.provisional) for clock in clocks if clock.due_on is not None]
    whole = max(due, key=lambda deadline: (deadline.due_on, deadline.provisional), default=None)
    return ReviewDeadlines(limit, tuple(permits), whole, any(clock.over for clock in clocks))
