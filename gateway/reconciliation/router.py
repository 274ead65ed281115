"""对账: a utility's days, what they hold, sending again, and what a comparison found."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Body, Depends, Query, Response

from gateway.caller import Caller, Role
from gateway.http.callers import require_role
from gateway.http.responses import JoseResponse, document
from gateway.http.services import provide
from gateway.reconciliation.service import ReconciliationService
from gateway.reconciliation.views import report_view
from schemas.reconciliation import (
    DayEventPage,
    Reconciliation,
    ReportList,
    ReportRecorded,
    ReportRequest,
    ReportView,
    ResendAnswer,
    ResendOrder,
)
from schemas.wire import Day, PartnerCode

MAX_PAGE = 1000

router = APIRouter(prefix="/v1/reconciliation", tags=["供电企业 · 对账"])
operator_router = APIRouter(prefix="/v1/operator/reconciliation", tags=["运营方"])

Service = Annotated[ReconciliationService, Depends(provide(ReconciliationService))]
Utility = Annotated[Caller, Depends(require_role(Role.UTILITY, scope="events"))]
Operator = Annotated[Caller, Depends(require_role(Role.OPERATOR, scope="operate"))]
OneDay = Annotated[Day | None, Query(description="中国日期；默认为昨天", examples=["2026-11-27"])]

_RESEND = {"丢失数据": {"value": {"reason": "receiver_lost_data", "event_ids": ["evt_01m83k43p3rebetyetap449t54"]}}}


@router.get(
    "",
    summary="按日对账：本单位事件的数量、位置与默克尔根（已签名）",
    response_class=JoseResponse,
    responses={200: {"model": Reconciliation, "description": "已签名的答复：紧凑 JWS，其声明如下"}},
)
async def reconcile(
    utility: Utility,
    service: Service,
    day: OneDay = None,
    first: Annotated[Day | None, Query(alias="from", description="一段日期的第一天，含")] = None,
    last: Annotated[Day | None, Query(alias="to", description="一段日期的最后一天，含；至多 31 天")] = None,
) -> JoseResponse:
    """A day that is over is closed by its first reading at the latest, and answers the same for ever."""
    one: date | None = day
    return JoseResponse(await service.answer(utility, one or first, one or last))


@router.get("/events", response_model=DayEventPage, summary="某日的事件清单：位置、编号与内容摘要（按位置续读）")
async def day_events(
    utility: Utility,
    service: Service,
    day: Annotated[Day, Query(examples=["2026-11-27"])],
    after: Annotated[int, Query(ge=0, le=2**62, description="上一页的 cursor；首次为 0")] = 0,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 500,
) -> Response:
    return document(await service.events(utility, day, after, limit))


@router.post("/resend", status_code=202, response_model=ResendAnswer, summary="请求重发本单位遗失或改动了的事件")
async def resend(
    utility: Utility,
    service: Service,
    order: Annotated[ResendOrder, Body(openapi_examples=_RESEND)],
) -> Response:
    """They come by the ordinary channel, in the order of each application; one that was there is a duplicate."""
    return document(await service.resend(utility, order), 202)


@router.post("/reports", response_model=ReportRecorded, summary="报告某日的对账结果（存证；以最近一次为准）")
async def report(utility: Utility, service: Service, found: ReportRequest) -> Response:
    return document(await service.report(utility, found))


@operator_router.get("", summary="各供电企业最近的对账报告")
async def list_reports(
    _operator: Operator,
    service: Service,
    utility: Annotated[PartnerCode | None, Query(examples=["csg-guangzhou"])] = None,
    differing: Annotated[bool, Query(description="只看与共享平台不一致的")] = False,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> ReportList:
    found = await service.reports(utility, only_differing=differing, limit=limit)
    return ReportList(reports=[report_view(each) for each in found])


@operator_router.get("/{utility}/{day}", summary="查看一份对账报告")
async def show_report(utility: PartnerCode, day: Day, _operator: Operator, service: Service) -> ReportView:
    return report_view(await service.find_report(utility, day), whole=True)
