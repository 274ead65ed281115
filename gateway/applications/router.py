"""Intakes and progress for applicants; stage events for utilities."""

from enum import Enum
from typing import Annotated

from fastapi import APIRouter, Body, Depends, Query, Request, Response
from limits import parse

from gateway.applications.confirmation import ReviewOpened
from gateway.applications.customer_classes import Area
from gateway.applications.intake import IntakeService
from gateway.applications.model import Demand, IntakeKind
from gateway.applications.own_application import OwnApplicationService
from gateway.applications.purge_receipts import PurgeReceiptService
from gateway.applications.review_tasks import ReviewState
from gateway.applications.review_views import inspection_view, opened_view, task_view
from gateway.applications.reviews import ReviewService
from gateway.applications.stage_events import StageEventService
from gateway.applications.submission import Submitted
from gateway.applications.views import class_view
from gateway.authorisations.service import AuthorisationService
from gateway.caller import Caller, Role
from gateway.http.callers import require_role
from gateway.http.idempotency import Claim, Once, OnceOnly
from gateway.http.limits import RateLimits
from gateway.http.responses import document
from gateway.http.services import provide
from gateway.identity.model import VerifiedApplicant
from gateway.identity.router import Applicant
from schemas.applicant_api import (
    ApplicationAccepted,
    ApplicationWithdrawnView,
    AuthorisationRenewedView,
    AuthorisationWithdrawnView,
    Confirmation,
    DemandRequest,
    IntakeOpened,
    IntakeView,
    RenewalRequest,
    ReviewView,
    UnderReview,
)
from schemas.operator_api import InspectionRequest, InspectionView, ReviewTaskView, SettlementRequest, SettlementView
from schemas.partner_api import EndingRecorded, EndingRequest, PurgeRecorded, StageEventRecorded, StageEventRequest
from schemas.wire import MEDIA_JOSE, OpaqueId

router = APIRouter()
operator_router = APIRouter()
Intakes = Annotated[IntakeService, Depends(provide(IntakeService))]
StageEvents = Annotated[StageEventService, Depends(provide(StageEventService))]
OwnApplications = Annotated[OwnApplicationService, Depends(provide(OwnApplicationService))]
Authorisations = Annotated[AuthorisationService, Depends(provide(AuthorisationService))]
Reviews = Annotated[ReviewService, Depends(provide(ReviewService))]
Operator = Annotated[Caller, Depends(require_role(Role.OPERATOR, scope="operate"))]
Limits = Annotated[RateLimits, Depends(provide(RateLimits))]
INTAKES, INTAKES_OF_A_HOLDER = "intakes", parse("20/hour")
APPLICANTS: list[str | Enum] = ["申请人 · 办电"]
OFFICERS: list[str | Enum] = ["运营方"]

SMALL_ENTERPRISE = {"region": "440106", "voltage_v": 380, "capacity_kw": 80, "area": "urban", "purpose": "餐饮店"}
HOME = {"region": "440106", "voltage_v": 220, "capacity_kw": 8, "area": "urban", "purpose": "住宅用电"}


STAGE_COMPLETED = {
    "event_id": "ev-2026-000123",
    "stage": "acceptance",
    "action": "completed",
    "claimed_at": "2026-03-02T09:30:00+08:00",
}

CANNOT_GO_ON = {
    "event_id": "ev-2026-000124",
    "reason": "用户变更用电地址，本申请不再办理",
    "claimed_at": "2026-03-09T15:00:00+08:00",
}
UTILITY_STAGES: list[str | Enum] = ["供电企业 · 环节"]
_PURGE_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            MEDIA_JOSE: {
                "schema": {
                    "type": "string",
                    "description": "JWS，typ 为 purge-receipt+jwt，以签送达回执的密钥签名；声明见 PurgeReceipt",
                }
            }
        },
    }
}
REPEATED = "同一事件再次报送，无第二次效果"


