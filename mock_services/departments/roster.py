"""The departments of a city that a connection line meets in practice, and which words each one speaks."""

from dataclasses import dataclass
from enum import StrEnum

from schemas.wire import Typ


class Dialect(StrEnum):
    """The claims that a department puts into an outcome."""

    GATEWAY = "gateway"
    """``schemas.departments.ApprovalOutcome``"""
    PROJECT_EXCHANGE = "project_exchange"
    """``schemas.project_exchange.ProjectApprovalResult``"""


@dataclass(frozen=True)
class Department:
    """A department in one region; ``code`` is the partner code by which everyone knows it."""

    name: str
    region: str
    title: str
    permits: tuple[str, ...]
    number_prefix: str
    dialect: Dialect = Dialect.GATEWAY

    @property
    def code(self) -> str:
        return f"{self.name}-{self.region}"


OUTCOME_TYP = Typ.APPROVAL_OUTCOME


def departments_of(region: str) -> list[Department]:
    """All five in ``region`` (six digits)."""
    return [
        Department(
            "planning",
            region,
            "规划和自然资源局",
            ("construction_planning", "project_planning"),
            "建字第",
            Dialect.PROJECT_EXCHANGE,
        ),
        Department("road", region, "城市道路管理部门", ("road_occupation",), "占掘路许"),
        Department("greenery", region, "园林绿化部门", ("greenery_occupation",), "绿许"),
        Department("traffic", region, "公安交通管理部门", ("traffic_works",), "交占许"),
        Department("water", region, "水务部门", ("river_works",), "水许"),
    ]
