"""The rules in force in a region on a day, per customer class: read from the very tables that judge applications.

Nothing is written down a second time: a dated row that a province adds is published by being added.
"""

from dataclasses import dataclass, replace
from datetime import date

from gateway.applications.customer_classes import Area, CeilingRow, CustomerClass
from gateway.applications.dated_rows import NATIONAL, require_region_code
from gateway.applications.requirements import RequirementRow, allowed_documents, holders_of
from gateway.applications.rule_book import RuleBook
from gateway.applications.stages import Stage, stages_of
from gateway.applications.time_limits import (
    JointReviewLimitRow,
    StageLimitRow,
    VoltageBand,
    WholeLimitRow,
)
from gateway.approvals.review_modes import ReviewModeRow
from gateway.oversight.fees import FEES, FeeRow
from gateway.rule_rows.model import OperatorRow, RowTerms
from gateway.rule_rows.rules import Rules
from gateway.rule_rows.tables import CalendarRow
from schemas.identity import ApplicantKind
from schemas.regions import REGION_NAMES

REGION_DIGITS = 6
HOTLINES = (("95598", "供电服务热线"), ("12398", "能源监管投诉举报热线"))
"""第（十三）条: both together, to the same people."""

WHOM = {
    CustomerClass.RESIDENTIAL: "以个人身份申请，380V及以下供电",
    CustomerClass.LV_ZERO: "小微企业申请，380V及以下供电，报装容量不超过当地“零投资”上限",
    CustomerClass.LV_ORDINARY: "其他企业申请，380V及以下供电",
    CustomerClass.HV_SINGLE: "10（6）kV及以上供电，一路电源",
    CustomerClass.HV_DUAL: "10（6）kV及以上供电，两路电源",
}
BAND_TITLES = {
    VoltageBand.LOW: "380V及以下",
    VoltageBand.UP_TO_20_KV: "6kV至20kV",
    VoltageBand.ABOVE_20_KV: "20kV以上",
}
AREA_TITLES = {Area.URBAN: "城市地区", Area.RURAL: "农村地区"}


@dataclass(frozen=True)
class StageRules:
    """One stage: its limit (None: no row is in force on the day) and the documents that may be asked for."""

    stage: Stage
    limit: StageLimitRow | None
    documents: tuple[RequirementRow, ...]


@dataclass(frozen=True)
class ClassRules:
    """One customer class; None where no row is in force on the day."""

    customer_class: CustomerClass
    whom: str
    holders: tuple[ApplicantKind, ...]
    stages: tuple[StageRules, ...]
    whole: WholeLimitRow | None
    fee: FeeRow | None


@dataclass(frozen=True)
class RulesInForce:
    """What holds in ``region`` (GB/T 2260) for what is received on the China date ``on``."""

    region: str
    on: date
    classes: tuple[ClassRules, ...]
    ceilings: tuple[tuple[Area, CeilingRow | None], ...]
    joint_review: tuple[tuple[VoltageBand, JointReviewLimitRow | None], ...]
    modes: tuple[ReviewModeRow, ...] = ()
    calendar: tuple[CalendarRow, ...] = ()
    added: tuple[OperatorRow, ...] = ()

    def of_class(self, customer_class: CustomerClass) -> ClassRules:
        """The rules of one class."""
        return next(each for each in self.classes if each.customer_class is customer_class)


def rules_in_force(region: str, on: date, rules: RuleBook) -> RulesInForce:
    """What an application received on ``on`` in ``region`` is judged by. Raises ``RegionMalformed``."""
    require_region_code(region)
    return RulesInForce(
        region=region,
        on=on,
        classes=tuple(_of_class(each, region, on, rules) for each in CustomerClass),
        ceilings=tuple((area, rules.ceilings.find(area, on, region)) for area in Area),
        joint_review=tuple((band, rules.joint_review_limits.find(band, on, region)) for band in VoltageBand),
    )


def all_rules_in_force(region: str, on: date, rules: Rules) -> RulesInForce:
    """``rules_in_force`` with permit modes, calendar days, and the rows of officers that hold there or will.

    Raises ``RegionMalformed``.
    """
    modes = rules.modes.table
    keys = dict.fromkeys((row.mode, row.permit) for row in modes.rows)
    found = (modes.find(key, on, region) for key in keys)
    return replace(
        rules_in_force(region, on, rules.book),
        modes=tuple(row for row in found if row is not None),
        calendar=tuple(row for row in rules.calendar.rows if (row.effective_to or on) >= on),
        added=tuple(row for row in rules.added if _concerns(row.terms, region, on)),
    )


def _concerns(terms: RowTerms, region: str, on: date) -> bool:
    """Whether a row holds in ``region``, or in some part of it, on ``on`` or later."""
    wide = region.removesuffix("00").removesuffix("00") if len(region) == REGION_DIGITS else region
    near = region.startswith(terms.region) or terms.region.startswith(wide)
    return near and (terms.effective_to is None or terms.effective_to >= on)


def _of_class(customer_class: CustomerClass, region: str, on: date, rules: RuleBook) -> ClassRules:
    return ClassRules(
        customer_class=customer_class,
        whom=WHOM[customer_class],
        holders=holders_of(customer_class),
        stages=tuple(
            StageRules(
                stage,
                rules.stage_limits.find((customer_class, stage), on, region),
                allowed_documents(customer_class, stage, on),
            )
            for stage in stages_of(customer_class)
        ),
        whole=rules.whole_limits.find(customer_class, on, region),
        fee=FEES.find(customer_class, on, region),
    )


def region_name(region: str) -> str:
    """``广州市天河区`` for ``440106``; a code that is not known stands for itself."""
    code = region[:6]
    name = REGION_NAMES.get(code)
    if name is None:
        return region
    city = REGION_NAMES.get(code[:4] + "00", "")
    return name if code.endswith("00") else city + name


def scope_name(prefix: str) -> str:
    """Where a row holds, by its region prefix: ``全国``, ``广东省``."""
    return "全国" if prefix == NATIONAL else region_name(prefix.ljust(6, "0"))
