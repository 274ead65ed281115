"""``/v1/public/…``: open data. No caller is asked who they are; answers may be kept by anybody."""

from datetime import datetime
from hashlib import sha256
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Depends, Header, Query, Response

from gateway.applications.dated_rows import require_region_code
from gateway.caller import Caller, Role
from gateway.capacity.open_data import as_csv as capacity_as_csv
from gateway.capacity.open_data import public_capacity
from gateway.capacity.service import CapacityService
from gateway.clock import date_in_china
from gateway.http.callers import now, require_role
from gateway.http.limits import RateLimit
from gateway.http.services import provide
from gateway.outages.service import OutageService
from gateway.outages.views import public_outages
from gateway.oversight.performance import as_csv
from gateway.oversight.public_rules import all_rules_in_force
from gateway.oversight.routing import RoutingService
from gateway.oversight.satisfaction import as_csv as ratings_as_csv
from gateway.oversight.service import OversightService
from gateway.oversight.views import performance_view, ratings_view, rules_view
from gateway.rule_rows.live import LiveRules
from schemas.capacity import PublicCapacity
from schemas.outages import PublicOutages
from schemas.public_data import PublicPerformance, PublicRatings, PublicRules
from schemas.routing import RegionRouting
from schemas.wire import Day, RegionDigits

RULES_KEPT_S: Final = 3600
CAPACITY_KEPT_S: Final = 600
OUTAGES_KEPT_S: Final = 600
MONTH_KEPT_S: Final = 24 * 3600
CSV: Final = "text/csv; charset=utf-8; header=present"
LIMIT: Final = "300/minute"

router = APIRouter(prefix="/v1/public", tags=["公开数据"], dependencies=[Depends(RateLimit("public", LIMIT))])

operator_router = APIRouter(prefix="/v1/operator/routing", tags=["运营方"])
Operator = Annotated[Caller, Depends(require_role(Role.OPERATOR, scope="operate"))]

Region = Annotated[RegionDigits, Query(description="行政区划代码（GB/T 2260）", examples=["440106"])]
SomeRegion = Annotated[
    RegionDigits | Literal[""], Query(description="行政区划代码（GB/T 2260）；默认为全部", examples=["440100"])
]
Capacity = Annotated[CapacityService, Depends(provide(CapacityService))]
OneDay = Annotated[Day | None, Query(description="受理之日（中国日期）；默认为今天", examples=["2026-11-28"])]
IfNoneMatch = Annotated[str | None, Header(include_in_schema=False)]

Month = Annotated[
    str | None,
    Query(pattern="^20[0-9]{2}-(0[1-9]|1[0-2])$", description="办结月份；默认为最近公布的一个月", examples=["2026-10"]),
]
Service = Annotated[OversightService, Depends(provide(OversightService))]


