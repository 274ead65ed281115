"""The project approval's site (建设地点) against the property's location (坐落)."""

from gateway.applications.reconciliation.comparison import Comparison
from gateway.applications.reconciliation.facts import Facts
from gateway.applications.reconciliation.finding import ComparedValue, Judgement, Outcome, Side
from gateway.applications.reconciliation.places import UNSURE_REMEDIES, relate_places


def _judge(facts: Facts) -> Judgement:
    project, right = facts.project, facts.property_right
    if project is None or right is None:
        return Judgement(Outcome.UNSURE, "address_missing")
    return relate_places(
        (project.site or "", project.project_code.split("-")[1]), (right.location, right.property_unit_code[:6])
    )


def _shown(facts: Facts) -> tuple[ComparedValue, ...]:
    project, right = facts.project, facts.property_right
    if project is None or right is None:
        return ()
    return (
        ComparedValue(Side.PROJECT, "建设地点", project.site or ""),
        ComparedValue(Side.PROPERTY, "坐落", right.location),
    )


COMPARISON = Comparison(
    slug="site",
    title="建设地点与不动产坐落",
    clause="第（六）条",
    sides=lambda _: (Side.PROJECT, Side.PROPERTY),
    certificates=lambda _: frozenset({"project_approval", "property_certificate"}),
    judge=_judge,
    shown=_shown,
    remedies={
        **UNSURE_REMEDIES,
        "other_place": "项目的建设地点不在该不动产所在地：请选择相符的不动产或项目；登记有误的，请向相应部门更正",
    },
)