def _demand(request: DemandRequest) -> Demand:
    return Demand(
        region=request.region,
        voltage_v=request.voltage_v,
        capacity_kw=request.capacity_kw,
        source_count=request.source_count,
        area=Area(request.area),
        purpose=request.purpose,
        small_and_micro=request.small_and_micro,
    )


@router.post(
    "/v1/intakes/one-certificate",
    status_code=201,
    response_model=IntakeOpened,
    tags=APPLICANTS,
    summary="一证办电",
)
async def one_certificate(
    demand: Annotated[DemandRequest, Body(openapi_examples={"小微企业": {"value": SMALL_ENTERPRISE}})],
    applicant: Applicant,
    service: Intakes,
    once: OnceOnly,
    limits: Limits,
) -> Response:
    """An enterprise gives its licence alone; everything else is found for it."""
    return await _begin(service, once, limits, applicant, IntakeKind.ONE_CERTIFICATE, demand)


@router.post(
    "/v1/intakes/face-verified",
    status_code=201,
    response_model=IntakeOpened,
    tags=APPLICANTS,
    summary="刷脸办电（或短信、窗口核验）",
)
async def face_verified(
    demand: Annotated[DemandRequest, Body(openapi_examples={"居民": {"value": HOME}})],
    applicant: Applicant,
    service: Intakes,
    once: OnceOnly,
    limits: Limits,
) -> Response:
    """A resident gives a verification; everything else is found for them."""
    return await _begin(service, once, limits, applicant, IntakeKind.FACE_VERIFIED, demand)


async def _begin(
    service: IntakeService,
    once: Once,
    limits: RateLimits,
    applicant: VerifiedApplicant,
    intake: IntakeKind,
    demand: DemandRequest,
) -> Response:
    async def work(claim: Claim) -> Response:
        # Each intake asks the sources for everything that the holder has.
        limits.hit(limits.limit_of(INTAKES, INTAKES_OF_A_HOLDER), INTAKES, applicant.holder_digest)
        await service.begin(applicant, intake, _demand(demand), demand.address, claim.with_answer(_opened))
        return claim.answer

    return await once.answer_with(applicant.holder_digest, work)


def _opened(view: IntakeView) -> Response:
    href = f"/v1/intakes/{view.intake_id}"
    return document(IntakeOpened(intake_id=view.intake_id, href=href, expires_at=view.expires_at), 201)


@router.get("/v1/intakes/{intake_id}", tags=APPLICANTS, summary="查看找到的材料，确认之前")
async def show_intake(intake_id: OpaqueId, applicant: Applicant, service: Intakes) -> IntakeView:
    """What was found, with verdict, source, as-of time and what the utility will be able to obtain."""
    return await service.show(applicant, intake_id)


@router.delete("/v1/intakes/{intake_id}", status_code=204, tags=APPLICANTS, summary="放弃，不留存任何信息")
async def drop_intake(intake_id: OpaqueId, applicant: Applicant, service: Intakes) -> Response:
    """Walk away; nothing is kept."""
    await service.drop(applicant, intake_id)
    return Response(status_code=204)


@router.post(
    "/v1/intakes/{intake_id}/confirmation",
    status_code=201,
    response_model=ApplicationAccepted,
    tags=APPLICANTS,
    summary="确认并授权",
    responses={202: {"model": UnderReview, "description": "证照是否一致尚不能确定，由工作人员核查后送达"}},
)
async def confirm_intake(
    intake_id: OpaqueId, confirmation: Confirmation, applicant: Applicant, service: Intakes, once: OnceOnly
) -> Response:
    """The applicant has seen what was found, and authorises this utility for this application.

    Certificates that contradict one another are refused (409, ``consistency.…``) with both owners named.
    """

    async def work(claim: Claim) -> Response:
        await service.confirm(applicant, intake_id, confirmation, claim.with_answer(_confirmed))
        return claim.answer

    return await once.answer_with(applicant.holder_digest, work)


def _confirmed(made: Submitted | ReviewOpened) -> Response:
    if isinstance(made, ReviewOpened):
        return document(opened_view(made.task), 202)
    return document(_accepted(made), 201)