@router.get("/rules", response_model=PublicRules, summary="各类用户的环节、时限、资料与收费：某地某日适用的规则及依据")
async def rules(
    region: Region,
    at: Annotated[datetime, Depends(now)],
    live: Annotated[LiveRules, Depends(provide(LiveRules))],
    on: OneDay = None,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Read from the dated tables that the gateway itself enforces."""
    return kept(
        rules_view(all_rules_in_force(region, on or date_in_china(at), live.rules())).model_dump_json().encode(),
        RULES_KEPT_S,
        if_none_match,
    )


@router.get("/performance", response_model=PublicPerformance, summary="各市每月办理情况（少于 5 件的不公布）")
async def performance(service: Service, month: Month = None, if_none_match: IfNoneMatch = None) -> Response:
    """Applications completed in the month. Nothing in it is about one person, and it changes no more."""
    view = performance_view(await service.performance(month))
    return kept(view.model_dump_json().encode(), _seconds(month), if_none_match)


@router.get(
    "/performance.csv",
    summary="各市每月办理情况（CSV，UTF-8）",
    response_class=Response,
    responses={200: {"content": {"text/csv": {}}, "description": "每行一个单元与一项时长；首行为列名"}},
)
async def performance_csv(service: Service, month: Month = None, if_none_match: IfNoneMatch = None) -> Response:
    """The same as comma-separated values (RFC 4180)."""
    told = await service.performance(month)
    name = f"performance-{told.month}.csv"
    return kept(as_csv(told).encode(), _seconds(month), if_none_match, CSV, name)


GivenMonth = Annotated[
    str | None,
    Query(pattern="^20[0-9]{2}-(0[1-9]|1[0-2])$", description="评价月份；默认为最近公布的一个月", examples=["2026-10"]),
]


@router.get("/ratings", response_model=PublicRatings, summary="好差评：各市每月收到的评价（少于 5 件的不公布）")
async def ratings(service: Service, month: GivenMonth = None, if_none_match: IfNoneMatch = None) -> Response:
    """Ratings given in the month, whenever their applications ended. It changes no more."""
    view = ratings_view(await service.satisfaction(month))
    return kept(view.model_dump_json().encode(), _seconds(month), if_none_match)


@router.get(
    "/ratings.csv",
    summary="好差评：各市每月收到的评价（CSV，UTF-8）",
    response_class=Response,
    responses={200: {"content": {"text/csv": {}}, "description": "每行一个市与一个等级；首行为列名"}},
)
async def ratings_csv(service: Service, month: GivenMonth = None, if_none_match: IfNoneMatch = None) -> Response:
    """The same as comma-separated values (RFC 4180)."""
    told = await service.satisfaction(month)
    return kept(ratings_as_csv(told).encode(), _seconds(month), if_none_match, CSV, f"ratings-{told.month}.csv")


@router.get("/capacity", response_model=PublicCapacity, summary="可开放容量：供电企业公布的各供电区域可接入容量")
async def capacity(service: Capacity, region: SomeRegion = "", if_none_match: IfNoneMatch = None) -> Response:
    """The latest version of each area, at most 5000; ``region`` takes those below it along."""
    told = public_capacity(region, await service.published(region))
    return kept(told.model_dump_json().encode(), CAPACITY_KEPT_S, if_none_match)


@router.get(
    "/capacity.csv",
    summary="可开放容量（CSV，UTF-8）",
    response_class=Response,
    responses={200: {"content": {"text/csv": {}}, "description": "每行一个供电区域；首行为列名"}},
)
async def capacity_csv(service: Capacity, region: SomeRegion = "", if_none_match: IfNoneMatch = None) -> Response:
    """The same as comma-separated values (RFC 4180)."""
    told = capacity_as_csv(await service.published(region))
    return kept(told.encode(), CAPACITY_KEPT_S, if_none_match, CSV, "capacity.csv")


@router.get("/outages", response_model=PublicOutages, summary="停电信息：计划停电、正在停电与 24 小时内已恢复的停电")
async def outages(
    service: Annotated[OutageService, Depends(provide(OutageService))],
    region: SomeRegion = "",
    if_none_match: IfNoneMatch = None,
) -> Response:
    """As utilities told them, at most 5000; ``region`` takes those below and above it along."""
    found, at = await service.shown(region)
    return kept(public_outages(region, found, at).model_dump_json().encode(), OUTAGES_KEPT_S, if_none_match)


def _seconds(month: str | None) -> int:
    """A month that was named stays as it is; which one is the latest does not."""
    return RULES_KEPT_S if month is None else MONTH_KEPT_S


def kept(
    body: bytes, seconds: int, known: str | None, media_type: str = "application/json", name: str = ""
) -> Response:
    """``body`` with its entity tag, to be kept for ``seconds`` by anybody; 304 for whoever has it already."""
    tag = f'"{sha256(body).hexdigest()[:32]}"'
    headers = {"etag": tag, "cache-control": f"public, max-age={seconds}", "access-control-allow-origin": "*"}
    if known is not None and tag in {each.strip().removeprefix("W/") for each in known.split(",")}:
        return Response(None, 304, headers)
    if name:
        headers["content-disposition"] = f'attachment; filename="{name}"'
    return Response(body, 200, headers, media_type)


@operator_router.get("", summary="谁来答复：某地每种证照的来源与每类审批部门，及落空的层级（县 → 市 → 省）")
async def who_answers(
    _operator: Operator, region: Region, service: Annotated[RoutingService, Depends(provide(RoutingService))]
) -> RegionRouting:
    """From what is registered now; nobody is asked. Raises ``RegionMalformed``."""
    return await service.who_answers(require_region_code(region))
