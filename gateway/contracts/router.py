"""The contract for programs: utilities send it, applicants read it and sign or decline it."""

from enum import Enum
from typing import Annotated

from fastapi import APIRouter, Body, Depends, Response

from gateway.caller import Caller, Role
from gateway.contracts.errors import ContractUnknown
from gateway.contracts.service import ContractService
from gateway.errors import Owner
from gateway.http.callers import require_role
from gateway.http.limits import RateLimit
from gateway.http.responses import document
from gateway.http.services import provide
from gateway.identity.router import Applicant, Token, hand_over
from gateway.identity.service import IdentityService
from schemas.applicant_api import VerificationOpened
from schemas.contracts import (
    ContractOffer,
    ContractOnPaper,
    ContractRefusal,
    ContractSigning,
    ContractStanding,
    ContractToSign,
)
from schemas.identity import VerificationMethod
from schemas.wire import OpaqueId

router = APIRouter()
PATH = "/v1/applications/{application_id}/contract"
UTILITIES: list[str | Enum] = ["供电企业 · 供用电合同"]
APPLICANTS: list[str | Enum] = ["申请人 · 供用电合同"]
REPEATED = "同一事件再次报送，无第二次效果"
Contracts = Annotated[ContractService, Depends(provide(ContractService))]
Identity = Annotated[IdentityService, Depends(provide(IdentityService))]
Utility = Annotated[Caller, Depends(require_role(Role.UTILITY, scope="stages"))]
A_CONTRACT = {
    "event_id": "ctr-2026-000123",
    "version": 1,
    "title": "低压供用电合同",
    "media_type": "text/plain",
    "content": "5L6b55So55S15ZCI5ZCM",
    "sha256": "7f538c581311059ea7529f2b5ff5c23c847c00cbe5ffdbe1036c2a7c63e6d365",
    "valid_until": "2026-04-01T00:00:00+08:00",
}


@router.post(
    PATH,
    status_code=201,
    tags=UTILITIES,
    summary="发送供用电合同，供申请人在线签订（第（五）条）",
    response_model=ContractStanding,
    responses={200: {"model": ContractStanding, "description": REPEATED}},
)
async def offer(
    application_id: OpaqueId,
    contract: Annotated[ContractOffer, Body(openapi_examples={"纯文本合同": {"value": A_CONTRACT}})],
    caller: Utility,
    service: Contracts,
) -> Response:
    """For classes with 受理签约 alone. A new version replaces one that was not signed.

    ``event_id`` makes a repeated one harmless for ever, so no ``Idempotency-Key`` is asked for.
    """
    standing, known = await service.offer(caller.partner_code, application_id, contract)
    return document(standing, 200 if known else 201)


@router.post(
    PATH + "/paper",
    status_code=201,
    tags=UTILITIES,
    summary="告知合同已在纸面签订",
    response_model=ContractStanding,
    responses={200: {"model": ContractStanding, "description": REPEATED}},
)
async def signed_on_paper(
    application_id: OpaqueId, told: ContractOnPaper, caller: Utility, service: Contracts
) -> Response:
    """用户有权自主选择线上线下渠道: the applicant is no longer asked to sign."""
    standing, known = await service.on_paper(caller.partner_code, application_id, told)
    return document(standing, 200 if known else 201)


@router.get(PATH, tags=APPLICANTS, summary="查看供用电合同")
async def standing(application_id: OpaqueId, applicant: Applicant, service: Contracts) -> ContractStanding:
    """The newest one; 404 while the utility has sent none."""
    found = await service.standing(application_id, applicant.holder_digest)
    if found is None:
        raise ContractUnknown(check="contract.unknown", owner=Owner.UTILITY, remedy="供电企业尚未发送合同")
    return found


@router.get(
    PATH + "/document",
    tags=APPLICANTS,
    summary="下载供用电合同",
    response_class=Response,
    responses={200: {"content": {"application/pdf": {}, "text/plain": {}}}},
)
async def contract_document(application_id: OpaqueId, applicant: Applicant, service: Contracts) -> Response:
    """Byte for byte what the utility sent; its SHA-256 is what is signed."""
    contract, content = await service.document(application_id, applicant.holder_digest)
    return download(contract, content)


@router.post(
    PATH + "/signing",
    status_code=201,
    tags=APPLICANTS,
    summary="为签订合同重新核验身份",
    dependencies=[Depends(RateLimit("verification", "600/minute"))],
)
async def begin_signing(
    application_id: OpaqueId,
    wanted: ContractSigning,
    applicant: Applicant,
    response: Response,
    service: Contracts,
    identity: Identity,
) -> VerificationOpened:
    """A session whose nonce names this contract. No ``Idempotency-Key``, as for any verification."""
    bound_to = await service.binding(application_id, applicant.holder_digest, wanted.contract_id)
    opened = await identity.open(applicant.applicant_kind, VerificationMethod(wanted.method), bound_to)
    hand_over(response, opened.session_token)
    return VerificationOpened(
        session_id=opened.session.session_id,
        session_token=opened.session_token,
        authorization_url=opened.authorization_url,
        method=opened.session.method,
        alternatives=list(opened.session.alternatives),
        expires_at=opened.session.expires_at,
    )


@router.post(PATH + "/signature", tags=APPLICANTS, summary="签订供用电合同")
async def sign(
    application_id: OpaqueId,
    signature: ContractToSign,
    token: Token,
    _applicant: Applicant,
    service: Contracts,
    identity: Identity,
) -> ContractStanding:
    """In the session that was verified for it. Signed before, it is answered as it was signed then."""
    session = await identity.session(token)
    return await service.sign(application_id, session, signature.contract_id, signature.sha256)


@router.post(PATH + "/refusal", tags=APPLICANTS, summary="不签这份合同")
async def decline(
    application_id: OpaqueId, refusal: ContractRefusal, applicant: Applicant, service: Contracts
) -> ContractStanding:
    """The utility is told, with the reason."""
    return await service.decline(application_id, applicant.holder_digest, refusal.contract_id, refusal.reason)


def download(contract: ContractStanding, content: bytes) -> Response:
    """The document as a file: saved and never run in our pages, whatever is in it."""
    suffix, charset = (".pdf", "") if contract.media_type == "application/pdf" else (".txt", "; charset=utf-8")
    return Response(
        content,
        headers={
            "content-type": contract.media_type + charset,
            "content-disposition": f'attachment; filename="contract-{contract.contract_id}{suffix}"',
            "content-security-policy": "default-src 'none'; sandbox",
            "x-content-type-options": "nosniff",
            "cache-control": "no-store",
        },
    )
