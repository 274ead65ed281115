"""The single window for utilities, commitments of applicants, and the door through which departments push outcomes."""

import re
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Request, Response
from starlette.types import Scope

from gateway.approvals.commitments import CommitmentService
from gateway.approvals.errors import DepartmentUnknown, OutcomeNotAuthentic
from gateway.approvals.outcomes import OutcomeIntake
from gateway.approvals.single_window import SingleWindow
from gateway.caller import Caller, Role
from gateway.http.callers import Doorkeeper, now, require_role
from gateway.http.idempotency import OnceOnly
from gateway.http.limits import RateLimits, peer_of
from gateway.http.pushes import counted_push, receive_push
from gateway.http.responses import document
from gateway.http.services import provide, services_of
from gateway.identity.router import Applicant
from schemas.applicant_api import CommitmentGiven, CommitmentView
from schemas.departments import OutcomeAcknowledged
from schemas.partner_api import JointReviewRequest, JointReviewView
from schemas.wire import MEDIA_JOSE, OpaqueId, PartnerCode

OUTCOMES = "/v1/departments/{code}/outcomes"
_OUTCOMES_OF = re.compile(r"/v1/departments/[a-z][a-z0-9-]{0,63}/outcomes")
_NOT_AUTHENTIC = "outcomes_not_authentic"
_UNPROVED = (DepartmentUnknown, OutcomeNotAuthentic)
"""What of such a push counts against its address."""

router = APIRouter(tags=["并联审批"])

Utility = Annotated[Caller, Depends(require_role(Role.UTILITY, scope="reviews"))]
Window = Annotated[SingleWindow, Depends(provide(SingleWindow))]
Commitments = Annotated[CommitmentService, Depends(provide(CommitmentService))]
Now = Annotated[datetime, Depends(now)]

_LINE = {
    "description": "10kV 电缆线路，沿东风路敷设",
    "voltage_v": 10_000,
    "length_m": 420.5,
    "from_point": "东风路 1 号开关站",
    "to_point": "用户红线",
}
_SHORT_LINE = {
    "description": "380V 电缆线路",
    "voltage_v": 380,
    "length_m": 80.0,
    "from_point": "低压分支箱",
    "to_point": "用户计量箱",
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
        "summary": "低压短距离工程占用绿地，当地实行告知承诺",
        "value": {
            "line": _SHORT_LINE,
            "permits": [
                {
                    "department": "greenery-440100",
                    "permit": "greenery_occupation",
                    "mode": "commitment",
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
    summary="一窗受理：一次提交，并联推送各审批部门；同一线路再次提交可增列事项",
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
        return document(answered.view, 201 if answered.created else 200)

    return await once.answer(utility.partner_code, work)


@router.get(
    "/v1/applications/{application_id}/joint-review",
    response_model=JointReviewView,
    summary="查询并联审批的进度与时限",
)
async def show_joint_review(application_id: OpaqueId, utility: Utility, window: Window, at: Now) -> Response:
    return document(await window.view(utility, application_id, at), 200)


@router.get(
    "/v1/applications/{application_id}/joint-review/permits/{permit_id}/commitment",
    response_model=CommitmentView,
    summary="申请人查阅告知承诺书",
)
async def read_commitment(
    application_id: OpaqueId, permit_id: OpaqueId, applicant: Applicant, commitments: Commitments
) -> Response:
    return document(await commitments.statement(applicant, application_id, permit_id))


@router.post(
    "/v1/applications/{application_id}/joint-review/permits/{permit_id}/commitment",
    response_model=CommitmentView,
    summary="申请人本人作出告知承诺；重复提交无第二次效果",
)
async def give_commitment(
    application_id: OpaqueId,
    permit_id: OpaqueId,
    _accepted: CommitmentGiven,
    applicant: Applicant,
    commitments: Commitments,
    at: Now,
) -> Response:
    return document(await commitments.give(applicant, application_id, permit_id, at))


@router.post(
    OUTCOMES,
    status_code=202,
    response_model=OutcomeAcknowledged,
    summary="审批部门推送审批结果；以签名为凭，无需令牌",
    openapi_extra=_OUTCOME_BODY,
)
async def push_outcome(
    code: PartnerCode,
    request: Request,
    at: Now,
    outcomes: Annotated[OutcomeIntake, Depends(provide(OutcomeIntake))],
    limits: Annotated[RateLimits, Depends(provide(RateLimits))],
) -> Response:
    """Departments may push as much as they have to say; what proves nobody is limited by address."""
    taken = await receive_push(
        request, limits, _NOT_AUTHENTIC, lambda body: outcomes.receive(code, body, at), _UNPROVED
    )
    return document(taken, 202)


class ExpressOutcomes:
    """The same by the express lane (``gateway.http.express``): the same limit, service and answer."""

    method = "POST"
    path = OUTCOMES
    taken_as = MEDIA_JOSE.encode()
    status = 202
    media_type = b"application/json"

    def fits(self, path: str) -> bool:
        """Whether it names a code that a partner can have."""
        return _OUTCOMES_OF.fullmatch(path) is not None

    def take(self, body: bytes) -> bytes:
        """Any body: what it is, its signature tells."""
        return body

    async def answer(self, scope: Scope, asked: bytes) -> bytes:
        """That it was taken."""
        services, code = services_of(scope["app"]), scope["path"].split("/")[3]
        outcomes, limits, at = services.get(OutcomeIntake), services.get(RateLimits), services.get(Doorkeeper).clock()
        taken = await counted_push(
            peer_of(scope), limits, _NOT_AUTHENTIC, lambda: outcomes.receive(code, asked, at), _UNPROVED
        )
        return taken.model_dump_json().encode()
