"""What the public reads without asking anybody: the rules in force, and how quickly connections are made."""

from datetime import date

from pydantic import Field

from schemas.ratings import RatingLevel
from schemas.wire import OpenWireModel


class RuleBasis(OpenWireModel):
    """Where a rule comes from: its clause, the days it is in force (``effective_to`` None: until further notice)."""

    clause: str
    effective_from: date
    effective_to: date | None
    scope: str = Field(description="行政区划代码前缀；空为全国", examples=["", "44"])
    scope_name: str = Field(examples=["全国", "广东省"])
    note: str


class LimitView(OpenWireModel):
    """A limit in working days; None where the rules set none, and ``basis.note`` says why."""

    working_days: int | None
    basis: RuleBasis


class WholeLimitView(LimitView):
    """The limit of the whole; ``counts`` says which days are held against it."""

    counts: str = Field(description="elapsed：自受理至接电的全过程；stages_sum：供电企业各环节合计")


class DocumentView(OpenWireModel):
    """A document that may be asked for. ``provider`` ``source``: the gateway fetches it, nobody has to bring it."""

    document: str
    title: str
    term: str = Field(description="文件原文的说法")
    holder: str | None = Field(description="resident 或 enterprise；空为两者")
    provider: str
    basis: RuleBasis


class StageRulesView(OpenWireModel):
    """A stage; ``limit`` None: no rule is in force on the day."""

    stage: str
    title: str
    limit: LimitView | None
    documents: list[DocumentView]


class FeeView(OpenWireModel):
    """What a connection may cost."""

    principle: str
    says: str
    basis: RuleBasis


class ClassRulesView(OpenWireModel):
    """One customer class (用户类型)."""

    customer_class: str
    title: str
    whom: str
    stages: list[StageRulesView]
    whole: WholeLimitView | None
    fee: FeeView | None


class CeilingView(OpenWireModel):
    """Up to how many kilowatts a small enterprise's connection is free of investment."""

    area: str
    title: str
    ceiling_kw: int
    basis: RuleBasis


class JointReviewLimitView(OpenWireModel):
    """What a joint review of construction permits may take."""

    band: str
    title: str
    limit: LimitView


class PermitModeView(OpenWireModel):
    """A mode that a permit may be handled by (第（四）条). ``permit`` None: any; without bounds: whatever the line."""

    mode: str = Field(description="full 审批、commitment 告知承诺、filing 备案、exempt 免批")
    title: str
    permit: str | None
    max_voltage_v: int | None
    max_length_m: float | None
    basis: RuleBasis


class CalendarDaysView(OpenWireModel):
    """Days that officers entered, before the published calendar."""

    first: date
    last: date
    is_working_day: bool
    basis: RuleBasis


class AddedRuleView(OpenWireModel):
    """A row that officers added by two persons, in force or to come: its legal basis word for word."""

    row_id: str
    table: str
    title: str
    matter: list[str]
    says: str
    basis: RuleBasis
    link: str | None


class HotlineView(OpenWireModel):
    """Whom to call."""

    number: str
    title: str


class PublicRules(OpenWireModel):
    """The rules in force in ``region`` for what is received on ``on``."""

    region: str
    region_name: str
    on: date
    classes: list[ClassRulesView]
    zero_investment: list[CeilingView]
    joint_review: list[JointReviewLimitView]
    permit_modes: list[PermitModeView]
    calendar: list[CalendarDaysView]
    added: list[AddedRuleView]
    hotlines: list[HotlineView]


class DurationView(OpenWireModel):
    """Working days of the whole (``stage`` None) or a stage, against the limits that held on the days of receipt."""

    stage: str | None
    title: str
    limit_from: int | None = Field(description="适用时限中最短的（工作日）；空为无时限")
    limit_to: int | None = Field(description="适用时限中最长的（工作日）")
    median: float
    p90: int
    over_percent: int | None = Field(description="超过时限的比例（%），取整；空为无时限")


class PerformanceCell(OpenWireModel):
    """Completed applications of one class (None: of all). ``completed`` None where ``suppressed``."""

    customer_class: str | None
    title: str
    completed: int | None
    suppressed: bool
    durations: list[DurationView]


class CityPerformance(OpenWireModel):
    """One city (``region`` None: all of them)."""

    region: str | None
    name: str
    classes: list[PerformanceCell]
    total: PerformanceCell


class LevelCount(OpenWireModel):
    """Ratings of one level; ``count`` None where ``suppressed``."""

    level: RatingLevel
    title: str
    count: int | None
    suppressed: bool


class CitySatisfaction(OpenWireModel):
    """One city (``region`` None: all of them)."""

    region: str | None
    name: str
    total: int | None
    suppressed: bool
    levels: list[LevelCount]
    content_percent: int | None = Field(
        description="基本满意及以上的比例，整数百分比；仅在各级件数均公布时给出", examples=[96]
    )


class PublicRatings(OpenWireModel):
    """How applicants rated the service (好差评), of ratings given in ``month``. It changes no more."""

    month: str = Field(examples=["2026-10"])
    suppressed_below: int = Field(description="1 件至少于此数的不公布；为使其不能被推算，另有部分数据一并不公布")
    cities: list[CitySatisfaction]
    province: CitySatisfaction


class PublicPerformance(OpenWireModel):
    """How quickly connections were made, of applications completed in ``month``. It changes no more."""

    month: str = Field(examples=["2026-10"])
    suppressed_below: int = Field(description="1 件至少于此数的不公布；为使其不能被推算，另有部分数据一并不公布")
    cities: list[CityPerformance]
    province: CityPerformance
