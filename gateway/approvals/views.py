"""A joint review as utilities see it, at a given time."""

from datetime import datetime

from gateway.applications.rule_book import RuleBook
from gateway.approvals.deadlines import ReviewDeadlines, review_deadlines
from gateway.approvals.joint_review import JointReview
from gateway.approvals.permit_states import review_status
from gateway.approvals.ports import KeptReview
from schemas.events import PermitSummary
from schemas.partner_api import JointReviewView

MOST_MISSING = 20
"""A department may count up to 10,000; more than these gaps tell nobody more."""


def permit_summaries(review: JointReview, deadlines: ReviewDeadlines) -> list[PermitSummary]:
    """Every permit with its state and deadline."""
    return [
        PermitSummary(
            permit_id=permit.permit_id,
            department=permit.department,
            permit=permit.permit,
            mode=permit.mode,
            mode_clause=permit.mode_clause,
            state=deadline.state.status.value,
            due_on=deadline.clock.due_on if deadline.clock else None,
            due_provisional=deadline.clock is not None and deadline.clock.provisional,
            missing_sequences=list(deadline.state.missing_sequences[:MOST_MISSING]),
        )
        for permit, deadline in zip(review.permits, deadlines.permits, strict=True)
    ]


def review_view(kept: KeptReview, rules: RuleBook, at: datetime) -> JointReviewView:
    """The whole review as it stands at the aware instant ``at``. Raises as ``review_deadlines`` does."""
    deadlines = review_deadlines(kept.review, rules, at)
    return JointReviewView(
        review_id=kept.review.review_id,
        application_id=kept.application_id,
        state=review_status(kept.review).value,
        limit_working_days=deadlines.limit.working_days,
        limit_clause=deadlines.limit.clause,
        permits=permit_summaries(kept.review, deadlines),
        record_id=kept.record_id,
    )
