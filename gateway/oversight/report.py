"""The report of a period for the energy authority, as one document: pages, spreadsheet, PDF and JSON show this one.

Nothing is suppressed here, and nothing names anybody. Shares are in percent to one decimal.
"""

from collections.abc import Callable
from datetime import date

from gateway.applications.customer_classes import CustomerClass
from gateway.applications.stages import stages_of
from gateway.oversight.durations import Durations
from gateway.oversight.figures import CellFigures, PermitFigures
from gateway.oversight.public_rules import region_name
from gateway.oversight.service import PeriodFigures
from schemas.wire import Instant, OpenWireModel

ALL_REGIONS = "全部地区"
ALL_CLASSES = "全部用户"


class Measure(OpenWireModel):
    """Durations in working days against the limits that held on the days of receipt (None: no limit)."""

    count: int
    limit_from: int | None
    limit_to: int | None
    median: float | None
    p90: int | None
    worst: int | None
    over: int
    over_percent: float | None


class StageMeasure(Measure):
    """One stage (环节)."""

    stage: str
    title: str


class CellReport(OpenWireModel):
    """A city (``region`` empty: all) and a class (``customer_class`` empty: all).

    ``received`` and closed in the period; ``open`` and ``open_over`` (a limit exceeded) as they stand at ``as_of``.
    Documents are of the applications closed in the period, as are the utility's events and the ratings; ``content``
    are those of 基本满意 and better.
    """

    region: str
    region_name: str
    customer_class: str
    title: str
    received: int
    completed: int
    withdrawn: int
    ended: int
    open: int
    open_over: int
    whole: Measure
    stages: list[StageMeasure]
    one_certificate: int
    one_certificate_percent: float | None
    face_verified: int
    face_verified_percent: float | None
    documents_fetched: int
    documents_uploaded: int
    events: int
    backdated_events: int
    refused_events: int
    refused_requests: int
    provisional: int
    rated: int
    content: int
    content_percent: float | None


class DepartmentReport(OpenWireModel):
    """The permits of one department, of applications closed in the period. ``decided``: those with a clock."""

    department: str
    title: str
    region_name: str
    permits: int
    full: int
    commitment: int
    filing: int
    exempt: int
    granted: int
    refused: int
    undecided: int
    backdated: int
    decided: Measure


class PeriodReport(OpenWireModel):
    """Both days are in the period. ``final``: what was closed in it can change no more."""

    first: date
    last: date
    region: str
    region_name: str
    as_of: Instant
    final: bool
    total: CellReport
    cities: list[CellReport]
    classes: list[CellReport]
    cells: list[CellReport]
    departments: list[DepartmentReport]

    def of_class(self, customer_class: CustomerClass) -> CellReport:
        """All cities together, one class."""
        return next(each for each in self.classes if each.customer_class == customer_class)


def period_report(counted: PeriodFigures, department_title: Callable[[str], str]) -> PeriodReport:
    """The report of what was counted."""
    figures = counted.figures
    whole = region_name(counted.region) if counted.region else ALL_REGIONS

    def cell(city: str | None, of_class: CustomerClass | None) -> CellReport:
        return _cell(figures.total(city, of_class), counted.region, whole, city, of_class)

    return PeriodReport(
        first=counted.period.first,
        last=counted.period.last,
        region=counted.region,
        region_name=whole,
        as_of=counted.as_of,
        final=counted.final,
        total=cell(None, None),
        cities=[cell(city, None) for city in figures.cities],
        classes=[cell(None, each) for each in CustomerClass],
        cells=[cell(*place) for place in sorted(figures.cells, key=lambda place: (place[0], _order(place[1])))],
        departments=[
            _department(code, department_title(code), permits)
            for code, permits in sorted(figures.departments().items(), key=lambda each: each[0].rpartition("-")[::-1])
        ],
    )


def _order(customer_class: CustomerClass) -> int:
    return list(CustomerClass).index(customer_class)


def _cell(
    figures: CellFigures, region: str, whole: str, city: str | None, customer_class: CustomerClass | None
) -> CellReport:
    return CellReport(
        region=region if city is None else city,
        region_name=whole if city is None else region_name(city),
        customer_class=customer_class or "",
        title=ALL_CLASSES if customer_class is None else customer_class.chinese_title,
        received=figures.received,
        completed=figures.completed,
        withdrawn=figures.withdrawn,
        ended=figures.ended,
        open=figures.open,
        open_over=figures.open_over,
        whole=measure(figures.whole),
        stages=[]
        if customer_class is None
        else [
            StageMeasure(
                stage=stage,
                title=stage.chinese_title,
                **measure(figures.stages.get(stage, Durations())).model_dump(),
            )
            for stage in stages_of(customer_class)
        ],
        one_certificate=figures.intakes["one_certificate"],
        one_certificate_percent=percent(figures.intakes["one_certificate"], figures.closed),
        face_verified=figures.intakes["face_verified"],
        face_verified_percent=percent(figures.intakes["face_verified"], figures.closed),
        documents_fetched=figures.documents_fetched,
        documents_uploaded=figures.documents_uploaded,
        events=figures.events,
        backdated_events=figures.backdated_events,
        refused_events=figures.refused_events,
        refused_requests=figures.refused_requests,
        provisional=figures.provisional,
        rated=figures.ratings.total(),
        content=figures.content,
        content_percent=percent(figures.content, figures.ratings.total()),
    )


def _department(code: str, title: str, permits: PermitFigures) -> DepartmentReport:
    return DepartmentReport(
        department=code,
        title=title,
        region_name=region_name(code.rpartition("-")[2]),
        permits=permits.count,
        full=permits.modes["full"],
        commitment=permits.modes["commitment"],
        filing=permits.modes["filing"],
        exempt=permits.modes["exempt"],
        granted=permits.granted,
        refused=permits.refused,
        undecided=permits.count - permits.granted - permits.refused,
        backdated=permits.backdated,
        decided=measure(permits.decided),
    )


def measure(durations: Durations) -> Measure:
    """The statistics of ``durations``."""
    first, last = durations.limit_range or (None, None)
    return Measure(
        count=durations.count,
        limit_from=first,
        limit_to=last,
        median=durations.median,
        p90=durations.p90,
        worst=durations.worst,
        over=durations.over,
        over_percent=percent(durations.over, durations.limited),
    )


def percent(part: int, of: int) -> float | None:
    """To one decimal; None of nothing."""
    return round(100 * part / of, 1) if of else None
