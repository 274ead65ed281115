"""``GET /v1/applications/{id}/evidence`` for the applicant, and its like for the utility and the operator."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from gateway.caller import Caller, Role
from gateway.evidence.service import Bundle, EvidenceService
from gateway.http.callers import require_role
from gateway.http.limits import RateLimit
from gateway.http.services import provide
from gateway.identity.router import Applicant
from schemas.wire import OpaqueId

MEDIA_ZIP = "application/zip"


class BundleResponse(Response):
    """An evidence bundle."""

    media_type = MEDIA_ZIP


router = APIRouter()
EVIDENCE = "evidence"
"""The use that bundles are counted under."""
SELDOM = Depends(RateLimit(EVIDENCE, "30/minute"))
"""A bundle proves every entry of its application anew, and holds every document."""
Service = Annotated[EvidenceService, Depends(provide(EvidenceService))]
Redacted = Annotated[bool, Query(description="true：不含个人信息的版本")]


@router.get(
    "/v1/applications/{application_id}/evidence",
    tags=["申请人 · 进度"],
    summary="我的申请的证据包（离线核验：verify-evidence）",
    response_class=BundleResponse,
    dependencies=[SELDOM],
)
async def own_evidence(
    application_id: OpaqueId, applicant: Applicant, service: Service, redacted: Redacted = False
) -> BundleResponse:
    """Everything that proves the application; for another person of the same enterprise without personal data.

    That it was given is recorded.
    """
    return _given(application_id, await service.for_applicant(application_id, applicant, redacted=redacted))


@router.get(
    "/v1/applications/{application_id}/evidence/redacted",
    tags=["供电企业 · 核验"],
    summary="本单位申请的证据包（不含个人信息）",
    response_class=BundleResponse,
    dependencies=[SELDOM],
)
async def redacted_evidence(
    application_id: OpaqueId,
    caller: Annotated[Caller, Depends(require_role(Role.UTILITY, scope="licences"))],
    service: Service,
) -> BundleResponse:
    """Without personal data, and with this utility's deliveries alone."""
    return _given(application_id, await service.for_utility(application_id, caller.partner_code))


@router.get(
    "/v1/operator/applications/{application_id}/evidence",
    tags=["运营方"],
    summary="任一申请的证据包（取得留痕）",
    response_class=BundleResponse,
    dependencies=[SELDOM],
)
async def operator_evidence(
    application_id: OpaqueId,
    operator: Annotated[Caller, Depends(require_role(Role.OPERATOR, scope="operate"))],
    service: Service,
    redacted: Redacted = True,
) -> BundleResponse:
    """Without personal data unless ``redacted=false``."""
    return _given(application_id, await service.for_operator(application_id, operator.partner_code, redacted=redacted))


def _given(application_id: str, bundle: Bundle) -> BundleResponse:
    name = f"evidence-{application_id}.zip".replace(":", "_")
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return BundleResponse(bundle.archive, headers=headers)
