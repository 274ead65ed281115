"""城市道路管理部门: occupying and digging up city roads (占用、挖掘城市道路)."""

from gateway.approvals.plain_dialect import read_outcome, write_request
from gateway.approvals.ports import Department, DepartmentSettings


class RoadSettings(DepartmentSettings):
    """What can be set for road departments."""


DEPARTMENT = Department(
    prefix="road",
    title="城市道路管理部门",
    permits={"road_occupation": "占用、挖掘城市道路许可"},
    settings=RoadSettings(),
    parse=read_outcome,
    compose=write_request,
)
