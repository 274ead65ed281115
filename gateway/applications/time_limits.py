"""Time limits (办理时限) as dated, region-scoped rows, in working days.

Three tables: what a stage may take the utility (附件2), what the whole may take (第（二）条), and what a joint review
of construction permits may take (第（二）条; Guangdong's cover notice). A row whose ``working_days`` is None says, with
its clause, that the regulation sets no limit there. A region may shorten a limit and never lengthen it
(第（三）（四）条). The goals are for "by the end of" a year: they bind what is received from that 31 December on.
"""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from gateway.applications.customer_classes import HIGH_VOLTAGE_MIN_V, LOW_VOLTAGE_MAX_V, CustomerClass
from gateway.applications.dated_rows import DatedRow, RuleTable
from gateway.applications.stages import Stage, require_stage

END_2020, END_2021, END_2022 = date(2020, 12, 31), date(2021, 12, 31), date(2022, 12, 31)
BEFORE_END_2021, BEFORE_END_2022 = date(2021, 12, 30), date(2022, 12, 30)
JOINT_REVIEW_MEDIUM_MAX_V = 20_000

GOALS = "第（二）条"
ANNEX = "附件2"
ANNEX_NOTE = "附件2注2"
APPROVALS = "第（四）条"
GUANGDONG = "粤发改能源函〔2020〕1928号第三条"
NO_STAGE_LIMIT = "此环节不单设时限，受全过程时限约束。"
NO_JOINT_LIMIT = "20kV以上电力接入工程，国家未规定审批时限；鼓励有条件的地区大幅压缩。"


class LimitBasis(StrEnum):
    """What a whole-process limit is held against.

    ``ELAPSED``: from receipt to connection, construction included (全过程办电时间). ``STAGES_SUM``: the utility's own
    days in all stages together (供电企业合计办理时间).
    """

    ELAPSED = "elapsed"
    STAGES_SUM = "stages_sum"


class VoltageBand(StrEnum):
    """The bands in which the approval of a connection's construction is limited."""

    LOW = "low"
    UP_TO_20_KV = "up_to_20_kv"
    ABOVE_20_KV = "above_20_kv"


@dataclass(frozen=True)
class StageLimitRow(DatedRow):
    """What a stage may take, in working days (None: no limit of its own)."""

    customer_class: CustomerClass
    stage: Stage
    working_days: int | None


@dataclass(frozen=True)
class WholeLimitRow(DatedRow):
    """What the whole may take, in working days, and what is counted against it."""

    customer_class: CustomerClass
    basis: LimitBasis
    working_days: int | None


@dataclass(frozen=True)
class JointReviewLimitRow(DatedRow):
    """What a joint review of all permits may take, in working days (None: the regulation sets no limit)."""

    band: VoltageBand
    working_days: int | None


LimitRow = StageLimitRow | WholeLimitRow | JointReviewLimitRow


def not_longer(broad: LimitRow, local: LimitRow) -> bool:
    """A region may shorten a limit or set one where there is none; it may not lengthen or lift one."""
    if broad.working_days is None:
        return True
    return local.working_days is not None and local.working_days <= broad.working_days


def _stage(
    customer_class: CustomerClass, stage: Stage, days: int | None, clause: str = ANNEX, note: str = ""
) -> StageLimitRow:
    return StageLimitRow(customer_class, stage, days, clause=clause, note=note, effective_from=END_2020)


STAGE_LIMITS = RuleTable(
    "stage_limits",
    [
        _stage(CustomerClass.RESIDENTIAL, Stage.SIGN_UP, None, ANNEX_NOTE, NO_STAGE_LIMIT),
        _stage(CustomerClass.RESIDENTIAL, Stage.CONSTRUCTION, None, ANNEX_NOTE, NO_STAGE_LIMIT),
        _stage(CustomerClass.LV_ZERO, Stage.SIGN_UP, None, ANNEX_NOTE, NO_STAGE_LIMIT),
        _stage(CustomerClass.LV_ZERO, Stage.CONSTRUCTION, None, ANNEX_NOTE, NO_STAGE_LIMIT),
        _stage(CustomerClass.LV_ORDINARY, Stage.ACCEPTANCE, 1),
        _stage(CustomerClass.LV_ORDINARY, Stage.SUPPLY_PLAN, 3),
        _stage(CustomerClass.LV_ORDINARY, Stage.METERING, 2),
        _stage(CustomerClass.HV_SINGLE, Stage.ACCEPTANCE, 1),
        _stage(CustomerClass.HV_SINGLE, Stage.SUPPLY_PLAN, 10),
        _stage(CustomerClass.HV_SINGLE, Stage.DESIGN_REVIEW, 3),
        _stage(CustomerClass.HV_SINGLE, Stage.INTERIM_INSPECTION, 2),
        _stage(CustomerClass.HV_SINGLE, Stage.COMPLETION_INSPECTION, 3),
        _stage(CustomerClass.HV_SINGLE, Stage.METERING, 3),
        _stage(CustomerClass.HV_DUAL, Stage.ACCEPTANCE, 1),
        _stage(CustomerClass.HV_DUAL, Stage.SUPPLY_PLAN, 20),
        _stage(CustomerClass.HV_DUAL, Stage.DESIGN_REVIEW, 3),
        _stage(CustomerClass.HV_DUAL, Stage.INTERIM_INSPECTION, 2),
        _stage(CustomerClass.HV_DUAL, Stage.COMPLETION_INSPECTION, 3),
        _stage(CustomerClass.HV_DUAL, Stage.METERING, 3),
    ],
    key=lambda row: (row.customer_class, row.stage),
    may_narrow=not_longer,
)


