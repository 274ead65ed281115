"""规划和自然资源局: planning permits, told in the words of the V3 project-approval exchange.

Requests go out in the gateway's own words; outcomes come in as ``schemas.project_exchange.ProjectApprovalResult``.
"""

from collections.abc import Mapping
from typing import Any

from gateway.approvals.joint_review import Outcome
from gateway.approvals.plain_dialect import read_claims, write_request
from gateway.approvals.ports import Department, DepartmentSettings, HandlingStep
from schemas.project_exchange import OUTCOME_OF_STATUS, ProjectApprovalResult


class PlanningSettings(DepartmentSettings):
    """What can be set for planning departments."""


def parse(claims: Mapping[str, Any], _settings: PlanningSettings) -> Outcome | HandlingStep:
    """``blzt`` 接件 and 部门开始办理 are handling steps; every other status is an outcome."""
    said = read_claims(ProjectApprovalResult, claims)
    outcome = OUTCOME_OF_STATUS[said.blzt]
    if outcome is None:
        return HandlingStep(said.jti, said.spsxslbm, said.xh)
    return Outcome(
        outcome_id=said.jti,
        permit_id=said.spsxslbm,
        sequence=said.xh,
        outcome=outcome,
        decided_at=said.blsj,
        supersedes=said.x_tdjg,
        reason=said.blyj,
        document_number=said.pfwh,
        valid_until=said.pfwjyxqx,
    )


DEPARTMENT = Department(
    prefix="planning",
    title="规划和自然资源局",
    permits={
        "construction_planning": "建设工程规划许可证",
        "project_planning": "市政工程规划条件核实",
    },
    settings=PlanningSettings(),
    parse=parse,
    compose=write_request,
)
