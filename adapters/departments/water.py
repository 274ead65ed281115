"""水务部门: works that touch rivers (涉河建设)."""

from gateway.approvals.plain_dialect import read_outcome, write_request
from gateway.approvals.ports import Department, DepartmentSettings


class WaterSettings(DepartmentSettings):
    """What can be set for water departments."""


DEPARTMENT = Department(
    prefix="water",
    title="水务部门",
    permits={"river_works": "河道管理范围内建设项目工程建设方案许可"},
    settings=WaterSettings(),
    parse=read_outcome,
    compose=write_request,
)
