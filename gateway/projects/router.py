"""The door through which approval platforms push projects, and the leads that utilities have of them."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Query, Request, Response

from gateway.caller import Caller, Role
from gateway.http.callers import now, require_role
from gateway.http.limits import RateLimits
from gateway.http.pushes import receive_push
from gateway.http.responses import document
from gateway.http.services import provide
from gateway.projects.errors import PlatformUnknown, PushNotAuthentic
from gateway.projects.intake import ProjectIntake
from gateway.projects.service import LeadQuery, LeadService
from schemas.leads import (
    LeadContact,
    LeadPage,
    LeadProgressRecorded,
    LeadProgressRequest,
    LeadStatus,
    LeadView,
)
from schemas.project_push import ProjectAcknowledged
from schemas.wire import MEDIA_JOSE, Day, OpaqueId, PartnerCode, RegionDigits

MAX_PAGE = 500

router = APIRouter(tags=["工程建设项目"])

Utility = Annotated[Caller, Depends(require_role(Role.UTILITY, scope="leads"))]
Leads = Annotated[LeadService, Depends(provide(LeadService))]
Now = Annotated[datetime, Depends(now)]

_PUSH_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            MEDIA_JOSE: {
                "schema": {
                    "type": "string",
                    "description": "紧凑序列化 JWS，typ 为 project-push+jwt；声明见 ProjectPush，"
                    "用 V3 交换的表名与字段名。iss 为平台代码，aud 为共享平台，xh 为该项目的版本序号",
                },
                "example": "eyJhbGciOiJFUzI1NiIsInR5cCI6InByb2plY3QtcHVzaCtqd3QiLCIuLi4iOiIifQ.e30.c2ln",
            }
        },
    }
}
_PROGRESS: dict[str, Any] = {
    "contacted": {
        "summary": "已联系建设单位",
        "value": {"status": "contacted", "claimed_at": "2026-11-23T06:05:09Z"},
    },
    "connected": {"summary": "已接电", "value": {"status": "connected", "claimed_at": "2027-05-11T02:30:00Z"}},
}


@router.post(
    "/v1/platforms/{code}/projects",
    status_code=202,
    response_model=ProjectAcknowledged,
    summary="工程建设项目审批平台推送项目；以签名为凭，无需令牌",
    openapi_extra=_PUSH_BODY,
)
async def push_project(
    code: PartnerCode,
    request: Request,
    at: Now,
    projects: Annotated[ProjectIntake, Depends(provide(ProjectIntake))],
    limits: Annotated[RateLimits, Depends(provide(RateLimits))],
) -> Response:
    """Platforms may push as much as they have to say; what proves nobody is limited by address."""
    taken = await receive_push(
        request,
        limits,
        "projects_not_authentic",
        lambda body: projects.receive(code, body, at),
        (PlatformUnknown, PushNotAuthentic),
    )
    return document(taken, 202)


@router.get("/v1/leads", response_model=LeadPage, summary="本单位的用电需求线索（按编号续读）")
async def list_leads(
    utility: Utility,
    leads: Leads,
    status: Annotated[LeadStatus | None, Query(description="只看此状态")] = None,
    region: Annotated[RegionDigits | None, Query(description="只看此行政区划及其下级", examples=["440100"])] = None,
    first: Annotated[Day | None, Query(alias="from", description="送达的第一天，含", examples=["2026-11-01"])] = None,
    last: Annotated[Day | None, Query(alias="to", description="送达的最后一天，含", examples=["2026-11-30"])] = None,
    after: Annotated[OpaqueId | None, Query(description="上一页的 cursor；首页不填")] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE, description="每页条数")] = 100,
) -> Response:
    return document(await leads.listed(utility, LeadQuery(status, region, first, last), after or "", limit))


@router.get("/v1/leads/{lead_id}", response_model=LeadView, summary="查看一条用电需求线索")
async def show_lead(lead_id: OpaqueId, utility: Utility, leads: Leads) -> Response:
    return document(await leads.show(utility, lead_id))


@router.get("/v1/leads/{lead_id}/contact", response_model=LeadContact, summary="项目联系人（每次查阅均存证）")
async def lead_contact(lead_id: OpaqueId, utility: Utility, leads: Leads, at: Now) -> Response:
    return document(await leads.contact(utility, lead_id, at))


@router.post(
    "/v1/leads/{lead_id}/progress",
    response_model=LeadProgressRecorded,
    summary="登记已联系、已接电；重复登记无第二次效果，以首次为准",
)
async def lead_progress(
    lead_id: OpaqueId,
    told: Annotated[LeadProgressRequest, Body(openapi_examples=_PROGRESS)],
    utility: Utility,
    leads: Leads,
    at: Now,
) -> Response:
    return document(await leads.progress(utility, lead_id, told, at))
