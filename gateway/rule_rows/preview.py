"""Whom a row would concern, before anybody decides on it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Final

from gateway.applications.customer_classes import CeilingRow, CustomerClass
from gateway.applications.dated_rows import DatedRow
from gateway.applications.time_limits import JointReviewLimitRow, StageLimitRow, VoltageBand, WholeLimitRow
from gateway.applications.working_days import ONE_DAY
from gateway.approvals.review_modes import ReviewModeRow
from gateway.clock import CHINA_TIME, date_in_china
from gateway.rule_rows.model import ExtendableTable, RowTerms
from gateway.rule_rows.ports import RuleRows
from gateway.rule_rows.rules import Rules
from gateway.rule_rows.tables import CalendarRow
from schemas.departments import ReviewMode
from schemas.regions import REGION_NAMES

MODE_TITLES: Final = {
    ReviewMode.FULL: "审批",
    ReviewMode.COMMITMENT: "告知承诺",
    ReviewMode.FILING: "备案",
    ReviewMode.EXEMPT: "免批",
}
_LOW: Final = (CustomerClass.RESIDENTIAL, CustomerClass.LV_ZERO, CustomerClass.LV_ORDINARY)
_HIGH: Final = (CustomerClass.HV_SINGLE, CustomerClass.HV_DUAL)


@dataclass(frozen=True)
class Said:
    """What a row says, as a sentence of the catalogue and the numbers in it."""

    sentence: str
    values: Mapping[str, str | int] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.sentence % self.values if self.values else self.sentence


NO_RULE: Final = Said("无规定")


@dataclass(frozen=True)
class Inheritance:
    """A region within the row's: it takes the row over, or goes by a row of its own (``own_clause``)."""

    region: str
    own_clause: str | None


@dataclass(frozen=True)
class RowPreview:
    """``judged`` open applications would be judged by the row, ``untouched`` ones of the same region and class stay
    with the rules of the day they were received. ``before`` holds today, ``after`` from the row's first day on.
    """

    judged: int
    untouched: int
    before: Said
    before_clause: str | None
    after: Said
    first_on: date
    below: tuple[Inheritance, ...]


def preview(terms: RowTerms, row: DatedRow, rules: Rules, rows: RuleRows, at: datetime) -> RowPreview:
    """What ``row``, made of ``terms``, would do to ``rules`` if it were approved at ``at``."""
    table, code = rules.table(terms.table), terms.region.ljust(6, "0")
    today = date_in_china(at)
    before = table.applying(row, today, code)
    classes = [each.value for each in classes_of(terms)]
    begins_at, ends_at = _span(terms)
    if terms.table is ExtendableTable.CALENDAR:
        # A day is no limit: whoever is under way counts it when it comes.
        judged, untouched = rows.open_applications(terms.region, classes, None, None), 0
    else:
        judged = rows.open_applications(terms.region, classes, begins_at, ends_at)
        untouched = rows.open_applications(terms.region, classes, None, None) - judged
    return RowPreview(
        judged=judged,
        untouched=untouched,
        before=_published_day(terms, rules) if terms.table is ExtendableTable.CALENDAR else value_of(before),
        before_clause=before.clause if before is not None else None,
        after=value_of(row),
        first_on=terms.effective_from,
        below=_below(terms, row, rules),
    )


def classes_of(terms: RowTerms) -> tuple[CustomerClass, ...]:
    """The customer classes that a row can concern."""
    if terms.customer_class is not None:
        return (terms.customer_class,)
    if terms.table is ExtendableTable.ZERO_INVESTMENT:
        return (CustomerClass.LV_ZERO, CustomerClass.LV_ORDINARY)
    if terms.band is not None:
        return _LOW if terms.band is VoltageBand.LOW else _HIGH
    return tuple(CustomerClass)


def _span(terms: RowTerms) -> tuple[datetime, datetime | None]:
    begins_at = datetime.combine(terms.effective_from, time.min, CHINA_TIME)
    last = terms.effective_to
    return begins_at, None if last is None else datetime.combine(last + timedelta(days=1), time.min, CHINA_TIME)


def _below(terms: RowTerms, row: DatedRow, rules: Rules) -> tuple[Inheritance, ...]:
    """The cities of a province or the counties of a city, and any region further down with a row of its own."""
    if not terms.region:
        return ()
    table, depth = rules.table(terms.table), len(terms.region) + 2
    found = []
    for code in REGION_NAMES:
        prefix = code[:-2] if code.endswith("00") else code
        if len(prefix) <= len(terms.region) or not prefix.startswith(terms.region):
            continue
        own = table.applying(row, terms.effective_from, code)
        has_own = own is not None and len(own.region) > len(terms.region)
        if len(prefix) == depth or (has_own and own is not None and own.region == prefix):
            found.append(Inheritance(code, own.clause if has_own and own is not None else None))
    return tuple(found)


def _published_day(terms: RowTerms, rules: Rules) -> Said:
    days = (terms.effective_from + ONE_DAY * offset for offset in range((_last(terms) - terms.effective_from).days + 1))
    told = {rules.book.calendar.is_working_day(day) for day in days}
    return Said("部分是工作日") if len(told) > 1 else _day_is(told == {True})


def _last(terms: RowTerms) -> date:
    return terms.effective_to or terms.effective_from


def value_of(row: DatedRow | None) -> Said:
    """What a row says, in a few words; ``NO_RULE`` for none."""
    say = _VALUES.get(type(row))
    return NO_RULE if row is None or say is None else say(row)


def _limit(row: StageLimitRow | WholeLimitRow | JointReviewLimitRow) -> Said:
    if row.working_days is None:
        return Said("不单设时限")
    return Said("%(days)s 个工作日", {"days": row.working_days})


def _mode(row: ReviewModeRow) -> Said:
    if row.max_voltage_v is None or row.max_length_m is None:
        return Said("不限电压和长度")
    return Said("%(voltage)s V、%(length)s m 以内", {"voltage": row.max_voltage_v, "length": f"{row.max_length_m:g}"})


def _day_is(working: bool) -> Said:
    return Said("工作日") if working else Said("休息日")


_VALUES: Final[Mapping[type, Callable[..., Said]]] = {
    StageLimitRow: _limit,
    WholeLimitRow: _limit,
    JointReviewLimitRow: _limit,
    CeilingRow: lambda row: Said("%(kw)s kW", {"kw": row.ceiling_kw}),
    ReviewModeRow: _mode,
    CalendarRow: lambda row: _day_is(row.is_working_day),
}