@router.get("/v1/intakes/{intake_id}/review", tags=APPLICANTS, summary="人工核查的进展与结果，以及谁看过比对内容")
async def show_review(intake_id: OpaqueId, applicant: Applicant, service: Reviews) -> ReviewView:
    """How the review of an intake stands, also after it has ended: then the intake itself is gone."""
    return await service.of_intake(intake_id, applicant.holder_digest)


@router.get("/v1/reviews", tags=APPLICANTS, summary="我的人工核查")
async def own_reviews(applicant: Applicant, service: Reviews) -> list[ReviewView]:
    """Every review of the applicant's own, the newest first."""
    return await service.of_holder(applicant.holder_digest)


def _accepted(submitted: Submitted) -> ApplicationAccepted:
    application, authorisation = submitted.application, submitted.authorisation
    return ApplicationAccepted(
        application_id=application.application_id,
        customer_class=class_view(application.derivation),
        utility=application.utility,
        authorisation_id=authorisation.authorisation_id,
        authorised_until=authorisation.until,
        received_at=application.received_at,
        record_id=submitted.record_id,
    )


@operator_router.get("/v1/operator/review-tasks", tags=OFFICERS, summary="列出核查任务，不含个人信息")
async def list_review_tasks(
    _operator: Operator,
    service: Reviews,
    state: ReviewState | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> list[ReviewTaskView]:
    """The oldest first: whoever waited longest is next."""
    return [task_view(task) for task in await service.listed(state, limit)]


@operator_router.get("/v1/operator/review-tasks/{task_id}", tags=OFFICERS, summary="查看一项核查任务，不含个人信息")
async def show_review_task(task_id: OpaqueId, _operator: Operator, service: Reviews) -> ReviewTaskView:
    """Which documents do not plainly agree, and why; never what stands in them."""
    return task_view(await service.find(task_id))


@operator_router.post(
    "/v1/operator/review-tasks/{task_id}/inspection", tags=OFFICERS, summary="查看比对内容；留痕，申请人可见"
)
async def inspect_review_task(
    task_id: OpaqueId, body: InspectionRequest, operator: Operator, service: Reviews
) -> InspectionView:
    """The compared values, read anew from the certificates. Each look is an access on record."""
    return inspection_view(await service.look(task_id, body.officer, operator.partner_code))


@operator_router.post(
    "/v1/operator/review-tasks/{task_id}/settlement",
    tags=OFFICERS,
    summary="核查通过或不予通过，说明理由",
    response_model=SettlementView,
)
async def settle_review_task(
    task_id: OpaqueId, body: SettlementRequest, operator: Operator, service: Reviews, once: OnceOnly
) -> Response:
    """Once. Accepted, the application goes to the utility; rejected, what was fetched for it is removed."""

    async def work() -> Response:
        settled = await service.settle(task_id, body, operator.partner_code)
        return document(
            SettlementView(
                task=task_view(settled.task),
                application_id=settled.task.application_id,
                record_id=settled.record_id,
            )
        )

    return await once.answer(operator.partner_code, work)


@router.post("/v1/applications/{application_id}/authorisation/withdrawal", tags=APPLICANTS, summary="撤回授权")
async def withdraw_authorisation(
    application_id: OpaqueId, applicant: Applicant, service: Authorisations, own: OwnApplications
) -> AuthorisationWithdrawnView:
    """At once: nothing more can be obtained, copies held here are removed, and the utility is told to purge."""
    withdrawn = await service.withdraw(application_id, applicant.holder_digest)
    await own.forget_copies(applicant.holder_digest, applicant.holder_code)
    return AuthorisationWithdrawnView(
        authorisation_id=withdrawn.authorisation.authorisation_id,
        utility=withdrawn.authorisation.utility,
        withdrawn_at=withdrawn.withdrawn_at,
        record_id=withdrawn.record_id,
    )


@router.post(
    "/v1/authorisations/{authorisation_id}/purge-receipt",
    tags=["供电企业 · 授权"],
    summary="撤回授权后，报送已清除的签名回执",
    openapi_extra=_PURGE_BODY,
)
async def purge_receipt(
    authorisation_id: OpaqueId,
    request: Request,
    caller: Annotated[Caller, Depends(require_role(Role.UTILITY, scope="events"))],
    service: Annotated[PurgeReceiptService, Depends(provide(PurgeReceiptService))],
) -> PurgeRecorded:
    """The applicant sees it, with its time. Sent again, the first one stands: no ``Idempotency-Key`` is needed."""
    return await service.receive(caller.partner_code, authorisation_id, await request.body())


@router.post("/v1/applications/{application_id}/authorisation/renewal", tags=APPLICANTS, summary="授权续期")
async def renew_authorisation(
    application_id: OpaqueId, renewal: RenewalRequest, applicant: Applicant, service: OwnApplications
) -> AuthorisationRenewedView:
    """Before it ends or after: the same kinds for the same purpose, for longer. One that was withdrawn stays so."""
    renewed = await service.renew(application_id, applicant.holder_digest, renewal.until)
    return AuthorisationRenewedView(
        authorisation_id=renewed.authorisation.authorisation_id,
        utility=renewed.authorisation.utility,
        authorised_until=renewed.authorisation.until,
        record_id=renewed.record_id,
    )


@router.post("/v1/applications/{application_id}/withdrawal", tags=APPLICANTS, summary="撤回申请")
async def withdraw_application(
    application_id: OpaqueId, applicant: Applicant, service: OwnApplications
) -> ApplicationWithdrawnView:
    """The application ends, and its authorisation with it; the utility is told to stop and to purge."""
    withdrawn = await service.withdraw(application_id, applicant.holder_digest)
    await service.forget_copies(applicant.holder_digest, applicant.holder_code)
    return ApplicationWithdrawnView(
        application_id=application_id,
        utility=withdrawn.application.utility,
        status=withdrawn.application.lifecycle.status.value,
        withdrawn_at=withdrawn.withdrawn_at,
        record_id=withdrawn.record_id,
    )


@router.post(
    "/v1/applications/{application_id}/ending",
    status_code=201,
    tags=UTILITY_STAGES,
    summary="终止无法继续办理的申请，并说明理由",
    response_model=EndingRecorded,
    responses={200: {"model": EndingRecorded, "description": REPEATED}},
)
async def end_application(
    application_id: OpaqueId,
    ending: Annotated[EndingRequest, Body(openapi_examples={"用户变更": {"value": CANNOT_GO_ON}})],
    caller: Annotated[Caller, Depends(require_role(Role.UTILITY, scope="stages"))],
    service: StageEvents,
) -> Response:
    """For good: no stage, licence or joint review follows. The applicant reads the reason.

    ``event_id`` makes a repeated one harmless for ever, so no ``Idempotency-Key`` is asked for.
    """
    recorded = await service.end(caller.partner_code, application_id, ending)
    return document(recorded, 200 if recorded.duplicate else 201)


@router.post(
    "/v1/applications/{application_id}/stage-events",
    status_code=201,
    tags=UTILITY_STAGES,
    summary="报送环节事件（第（三）条 如实记录）",
    response_model=StageEventRecorded,
    responses={200: {"model": StageEventRecorded, "description": REPEATED}},
)
async def stage_event(
    application_id: OpaqueId,
    event: Annotated[StageEventRequest, Body(openapi_examples={"受理完成": {"value": STAGE_COMPLETED}})],
    caller: Annotated[Caller, Depends(require_role(Role.UTILITY, scope="stages"))],
    service: StageEvents,
) -> Response:
    """What the utility did, and when it says it did; the gateway stamps when it heard.

    ``event_id`` makes a repeated event harmless for ever, so no ``Idempotency-Key`` is asked for.
    """
    recorded = await service.hear(caller.partner_code, application_id, event)
    return document(recorded, 200 if recorded.duplicate else 201)
