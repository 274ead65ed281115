"""The single window for utilities, and the door through which departments push outcomes."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, HTTPException, Request, Response
from pydantic import BaseModel

from gateway.approvals.outcomes import OutcomeIntake
from gateway.approvals.single_window import SingleWindow
from gateway.caller import Caller, Role
from gateway.http.callers import now, require_role
from gateway.http.idempotency import OnceOnly
from gateway.http.services import provide
from schemas.departments import OutcomeAcknowledged
from schemas.partner_api import CommitmentSigned, JointReviewRequest, JointReviewView
from schemas.wire import MEDIA_JOSE, OpaqueId, PartnerCode

router = APIRouter(tags=["approvals"])

Utility = Annotated[Caller, Depends(require_role(Role.UTILITY, scope="reviews"))]
Window = Annotated[SingleWindow, Depends(provide(SingleWindow))]
Now = Annotated[datetime, Depends(now)]

_LINE = {
    "description": "10kV 电缆线路，沿东风路敷设",
    "voltage_v": 10_000,
    "length_m": 420.5,
    "from_point": "东风路 1 号开关站",
    "to_point": "用户红线",
}
_INTAKE_EXAMPLES: dict[str, Any] = {
    "parallel": {
        "summary": "两个部门并联审批",
        "value": {
            "line": _LINE,
            "permits": [
                {"department": "planning-440100", "permit": "construction_planning"},
                {"department": "road-440100", "permit": "road_occupation"},
            ],
        },
    },
    "commitment": {
        "summary": "占用绿地实行告知承诺",
        "value": {
            "line": _LINE,
            "permits": [
                {
                    "department": "greenery-440100",
                    "permit": "greenery_occupation",
                    "mode": "commitment",
                    "commitment": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
                }
            ],
        },
    },
}
_OUTCOME_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            MEDIA_JOSE: {
                "schema": {
                    "type": "string",
                    "description": "紧凑序列化 JWS，typ 为 approval-outcome+jwt；声明见 ApprovalOutcome，"
                    "规划部门用 V3 交换字段。iss 为部门代码，aud 为共享平台，jti 为结果编号",
                },
                "example": "eyJhbGciOiJFUzI1NiIsInR5cCI6ImFwcHJvdmFsLW91dGNvbWUrand0IiwiLi4uIjoiIn0.e30.c2ln",
            }
        },
    }
}


@router.post(
    "/v1/applications/{application_id}/joint-review",
    status_code=201,
    response_model=JointReviewView,
    summary="一窗受理：一次提交，并联推送各审批部门",
    responses={200: {"model": JointReviewView, "description": "相同内容此前已受理"}},
)
async def open_joint_review(
    application_id: OpaqueId,
    request: Annotated[JointReviewRequest, Body(openapi_examples=_INTAKE_EXAMPLES)],
    utility: Utility,
    window: Window,
    at: Now,
    once: OnceOnly,
) -> Response:
    async def work() -> Response:
        answered = await window.open(utility, application_id, request, at)
        return _document(answered.view, 201 if answered.created else 200)

    return await once.answer(utility.partner_code, work)


@router.get(
    "/v1/applications/{application_id}/joint-review",
    response_model=JointReviewView,
    summary="查询并联审批的进度与时限",
)
async def show_joint_review(application_id: OpaqueId, utility: Utility, window: Window, at: Now) -> Response:
    return _document(await window.view(utility, application_id, at), 200)


@router.post(
    "/v1/applications/{application_id}/joint-review/permits/{permit_id}/commitment",
    response_model=JointReviewView,
    summary="提交申请人已签告知承诺书的摘要",
)
async def commit_permit(
    application_id: OpaqueId, permit_id: OpaqueId, signed: CommitmentSigned, utility: Utility, window: Window, at: Now
) -> Response:
    answered = await window.commit(utility, application_id, permit_id, signed.commitment, at)
    return _document(answered.view, 200)


@router.post(
    "/v1/departments/{code}/outcomes",
    status_code=202,
    response_model=OutcomeAcknowledged,
    summary="审批部门推送审批结果；以签名为凭，无需令牌",
    openapi_extra=_OUTCOME_BODY,
)
async def push_outcome(
    code: PartnerCode, request: Request, at: Now, outcomes: Annotated[OutcomeIntake, Depends(provide(OutcomeIntake))]
) -> Response:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != MEDIA_JOSE:
        raise HTTPException(415)
    return _document(await outcomes.receive(code, await request.body(), at), 202)


def _document(model: BaseModel, status: int) -> Response:
    return Response(model.model_dump_json(exclude_none=True), status, media_type="application/json")
