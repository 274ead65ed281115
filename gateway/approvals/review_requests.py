"""The requests that departments are sent: one for each permit, in the words that the department reads."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.applications.working_days import ClockReading
from gateway.approvals.deadlines import ReviewDeadlines
from gateway.approvals.departments import Departments
from gateway.approvals.errors import DepartmentNotConcerned
from gateway.approvals.joint_review import Permit
from gateway.approvals.ports import KeptReview
from gateway.delivery.ports import ChannelKind, EventDraft
from gateway.errors import Owner
from gateway.ids import MakeId
from schemas.departments import ReviewMode, ReviewRequest

REVIEW_REQUESTED = "cn.bandian.review.requested.v1"
"""``type`` of the event that takes a review request to a department."""


@dataclass(frozen=True)
class GatewayNames:
    """How the gateway names itself in signed documents, and where departments find it."""

    issuer: str
    public_url: str

    def outcomes_uri(self, department: str) -> str:
        """Where ``department`` pushes its outcomes."""
        return f"{self.public_url.rstrip('/')}/v1/departments/{department}/outcomes"


def goes_out(permit: Permit) -> bool:
    """Whether the department is asked now: 免批 never, 告知承诺 once the applicant has committed."""
    match permit.mode:
        case ReviewMode.EXEMPT:
            return False
        case ReviewMode.COMMITMENT:
            return permit.commitment is not None
        case ReviewMode.FULL | ReviewMode.FILING:
            return True


class RequestWriter:
    """Writes the requests that departments are sent."""

    def __init__(self, departments: Departments, names: GatewayNames, make_id: MakeId) -> None:
        self._departments = departments
        self._names = names
        self._make_id = make_id

    def drafts(
        self, kept: KeptReview, permits: Sequence[Permit], deadlines: ReviewDeadlines, at: datetime
    ) -> list[EventDraft]:
        """The events that take those of ``permits`` that go out now to their departments.

        Raises ``DepartmentNotConcerned`` where an adapter is no longer there.
        """
        clocks = {each.permit_id: each.clock for each in deadlines.permits}
        return [self._draft(kept, permit, clocks[permit.permit_id], at) for permit in permits if goes_out(permit)]

    def _draft(self, kept: KeptReview, permit: Permit, clock: ClockReading | None, at: datetime) -> EventDraft:
        department = self._departments.of_code(permit.department)
        if department is None:
            raise DepartmentNotConcerned(
                check="department.unknown", owner=Owner.UTILITY, remedy="该部门未接入，请核对部门代码。"
            )
        event_id = self._make_id("evt")
        request = ReviewRequest(
            iss=self._names.issuer,
            aud=permit.department,
            jti=event_id,
            iat=int(at.timestamp()),
            review_id=kept.review.review_id,
            permit_id=permit.permit_id,
            application_id=kept.application_id,
            permit=permit.permit,
            mode=permit.mode,
            region=kept.review.region,
            line=kept.line,
            commitment=permit.commitment.sha256 if permit.commitment else None,
            due_on=clock.due_on if clock else None,
            due_provisional=clock is not None and clock.provisional,
            outcomes_uri=self._names.outcomes_uri(permit.department),
        )
        return EventDraft(
            event_id,
            permit.department,
            ChannelKind.DEPARTMENT,
            REVIEW_REQUESTED,
            kept.application_id,
            at,
            department.write_request(request),
        )
