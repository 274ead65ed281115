"""What a joint review is composed of: a line that fits the application, and permits that departments there handle."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from gateway.applications.model import GridConnectionApplication
from gateway.applications.time_limits import VoltageBand, voltage_band
from gateway.approvals.departments import Departments
from gateway.approvals.errors import DepartmentNotConcerned, ReviewUnsound
from gateway.approvals.joint_review import APPROVALS_CLAUSE, JointReview, Permit, open_review
from gateway.approvals.review_modes import ModesAllowed
from gateway.caller import Role
from gateway.errors import Owner
from gateway.ids import MakeId
from gateway.partners.agreements import region_and_above
from gateway.partners.directory import DirectorySnapshot
from gateway.wording.phrases import Phrase
from schemas.departments import ConnectionLine
from schemas.partner_api import JointReviewRequest, PermitRequest

_BANDS = (VoltageBand.LOW, VoltageBand.UP_TO_20_KV, VoltageBand.ABOVE_20_KV)
"""From the strictest limit to the one that the regulation leaves open."""


class Composer:
    """Turns what a utility asks for into permits. Every method raises ``ReviewUnsound``, ``DepartmentNotConcerned``
    or ``ReviewModeNotAllowed``.
    """

    def __init__(self, departments: Departments, modes: ModesAllowed, make_id: MakeId) -> None:
        self._departments = departments
        self._modes = modes
        self._make_id = make_id

    def compose(
        self,
        request: JointReviewRequest,
        application: GridConnectionApplication,
        partners: DirectorySnapshot,
        at: datetime,
    ) -> JointReview:
        """The review that ``request`` asks for."""
        _require_line(request.line, application)
        require_each_once(request.permits)
        return open_review(
            JointReview(
                review_id=self._make_id("rev"),
                opened_at=at,
                received_on=application.received_on,
                region=application.region,
                voltage_v=request.line.voltage_v,
                permits=self._permits(request.permits, request.line, application, partners, at),
            )
        )

    def extend(
        self,
        review: JointReview,
        wanted: Sequence[PermitRequest],
        line: ConnectionLine,
        application: GridConnectionApplication,
        partners: DirectorySnapshot,
        at: datetime,
    ) -> JointReview:
        """``review`` of ``line`` with the permits ``wanted`` added behind those that are there."""
        added = self._permits(wanted, line, application, partners, at)
        return open_review(replace(review, permits=(*review.permits, *added)))

    def _permits(
        self,
        wanted: Sequence[PermitRequest],
        line: ConnectionLine,
        application: GridConnectionApplication,
        partners: DirectorySnapshot,
        at: datetime,
    ) -> tuple[Permit, ...]:
        permits = []
        for each in wanted:
            self._require_concerned(each, application.region, partners)
            rule = self._modes.rule_for(each.mode, each.permit, line, application.region, application.received_on)
            permits.append(
                Permit(self._make_id("prm"), each.department, each.permit, each.mode, at, mode_clause=rule.clause)
            )
        return tuple(permits)

    def _require_concerned(self, permit: PermitRequest, region: str, partners: DirectorySnapshot) -> None:
        department = self._departments.of_code(permit.department)
        partner = partners.active_partner(permit.department)
        if department is None or partner is None or partner.role is not Role.DEPARTMENT:
            raise _not_concerned("unknown", "该部门未接入或已停用，请核对部门代码。")
        if permit.permit not in department.permits:
            raise _not_concerned(
                "permit", Phrase("{department}不办理该事项，请核对审批事项。", department=Phrase(department.title))
            )
        if region_and_above(region).isdisjoint(partner.regions):
            raise _not_concerned("region", "该部门不管辖申请所在的行政区划，请改选当地部门。")


def require_each_once(permits: Sequence[PermitRequest]) -> None:
    """Raises ``ReviewUnsound`` where a department's permit is asked for twice."""
    if len({(each.department, each.permit) for each in permits}) != len(permits):
        raise _unsound("permits", "同一部门的同一审批事项只能列一次。")


def _require_line(line: ConnectionLine, application: GridConnectionApplication) -> None:
    """The line's voltage chooses the time limit, so it may not lie in a more lenient band than the demand's."""
    try:
        band = voltage_band(line.voltage_v)
    except ValueError:
        raise _unsound("voltage", "线路电压须为380V及以下或6kV及以上（附件2注1）。") from None
    asked = voltage_band(application.demand.voltage_v)
    if (band is VoltageBand.LOW) != (asked is VoltageBand.LOW) or _BANDS.index(band) > _BANDS.index(asked):
        raise _unsound("voltage_class", "线路电压等级须与用电申请一致，不得高于所申请的电压等级，请核对后重新提交。")


def _unsound(what: str, remedy: str) -> ReviewUnsound:
    return ReviewUnsound(check=f"joint_review.{what}", owner=Owner.UTILITY, remedy=remedy, clause=APPROVALS_CLAUSE)


def _not_concerned(what: str, remedy: str) -> DepartmentNotConcerned:
    return DepartmentNotConcerned(check=f"department.{what}", owner=Owner.UTILITY, remedy=remedy)
