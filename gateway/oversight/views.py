"""The rules in force, and what the public is told of a month, as they cross the wire."""

from gateway.applications.dated_rows import DatedRow
from gateway.applications.requirements import RequirementRow
from gateway.applications.time_limits import JointReviewLimitRow, StageLimitRow, WholeLimitRow
from gateway.approvals.review_modes import ReviewModeRow
from gateway.oversight.performance import Performance, PublicCell, PublicDuration
from gateway.oversight.public_rules import (
    AREA_TITLES,
    BAND_TITLES,
    HOTLINES,
    ClassRules,
    RulesInForce,
    StageRules,
    region_name,
    scope_name,
)
from gateway.oversight.rule_text import matter
from gateway.oversight.satisfaction import CityRatings, Satisfaction
from gateway.oversight.suppression import SMALL
from gateway.ratings.model import LEVELS
from gateway.rule_rows.model import OperatorRow
from gateway.rule_rows.preview import MODE_TITLES, value_of
from gateway.rule_rows.tables import dated_row
from schemas.public_data import (
    AddedRuleView,
    CalendarDaysView,
    CeilingView,
    CityPerformance,
    CitySatisfaction,
    ClassRulesView,
    DocumentView,
    DurationView,
    FeeView,
    HotlineView,
    JointReviewLimitView,
    LevelCount,
    LimitView,
    PerformanceCell,
    PermitModeView,
    PublicPerformance,
    PublicRatings,
    PublicRules,
    RuleBasis,
    StageRulesView,
    WholeLimitView,
)

ALL_CITIES = "全部地区"
ALL_CLASSES = "全部用户"
WHOLE_PROCESS = "全过程"


def rules_view(rules: RulesInForce) -> PublicRules:
    """Everything that is in force; what is not is None or left out."""
    return PublicRules(
        region=rules.region,
        region_name=region_name(rules.region),
        on=rules.on,
        classes=[_of_class(each) for each in rules.classes],
        zero_investment=[
            CeilingView(area=area, title=AREA_TITLES[area], ceiling_kw=row.ceiling_kw, basis=_basis(row))
            for area, row in rules.ceilings
            if row is not None
        ],
        joint_review=[
            JointReviewLimitView(band=band, title=BAND_TITLES[band], limit=_limit(row))
            for band, row in rules.joint_review
            if row is not None
        ],
        permit_modes=[_mode(row) for row in rules.modes],
        calendar=[
            CalendarDaysView(
                first=row.effective_from,
                last=row.effective_to or row.effective_from,
                is_working_day=row.is_working_day,
                basis=_basis(row),
            )
            for row in rules.calendar
        ],
        added=[_added(row) for row in rules.added],
        hotlines=[HotlineView(number=number, title=title) for number, title in HOTLINES],
    )


def _of_class(rules: ClassRules) -> ClassRulesView:
    whole = rules.whole
    return ClassRulesView(
        customer_class=rules.customer_class,
        title=rules.customer_class.chinese_title,
        whom=rules.whom,
        stages=[_of_stage(each) for each in rules.stages],
        whole=None
        if whole is None
        else WholeLimitView(working_days=whole.working_days, counts=whole.basis, basis=_basis(whole)),
        fee=None
        if rules.fee is None
        else FeeView(principle=rules.fee.principle, says=rules.fee.says, basis=_basis(rules.fee)),
    )


def _of_stage(rules: StageRules) -> StageRulesView:
    return StageRulesView(
        stage=rules.stage,
        title=rules.stage.chinese_title,
        limit=None if rules.limit is None else _limit(rules.limit),
        documents=[_document(row) for row in rules.documents],
    )


def _document(row: RequirementRow) -> DocumentView:
    return DocumentView(
        document=row.document,
        title=row.document.chinese_title,
        term=row.term,
        holder=row.holder,
        provider=row.provider,
        basis=_basis(row),
    )


def _mode(row: ReviewModeRow) -> PermitModeView:
    return PermitModeView(
        mode=row.mode,
        title=MODE_TITLES[row.mode],
        permit=row.permit,
        max_voltage_v=row.max_voltage_v,
        max_length_m=row.max_length_m,
        basis=_basis(row),
    )


def _added(row: OperatorRow) -> AddedRuleView:
    stands = dated_row(row.terms)
    return AddedRuleView(
        row_id=row.row_id,
        table=row.terms.table,
        title=row.terms.table.chinese_title,
        matter=matter(stands),
        says=str(value_of(stands)),
        basis=_basis(stands),
        link=row.terms.basis.link,
    )


def _limit(row: StageLimitRow | WholeLimitRow | JointReviewLimitRow) -> LimitView:
    return LimitView(working_days=row.working_days, basis=_basis(row))


def _basis(row: DatedRow) -> RuleBasis:
    return RuleBasis(
        clause=row.clause,
        effective_from=row.effective_from,
        effective_to=row.effective_to,
        scope=row.region,
        scope_name=scope_name(row.region),
        note=row.note,
    )


def performance_view(performance: Performance) -> PublicPerformance:
    """A month, city by city, and all of them together."""
    return PublicPerformance(
        month=performance.month,
        suppressed_below=SMALL,
        cities=[_of_city(performance, city) for city in performance.cities],
        province=_of_city(performance, None),
    )


def ratings_view(satisfaction: Satisfaction) -> PublicRatings:
    """A month's ratings, city by city, and all of them together."""
    return PublicRatings(
        month=satisfaction.month,
        suppressed_below=SMALL,
        cities=[_rated(each) for each in satisfaction.cities],
        province=_rated(satisfaction.province),
    )


def _rated(ratings: CityRatings) -> CitySatisfaction:
    return CitySatisfaction(
        region=ratings.city,
        name=ALL_CITIES if ratings.city is None else region_name(ratings.city),
        total=ratings.total,
        suppressed=ratings.total is None,
        levels=[
            LevelCount(level=level, title=LEVELS[level], count=number, suppressed=number is None)
            for level, number in ratings.levels
        ],
        content_percent=ratings.content_percent,
    )


def _of_city(performance: Performance, city: str | None) -> CityPerformance:
    *classes, total = [_cell(each) for each in performance.of_city(city)]
    name = ALL_CITIES if city is None else region_name(city)
    return CityPerformance(region=city, name=name, classes=classes, total=total)


def _cell(cell: PublicCell) -> PerformanceCell:
    return PerformanceCell(
        customer_class=cell.customer_class,
        title=ALL_CLASSES if cell.customer_class is None else cell.customer_class.chinese_title,
        completed=cell.completed,
        suppressed=cell.completed is None,
        durations=[_duration(each) for each in cell.durations],
    )


def _duration(duration: PublicDuration) -> DurationView:
    first, last = duration.limits or (None, None)
    return DurationView(
        stage=duration.stage,
        title=WHOLE_PROCESS if duration.stage is None else duration.stage.chinese_title,
        limit_from=first,
        limit_to=last,
        median=duration.median,
        p90=duration.p90,
        over_percent=duration.over_percent,
    )
