"""``GET /v1/applications/{id}/progress`` and the applicant's list."""

from typing import Annotated

from fastapi import APIRouter, Depends

from gateway.http.services import provide
from gateway.identity.router import Applicant
from gateway.progress.named_accesses import NamedAccessService
from gateway.progress.service import ProgressService
from gateway.records.service import RecordProofs
from gateway.records.views import proof_view
from schemas.applicant_api import ApplicationSummary, NamedAccesses, ProgressView
from schemas.record_proofs import RecordProofView
from schemas.wire import OpaqueId

router = APIRouter(tags=["申请人 · 进度"])
Service = Annotated[ProgressService, Depends(provide(ProgressService))]


@router.get("/v1/applications/{application_id}/progress", summary="进度、时限、审批与谁看过我的信息")
async def progress(application_id: OpaqueId, applicant: Applicant, service: Service) -> ProgressView:
    """Stages, permits, deadlines, and every access to the applicant's data."""
    return await service.progress(application_id, applicant.holder_digest)


@router.get("/v1/applications", summary="我的申请")
async def applications(applicant: Applicant, service: Service) -> list[ApplicationSummary]:
    """The applicant's own applications, newest first."""
    return await service.applications(applicant.holder_digest)


@router.get("/v1/accesses-naming-me", summary="谁看过写有我的证照（共有人）")
async def accesses_naming_me(
    applicant: Applicant, service: Annotated[NamedAccessService, Depends(provide(NamedAccessService))]
) -> NamedAccesses:
    """Accesses to certificates of others that name the verified resident, and nothing of what those others do."""
    return await service.of(applicant)


@router.get(
    "/v1/applications/{application_id}/records/{record_id}/proof",
    summary="我的申请的一条存证的证明（核验方法见存证说明）",
)
async def own_record_proof(
    application_id: OpaqueId,
    record_id: OpaqueId,
    applicant: Applicant,
    service: Service,
    proofs: Annotated[RecordProofs, Depends(provide(RecordProofs))],
) -> RecordProofView:
    """Of an entry about the applicant's own application, such as an access that the progress page names."""
    await service.require_own(application_id, applicant.holder_digest)
    return proof_view(*await proofs.about(application_id, record_id))
