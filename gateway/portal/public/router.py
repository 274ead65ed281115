"""The public's pages. Nobody is asked who they are, and nothing in an address says anything about anybody."""

from datetime import date, datetime
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from gateway.applications.customer_classes import CustomerClass
from gateway.capacity.service import CapacityService
from gateway.clock import date_in_china
from gateway.http.callers import now
from gateway.http.limits import RateLimit
from gateway.http.services import provide
from gateway.outages.service import OutageService
from gateway.outages.views import outage_view
from gateway.oversight.public_rules import HOTLINES, RulesInForce, all_rules_in_force, region_name
from gateway.oversight.service import OversightService
from gateway.oversight.views import ALL_CLASSES, performance_view, ratings_view, rules_view
from gateway.portal.page_route import PageRoute, page_unknown
from gateway.portal.rendering import Pages
from gateway.rule_rows.live import LiveRules
from gateway.rule_rows.preview import value_of
from gateway.rule_rows.tables import dated_row
from schemas.public_data import CityPerformance, PerformanceCell
from schemas.regions import PROVINCE, REGION_NAMES

LIMIT: Final = "600/minute"
EARLIEST: Final = date(2000, 1, 1)
LATEST: Final = date(2100, 12, 31)
MONTHS_SHOWN: Final = 36
AREA_KINDS: Final = {"substation": "变电站", "feeder": "馈线", "transformer": "台区"}

router = APIRouter(
    prefix="/public", route_class=PageRoute, include_in_schema=False, dependencies=[Depends(RateLimit("pages", LIMIT))]
)
SeenPages = Annotated[Pages, Depends(provide(Pages))]
At = Annotated[datetime, Depends(now)]
Region = Annotated[str, Query(max_length=12)]


async def shown_region(region: Region = PROVINCE) -> str:
    """A dependency: the region asked for, the province where none is. Raises ``PageUnknown`` for what is no region."""
    wanted = region or PROVINCE
    if wanted not in REGION_NAMES:
        raise page_unknown()
    return wanted


ShownRegion = Annotated[str, Depends(shown_region)]
OnText = Annotated[str, Query(max_length=40)]
Rules = Annotated[LiveRules, Depends(provide(LiveRules))]


@router.get("")
async def start(request: Request, pages: SeenPages) -> Response:
    """What there is to read, and whom to call."""
    return pages.render(request, "public/start.html", hotlines=HOTLINES)


@router.get("/rules")
async def rules(
    request: Request, pages: SeenPages, at: At, live: Rules, region: Region = PROVINCE, on: OnText = ""
) -> Response:
    """Every class at a glance, for a region and a day of receipt."""
    day, errors = _day(on, date_in_china(at))
    found = _rules(region, day, live)
    return pages.render(
        request,
        "public/rules.html",
        422 if errors else 200,
        rules=rules_view(found),
        said={row.row_id: value_of(dated_row(row.terms)) for row in found.added},
        regions=choices(region),
        told_on=on or day.isoformat(),
        errors=errors,
    )


@router.get("/rules/{customer_class}")
async def class_rules(
    customer_class: str,
    request: Request,
    pages: SeenPages,
    at: At,
    live: Rules,
    region: Region = PROVINCE,
    on: OnText = "",
) -> Response:
    """One class: its road, its documents, what it costs. Raises ``PageUnknown``."""
    day, errors = _day(on, date_in_china(at))
    if customer_class not in set(CustomerClass) or errors:
        raise page_unknown()
    shown = rules_view(_rules(region, day, live))
    chosen = next(each for each in shown.classes if each.customer_class == customer_class)
    return pages.render(request, "public/class.html", rules=shown, chosen=chosen)


@router.get("/performance")
async def performance(
    request: Request,
    pages: SeenPages,
    service: Annotated[OversightService, Depends(provide(OversightService))],
    month: Annotated[str, Query(max_length=7)] = "",
    city: Region = "",
) -> Response:
    """A month, of one city or of all. Raises ``PeriodRefused``, ``NotPublished``, ``PageUnknown``."""
    told = performance_view(await service.performance(month or None))
    chosen = next((each for each in told.cities if each.region == city), None)
    if city and chosen is None:
        chosen = nothing_told(city)
    return pages.render(
        request,
        "public/performance.html",
        told=told,
        chosen=chosen or told.province,
        months=service.published_months(MONTHS_SHOWN),
    )


@router.get("/ratings")
async def ratings(
    request: Request,
    pages: SeenPages,
    service: Annotated[OversightService, Depends(provide(OversightService))],
    month: Annotated[str, Query(max_length=7)] = "",
) -> Response:
    """How a month's ratings were, city by city. Raises ``PeriodRefused``, ``NotPublished``."""
    told = ratings_view(await service.satisfaction(month or None))
    return pages.render(request, "public/ratings.html", told=told, months=service.rated_months(MONTHS_SHOWN))


@router.get("/capacity")
async def capacity(
    request: Request,
    pages: SeenPages,
    service: Annotated[CapacityService, Depends(provide(CapacityService))],
    wanted: ShownRegion,
) -> Response:
    """What utilities publish of the grid's free capacity."""
    return pages.render(
        request,
        "public/capacity.html",
        areas=await service.published(wanted),
        region=wanted,
        regions=choices(wanted),
        kinds=AREA_KINDS,
        region_name=region_name,
    )


@router.get("/outages")
async def outages(
    request: Request,
    pages: SeenPages,
    service: Annotated[OutageService, Depends(provide(OutageService))],
    wanted: ShownRegion,
) -> Response:
    """Outages planned, under way, or over within a day."""
    found, at = await service.shown(wanted)
    return pages.render(
        request,
        "public/outages.html",
        outages=[outage_view(each, at) for each in found],
        region=wanted,
        regions=choices(wanted),
        region_name=region_name,
    )


def nothing_told(city: str) -> CityPerformance:
    """A city that nothing was completed in. Raises ``PageUnknown`` for what is no region."""
    if city not in REGION_NAMES:
        raise page_unknown()
    none = PerformanceCell(customer_class=None, title=ALL_CLASSES, completed=0, suppressed=False, durations=[])
    return CityPerformance(region=city, name=region_name(city), classes=[], total=none)


def choices(region: str) -> list[tuple[str, str]]:
    """The province and its cities; and ``region`` itself, where it is none of them."""
    known = [code for code in REGION_NAMES if code.endswith("00")]
    return [(code, region_name(code)) for code in (*known, *((region,) if region not in known else ()))]


def _rules(region: str, day: date, live: LiveRules) -> RulesInForce:
    return all_rules_in_force(region or PROVINCE, day, live.rules())


def _day(text: str, today: date) -> tuple[date, list[tuple[str, str]]]:
    """The day that was asked for, today where none was; and what is wrong with the text."""
    if not text.strip():
        return today, []
    try:
        day = date.fromisoformat(text.strip())
    except ValueError:
        day = LATEST.replace(year=LATEST.year + 1)
    if not EARLIEST <= day <= LATEST:
        return today, [("on", "请填写2000年至2100年之间的日期，例如 2026-11-28")]
    return day, []