def _whole(
    customer_class: CustomerClass, basis: LimitBasis, days: int, start: date, end: date | None = None
) -> WholeLimitRow:
    return WholeLimitRow(customer_class, basis, days, clause=GOALS, effective_from=start, effective_to=end)


WHOLE_PROCESS_LIMITS = RuleTable(
    "whole_process_limits",
    [
        _whole(CustomerClass.RESIDENTIAL, LimitBasis.ELAPSED, 5, END_2020),
        _whole(CustomerClass.LV_ZERO, LimitBasis.ELAPSED, 25, END_2020, BEFORE_END_2021),
        _whole(CustomerClass.LV_ZERO, LimitBasis.ELAPSED, 20, END_2021, BEFORE_END_2022),
        _whole(CustomerClass.LV_ZERO, LimitBasis.ELAPSED, 15, END_2022),
        _whole(CustomerClass.LV_ORDINARY, LimitBasis.STAGES_SUM, 6, END_2020),
        _whole(CustomerClass.HV_SINGLE, LimitBasis.STAGES_SUM, 22, END_2020),
        _whole(CustomerClass.HV_DUAL, LimitBasis.STAGES_SUM, 32, END_2020),
    ],
    key=lambda row: row.customer_class,
    may_narrow=not_longer,
)

JOINT_REVIEW_LIMITS = RuleTable(
    "joint_review_limits",
    [
        JointReviewLimitRow(VoltageBand.LOW, 5, clause=GOALS, effective_from=END_2020),
        JointReviewLimitRow(VoltageBand.UP_TO_20_KV, 10, clause=GOALS, effective_from=END_2020),
        JointReviewLimitRow(
            VoltageBand.ABOVE_20_KV, None, clause=APPROVALS, effective_from=END_2020, note=NO_JOINT_LIMIT
        ),
        JointReviewLimitRow(VoltageBand.LOW, 5, clause=GUANGDONG, effective_from=END_2020, region="44"),
        JointReviewLimitRow(VoltageBand.UP_TO_20_KV, 5, clause=GUANGDONG, effective_from=END_2020, region="44"),
        JointReviewLimitRow(VoltageBand.ABOVE_20_KV, 5, clause=GUANGDONG, effective_from=END_2020, region="44"),
    ],
    key=lambda row: row.band,
    may_narrow=not_longer,
)


def voltage_band(voltage_v: int) -> VoltageBand:
    """The band of a connection at ``voltage_v`` volts; ``ValueError`` where ``derive_class`` refuses the voltage."""
    if not 0 < voltage_v <= LOW_VOLTAGE_MAX_V and voltage_v < HIGH_VOLTAGE_MIN_V:
        raise ValueError("neither low voltage (380 V and below) nor high voltage (6 kV and above)")
    if voltage_v <= LOW_VOLTAGE_MAX_V:
        return VoltageBand.LOW
    return VoltageBand.UP_TO_20_KV if voltage_v <= JOINT_REVIEW_MEDIUM_MAX_V else VoltageBand.ABOVE_20_KV


def stage_limit(
    customer_class: CustomerClass,
    stage: Stage,
    on: date,
    region: str,
    table: RuleTable[StageLimitRow] = STAGE_LIMITS,
) -> StageLimitRow:
    """The row for a stage of an application received on ``on`` in ``region``.

    Raises ``StageNotInClass``, ``NoRuleInForce``, ``RegionMalformed``.
    """
    require_stage(customer_class, stage)
    return table.get((customer_class, stage), on, region)


def whole_process_limit(
    customer_class: CustomerClass, on: date, region: str, table: RuleTable[WholeLimitRow] = WHOLE_PROCESS_LIMITS
) -> WholeLimitRow:
    """The row for the whole of an application received on ``on``. Raises ``NoRuleInForce``, ``RegionMalformed``."""
    return table.get(customer_class, on, region)


def joint_review_limit(
    voltage_v: int, region: str, on: date, table: RuleTable[JointReviewLimitRow] = JOINT_REVIEW_LIMITS
) -> JointReviewLimitRow:
    """The row for a joint review opened for an application received on ``on``; ``voltage_v`` in volts.

    ``working_days`` None: no limit, and ``note`` says so. Raises ``NoRuleInForce``, ``RegionMalformed``.
    """
    return table.get(voltage_band(voltage_v), on, region)
