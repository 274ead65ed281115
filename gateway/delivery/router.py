"""The pull feed for utilities, and the operators' interface to deliveries."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from gateway.caller import Caller, Role
from gateway.delivery.ports import DeliveryState
from gateway.delivery.service import DeliveryService
from gateway.delivery.views import (
    DeliveryList,
    DeliverySummary,
    DestinationList,
    DestinationView,
    EnabledView,
    EnableOrder,
    ReplayedSinceView,
    ReplayOrder,
    ReplaySinceOrder,
)
from gateway.http.callers import now, require_role
from gateway.http.services import provide
from schemas.partner_api import EventPage
from schemas.wire import OpaqueId, PartnerCode

MAX_PAGE = 500

router = APIRouter(tags=["供电企业 · 事件"])
operator_router = APIRouter(prefix="/v1/operator/deliveries", tags=["运营方"])

Deliveries = Annotated[DeliveryService, Depends(provide(DeliveryService))]
Utility = Annotated[Caller, Depends(require_role(Role.UTILITY, scope="events"))]
Operator = Annotated[Caller, Depends(require_role(Role.OPERATOR, scope="operate"))]
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE, description="每页条数")]


@router.get("/v1/events", response_model=EventPage, summary="拉取本单位的事件（按位置续读）")
async def events(
    utility: Utility,
    deliveries: Deliveries,
    after: Annotated[int, Query(ge=0, le=2**62, description="上一页的 cursor；首次为 0", examples=[0])] = 0,
    limit: Limit = 100,
) -> Response:
    page = await deliveries.feed(utility, after, limit)
    return Response(page.model_dump_json(), media_type="application/json")


@operator_router.get("", summary="列出最近的送达，新的在前（逐页）")
async def list_deliveries(
    _operator: Operator,
    deliveries: Deliveries,
    destination: Annotated[PartnerCode | None, Query(examples=["csg-guangzhou"])] = None,
    state: Annotated[DeliveryState | None, Query()] = None,
    before: Annotated[OpaqueId | None, Query(description="上一页的 cursor；首次不填")] = None,
    limit: Limit = 100,
) -> DeliveryList:
    return DeliveryList.of(await deliveries.list(destination, state, limit, before))


@operator_router.get("/destinations", summary="各接收单位：待送、结果未知、死信，及是否被停用")
async def list_destinations(_operator: Operator, deliveries: Deliveries) -> DestinationList:
    found = await deliveries.destinations()
    return DestinationList(destinations=[DestinationView.of(state) for state in found])


@operator_router.post("/destinations/{code}/enable", summary="重新启用被停用的接收单位")
async def enable_destination(
    code: PartnerCode,
    order: EnableOrder,
    operator: Operator,
    deliveries: Deliveries,
    at: Annotated[datetime, Depends(now)],
) -> EnabledView:
    record_id = await deliveries.enable(code, order.reason, operator.partner_code, at)
    return EnabledView(destination=code, record_id=record_id)


@operator_router.post("/destinations/{code}/replay", status_code=202, summary="重放某接收单位自某时起的事件（逐页）")
async def replay_since(
    code: PartnerCode,
    order: ReplaySinceOrder,
    operator: Operator,
    deliveries: Deliveries,
    at: Annotated[datetime, Depends(now)],
) -> ReplayedSinceView:
    actor = operator.partner_code
    replayed = await deliveries.replay_since(code, order.since, order.after, order.limit, order.reason, actor, at)
    return ReplayedSinceView.of(replayed)


@operator_router.get("/{event_id}", summary="查看一条送达及其各次尝试")
async def show_delivery(event_id: OpaqueId, _operator: Operator, deliveries: Deliveries) -> DeliverySummary:
    return DeliverySummary.of(await deliveries.find(event_id))


@operator_router.post("/{event_id}/replay", status_code=202, summary="重放已送达或死信的事件")
async def replay_delivery(
    event_id: OpaqueId,
    order: ReplayOrder,
    operator: Operator,
    deliveries: Deliveries,
    at: Annotated[datetime, Depends(now)],
) -> DeliverySummary:
    replayed = await deliveries.replay(event_id, order.reason, operator.partner_code, at)
    return DeliverySummary.of(replayed.delivery, replayed.record_id)
