"""What a joint review is composed of: sound permits for departments that take part, and the requests they are sent."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.applications.model import GridConnectionApplication
from gateway.applications.time_limits import voltage_band
from gateway.applications.working_days import ClockReading
from gateway.approvals.deadlines import ReviewDeadlines
from gateway.approvals.departments import Departments
from gateway.approvals.errors import DepartmentNotConcerned, ReviewUnsound
from gateway.approvals.joint_review import APPROVALS_CLAUSE, JointReview, Permit, open_review
from gateway.approvals.ports import KeptReview
from gateway.caller import Role
from gateway.delivery.ports import ChannelKind, EventDraft
from gateway.errors import Owner
from gateway.ids import MakeId
from gateway.partners.directory import DirectorySnapshot
from schemas.departments import ConnectionLine, ReviewMode, ReviewRequest
from schemas.identifiers import IdentifierError, region_levels
from schemas.partner_api import JointReviewRequest, PermitRequest

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


def compose_review(
    request: JointReviewRequest,
    application: GridConnectionApplication,
    departments: Departments,
    partners: DirectorySnapshot,
    make_id: MakeId,
    at: datetime,
) -> JointReview:
    """The review that ``request`` asks for. Raises ``ReviewUnsound`` or ``DepartmentNotConcerned``."""
    _require_line(request.line)
    if len({(each.department, each.permit) for each in request.permits}) != len(request.permits):
        raise _unsound("permits", "同一部门的同一审批事项只能列一次。")
    for each in request.permits:
        _require_commitment(each)
        _require_concerned(each, application.region, departments, partners)
    permits = tuple(
        Permit(make_id("prm"), each.department, each.permit, each.mode, each.commitment) for each in request.permits
    )
    return open_review(
        JointReview(
            review_id=make_id("rev"),
            opened_at=at,
            received_on=application.received_on,
            region=application.region,
            voltage_v=request.line.voltage_v,
            permits=permits,
        )
    )


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
        """The events that take ``permits`` of a review to their departments.

        Raises ``DepartmentNotConcerned`` where an adapter is no longer there.
        """
        clocks = {each.permit_id: each.clock for each in deadlines.permits}
        return [self._draft(kept, permit, clocks[permit.permit_id], at) for permit in permits]

    def _draft(self, kept: KeptReview, permit: Permit, clock: ClockReading | None, at: datetime) -> EventDraft:
        department = self._departments.of_code(permit.department)
        if department is None:
            raise _not_concerned("unknown", "该部门未接入，请核对部门代码。")
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
            commitment=permit.commitment,
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


def _require_line(line: ConnectionLine) -> None:
    try:
        voltage_band(line.voltage_v)
    except ValueError:
        raise _unsound("voltage", "线路电压须为380V及以下或6kV及以上（附件2注1）。") from None


def _require_commitment(permit: PermitRequest) -> None:
    if permit.commitment is not None and permit.mode is not ReviewMode.COMMITMENT:
        raise _unsound("commitment", "仅告知承诺方式可附承诺书摘要。")


def _require_concerned(
    permit: PermitRequest, region: str, departments: Departments, partners: DirectorySnapshot
) -> None:
    department = departments.of_code(permit.department)
    partner = partners.active_partner(permit.department)
    if department is None or partner is None or partner.role is not Role.DEPARTMENT:
        raise _not_concerned("unknown", "该部门未接入或已停用，请核对部门代码。")
    if permit.permit not in department.permits:
        raise _not_concerned("permit", f"{department.title}不办理该事项，请核对审批事项。")
    if _levels(region).isdisjoint(partner.regions):
        raise _not_concerned("region", "该部门不管辖申请所在的行政区划，请改选当地部门。")


def _levels(region: str) -> frozenset[str]:
    """The region as given and every level above it."""
    try:
        above = region_levels(region)
    except IdentifierError:
        return frozenset()
    return frozenset({region, region[:9], *above})


def _unsound(what: str, remedy: str) -> ReviewUnsound:
    return ReviewUnsound(check=f"joint_review.{what}", owner=Owner.UTILITY, remedy=remedy, clause=APPROVALS_CLAUSE)


def _not_concerned(what: str, remedy: str) -> DepartmentNotConcerned:
    return DepartmentNotConcerned(check=f"department.{what}", owner=Owner.UTILITY, remedy=remedy)
