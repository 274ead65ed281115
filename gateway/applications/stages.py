"""The stages (环节) of a grid connection, in order, per customer class (附件2 and its note 2, 第（六）条)."""

from enum import StrEnum

from gateway.applications.customer_classes import CustomerClass
from gateway.applications.errors import StageNotInClass
from gateway.errors import Owner
from gateway.wording.phrases import Phrase, listed


class Stage(StrEnum):
    """环节; the wire uses the same words."""

    ACCEPTANCE = "acceptance"
    SUPPLY_PLAN = "supply_plan"
    DESIGN_REVIEW = "design_review"
    INTERIM_INSPECTION = "interim_inspection"
    COMPLETION_INSPECTION = "completion_inspection"
    METERING = "metering"
    SIGN_UP = "sign_up"
    CONSTRUCTION = "construction"

    @property
    def chinese_title(self) -> str:
        """The stage as the regulation names it."""
        return STAGE_TITLES[self]


STAGE_TITLES = {
    Stage.ACCEPTANCE: "业务受理",
    Stage.SUPPLY_PLAN: "供电方案答复",
    Stage.DESIGN_REVIEW: "设计审查",
    Stage.INTERIM_INSPECTION: "中间检查",
    Stage.COMPLETION_INSPECTION: "竣工检验",
    Stage.METERING: "装表接电",
    Stage.SIGN_UP: "受理签约",
    Stage.CONSTRUCTION: "施工接电",
}

TWO_STAGES = (Stage.SIGN_UP, Stage.CONSTRUCTION)
THREE_STAGES = (Stage.ACCEPTANCE, Stage.SUPPLY_PLAN, Stage.METERING)
SIX_STAGES = (
    Stage.ACCEPTANCE,
    Stage.SUPPLY_PLAN,
    Stage.DESIGN_REVIEW,
    Stage.INTERIM_INSPECTION,
    Stage.COMPLETION_INSPECTION,
    Stage.METERING,
)

STAGES: dict[CustomerClass, tuple[Stage, ...]] = {
    CustomerClass.RESIDENTIAL: TWO_STAGES,
    CustomerClass.LV_ZERO: TWO_STAGES,
    CustomerClass.LV_ORDINARY: THREE_STAGES,
    CustomerClass.HV_SINGLE: SIX_STAGES,
    CustomerClass.HV_DUAL: SIX_STAGES,
}

FOLLOWS_AT_ONCE = frozenset({Stage.SUPPLY_PLAN})
"""Stages before which nothing is the applicant's to do: their clock runs from the completion of the stage before,
whenever the utility says that it began. Every other stage waits for the applicant (设计、施工、缴费、签约)."""


def stages_of(customer_class: CustomerClass) -> tuple[Stage, ...]:
    """The stages of the class, in the order they must happen in."""
    return STAGES[customer_class]


def require_stage(customer_class: CustomerClass, stage: Stage) -> Stage:
    """``stage`` when the class has it; raises ``StageNotInClass``."""
    if stage in STAGES[customer_class]:
        return stage
    raise StageNotInClass(
        check="stages.not_in_class",
        owner=Owner.UTILITY,
        remedy=Phrase(
            "{customer_class}只有以下环节：{existing}；不得增设“{stage}”环节。",
            customer_class=Phrase(customer_class.chinese_title),
            existing=listed((Phrase(known.chinese_title) for known in STAGES[customer_class]), " → "),
            stage=Phrase(stage.chinese_title),
        ),
        clause="第（六）条",
    )
