"""公安交通管理部门: works that take road space from traffic (占道施工)."""

from gateway.approvals.plain_dialect import read_outcome, write_request
from gateway.approvals.ports import Department, DepartmentSettings


class TrafficSettings(DepartmentSettings):
    """What can be set for traffic police departments."""


DEPARTMENT = Department(
    prefix="traffic",
    title="公安交通管理部门",
    permits={"traffic_works": "占用道路施工交通安全许可"},
    settings=TrafficSettings(),
    parse=read_outcome,
    compose=write_request,
)
