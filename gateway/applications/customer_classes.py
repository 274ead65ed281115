"""Customer classes (用户类型) and how the gateway derives one from the facts of a demand.

The derivation is shown to the applicant with its clause. Low voltage is 380 V and below, high voltage 10(6) kV and
above (附件2注1); between the two the regulation knows nothing, so such a demand is refused rather than guessed.
"""

import math
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from gateway.applications.dated_rows import DatedRow, RuleTable
from gateway.applications.errors import DemandNotClassifiable
from gateway.errors import Owner
from schemas.identity import ApplicantKind

LOW_VOLTAGE_MAX_V = 380
HIGH_VOLTAGE_MIN_V = 6_000
VOLTAGE_CLAUSE = "附件2注1"


class CustomerClass(StrEnum):
    """用户类型; the wire uses the same words."""

    RESIDENTIAL = "residential"
    LV_ZERO = "lv_zero"
    LV_ORDINARY = "lv_ordinary"
    HV_SINGLE = "hv_single"
    HV_DUAL = "hv_dual"

    @property
    def chinese_title(self) -> str:
        """The class as the regulation names it."""
        return CLASS_TITLES[self]

    @property
    def is_high_voltage(self) -> bool:
        """Whether the class is supplied at 10(6) kV or above."""
        return self in (CustomerClass.HV_SINGLE, CustomerClass.HV_DUAL)


CLASS_TITLES = {
    CustomerClass.RESIDENTIAL: "居民用户",
    CustomerClass.LV_ZERO: "实行“三零”服务的低压非居民用户",
    CustomerClass.LV_ORDINARY: "未实行“三零”服务的低压非居民用户",
    CustomerClass.HV_SINGLE: "高压单电源用户",
    CustomerClass.HV_DUAL: "高压双电源用户",
}


class Area(StrEnum):
    """城市地区 or 农村地区; the zero-investment ceiling tells them apart."""

    URBAN = "urban"
    RURAL = "rural"


@dataclass(frozen=True)
class DemandFacts:
    """What is asked for: volts, kilowatts (报装容量), how many sources, where.

    ``small_and_micro`` says whether the enterprise is known to be 小微; None when nobody has said, and then the
    capacity alone decides, as the table of classes has it.
    """

    applicant_kind: ApplicantKind
    voltage_v: int
    capacity_kw: float
    sources: int = 1
    area: Area = Area.URBAN
    small_and_micro: bool | None = None


@dataclass(frozen=True)
class ClassDerivation:
    """The class, the clause it follows from, and one sentence for the applicant."""

    customer_class: CustomerClass
    clause: str
    reason: str


@dataclass(frozen=True)
class CeilingRow(DatedRow):
    """Up to how many kilowatts a small enterprise's connection is free of investment (零投资)."""

    area: Area
    ceiling_kw: int


ZERO_INVESTMENT_CEILINGS = RuleTable(
    "zero_investment_ceiling",
    [
        CeilingRow(
            Area.URBAN, 160, clause="第（二）条", effective_from=date(2021, 12, 31), effective_to=date(2022, 12, 30)
        ),
        CeilingRow(
            Area.RURAL, 100, clause="第（二）条", effective_from=date(2021, 12, 31), effective_to=date(2022, 12, 30)
        ),
        CeilingRow(Area.URBAN, 160, clause="第（二）条", effective_from=date(2022, 12, 31)),
        CeilingRow(Area.RURAL, 160, clause="第（二）条", effective_from=date(2022, 12, 31)),
    ],
    key=lambda row: row.area,
    # 第（九）条: a region may widen 零投资 and may not narrow it.
    may_narrow=lambda broad, local: local.ceiling_kw >= broad.ceiling_kw,
)


def derive_class(
    facts: DemandFacts,
    received_on: date,
    region: str,
    ceilings: RuleTable[CeilingRow] = ZERO_INVESTMENT_CEILINGS,
) -> ClassDerivation:
    """The customer class of a demand received on the China date ``received_on`` in ``region`` (GB/T 2260).

    Raises ``DemandNotClassifiable`` for a voltage between 380 V and 6 kV, for more than two sources at high voltage,
    and for facts that are no facts (nothing asked for); ``RegionMalformed`` for a region that is no code.
    """
    _require_sound(facts)
    if facts.voltage_v >= HIGH_VOLTAGE_MIN_V:
        return _high_voltage(facts)
    if facts.voltage_v > LOW_VOLTAGE_MAX_V:
        raise DemandNotClassifiable(
            check="demand.voltage",
            owner=Owner.APPLICANT,
            remedy="供电电压须为380V及以下（低压）或10（6）kV及以上（高压），请与供电企业核对后重新填写。",
            clause=VOLTAGE_CLAUSE,
        )
    if facts.applicant_kind is ApplicantKind.RESIDENT:
        return ClassDerivation(
            CustomerClass.RESIDENTIAL, "第（二）条", "以个人身份申请、380V及以下供电，按居民用户办理。"
        )
    return _low_voltage_enterprise(facts, ceilings.find(facts.area, received_on, region))


def _require_sound(facts: DemandFacts) -> None:
    sound = facts.voltage_v > 0 and math.isfinite(facts.capacity_kw) and facts.capacity_kw > 0 and facts.sources >= 1
    if not sound:
        raise DemandNotClassifiable(
            check="demand.facts",
            owner=Owner.APPLICANT,
            remedy="供电电压、报装容量和电源数均须大于零，请重新填写。",
            clause=VOLTAGE_CLAUSE,
        )


def _high_voltage(facts: DemandFacts) -> ClassDerivation:
    if facts.sources == 1:
        return ClassDerivation(
            CustomerClass.HV_SINGLE, "附件2、附件2注1", "10（6）kV及以上供电、一路电源，按高压单电源用户办理。"
        )
    if facts.sources == 2:
        return ClassDerivation(
            CustomerClass.HV_DUAL, "附件2、附件2注1", "10（6）kV及以上供电、两路电源，按高压双电源用户办理。"
        )
    raise DemandNotClassifiable(
        check="demand.sources",
        owner=Owner.APPLICANT,
        remedy="规定只有高压单电源和高压双电源两类用户，请与供电企业核对电源数后重新填写。",
        clause="附件2",
    )


def _low_voltage_enterprise(facts: DemandFacts, ceiling: CeilingRow | None) -> ClassDerivation:
    if ceiling is None:
        return ClassDerivation(
            CustomerClass.LV_ORDINARY,
            "第（二）条",
            "受理之日当地尚未实行“零投资”，按未实行“三零”服务的低压非居民用户办理。",
        )
    if facts.small_and_micro is False:
        return ClassDerivation(
            CustomerClass.LV_ORDINARY,
            ceiling.clause,
            "“三零”服务面向小微企业，按未实行“三零”服务的低压非居民用户办理。",
        )
    limit = f"当地“零投资”容量上限{ceiling.ceiling_kw}kW"
    if facts.capacity_kw > ceiling.ceiling_kw:
        return ClassDerivation(
            CustomerClass.LV_ORDINARY, ceiling.clause, f"报装容量超过{limit}，按未实行“三零”服务的低压非居民用户办理。"
        )
    return ClassDerivation(
        CustomerClass.LV_ZERO, ceiling.clause, f"380V及以下供电、报装容量未超过{limit}，实行“三零”服务。"
    )
