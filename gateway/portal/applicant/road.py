"""The whole road before the first click: stages, limits, clauses and documents, out of the dated rule tables."""

from dataclasses import dataclass
from datetime import date

from gateway.applications.customer_classes import CustomerClass
from gateway.applications.requirements import Provider, RequirementRow, allowed_documents
from gateway.applications.rule_book import RuleBook
from gateway.applications.stages import Stage, stages_of
from gateway.applications.time_limits import (
    JointReviewLimitRow,
    StageLimitRow,
    WholeLimitRow,
    joint_review_limit,
    stage_limit,
    whole_process_limit,
)
from schemas.identity import ApplicantKind

CLASSES = {
    ApplicantKind.RESIDENT: (CustomerClass.RESIDENTIAL,),
    ApplicantKind.ENTERPRISE: (
        CustomerClass.LV_ZERO,
        CustomerClass.LV_ORDINARY,
        CustomerClass.HV_SINGLE,
        CustomerClass.HV_DUAL,
    ),
}
LOW_V, HIGH_V = 380, 10_000
"""The usual voltages of the two bands, in volts, for the limit of the construction permits."""


@dataclass(frozen=True)
class Step:
    """One stage with its limit, and what may be asked for at it."""

    stage: Stage
    limit: StageLimitRow
    fetched: tuple[RequirementRow, ...]
    brought: tuple[RequirementRow, ...]


@dataclass(frozen=True)
class Road:
    """What somebody of a class has before them."""

    customer_class: CustomerClass
    steps: tuple[Step, ...]
    whole: WholeLimitRow
    permits: JointReviewLimitRow


def roads(kind: ApplicantKind, region: str, on: date, rules: RuleBook) -> list[Road]:
    """The road of each class that ``kind`` may be of, by the rows in force in ``region`` (GB/T 2260) on ``on``.

    Raises ``NoRuleInForce``, ``RegionMalformed``.
    """
    return [_road(each, kind, region, on, rules) for each in CLASSES[kind]]


def _road(customer_class: CustomerClass, kind: ApplicantKind, region: str, on: date, rules: RuleBook) -> Road:
    voltage = HIGH_V if customer_class.is_high_voltage else LOW_V
    return Road(
        customer_class,
        tuple(_step(customer_class, stage, kind, region, on, rules) for stage in stages_of(customer_class)),
        whole_process_limit(customer_class, on, region, rules.whole_limits),
        joint_review_limit(voltage, region, on, rules.joint_review_limits),
    )


def _step(
    customer_class: CustomerClass, stage: Stage, kind: ApplicantKind, region: str, on: date, rules: RuleBook
) -> Step:
    rows = allowed_documents(customer_class, stage, on, kind)
    return Step(
        stage,
        stage_limit(customer_class, stage, on, region, rules.stage_limits),
        tuple(row for row in rows if row.provider is Provider.SOURCE),
        tuple(row for row in rows if row.provider is Provider.APPLICANT),
    )
