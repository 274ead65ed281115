"""园林绿化部门: occupying green space and moving trees (占用绿地、移伐树木)."""

from gateway.approvals.plain_dialect import read_outcome, write_request
from gateway.approvals.ports import Department, DepartmentSettings


class GreenerySettings(DepartmentSettings):
    """What can be set for greenery departments."""


DEPARTMENT = Department(
    prefix="greenery",
    title="园林绿化部门",
    permits={"greenery_occupation": "临时占用绿地、砍伐移植树木许可"},
    settings=GreenerySettings(),
    parse=read_outcome,
    compose=write_request,
)
