"""``POST /v1/verified-licences``."""

from typing import Annotated

from fastapi import APIRouter, Body, Depends
from pydantic import ValidationError
from starlette.types import Scope

from gateway.caller import Caller, Role
from gateway.certificates.bounded import BoundedCache
from gateway.http.callers import Doorkeeper, require_role
from gateway.http.express import JSON
from gateway.http.responses import JoseResponse
from gateway.http.services import provide, services_of
from gateway.licences.service import LicenceService
from gateway.licences.site import SiteService
from schemas.partner_api import LicenceExplanation, SiteView, VerifiedLicence, VerifiedLicenceRequest
from schemas.wire import MEDIA_JOSE, OpaqueId

LICENCES = "/v1/verified-licences"
router = APIRouter(tags=["供电企业 · 核验"])

MOST_KNOWN, MOST_BYTES = 512, 512
"""Requests that are remembered as they were read, and bytes of one."""
EXAMPLE = {
    "application_id": "app_01m83k43p3rebetyetap449t54",
    "kind": "business_licence",
    "purpose": "grid_connection",
    "fields": ["name", "holder", "valid_on"],
}


@router.post(
    LICENCES,
    summary="在线获取并核验证照（第（七）条）",
    response_class=JoseResponse,
    responses={200: {"model": VerifiedLicence, "description": "已签名的答复：紧凑 JWS，其声明如下"}},
)
async def verified_licence(
    request: Annotated[VerifiedLicenceRequest, Body(openapi_examples={"营业执照": {"value": EXAMPLE}})],
    caller: Annotated[Caller, Depends(require_role(Role.UTILITY, scope="licences"))],
    service: Annotated[LicenceService, Depends(provide(LicenceService))],
) -> JoseResponse:
    """One kind, for one application, for one purpose: verified now, disclosed no further than agreed, and signed."""
    return JoseResponse(await service.answer(caller, request))


class ExpressLicences:
    """The same by the express lane (``gateway.http.express``): the same caller check, service and answer."""

    method = "POST"
    path = LICENCES
    taken_as = JSON
    status = 200
    media_type = MEDIA_JOSE.encode()

    def __init__(self) -> None:
        self._known: BoundedCache[bytes, VerifiedLicenceRequest] = BoundedCache(MOST_KNOWN)

    def take(self, body: bytes) -> VerifiedLicenceRequest | None:
        """The request, where it is one. What names nobody is remembered by its bytes: the same is asked for again."""
        known = self._known.get(body)
        if known is not None:
            return known
        try:
            asked = VerifiedLicenceRequest.model_validate_json(body)
        except ValidationError:
            return None
        if asked.holder_code is None and len(body) <= MOST_BYTES:
            self._known.put(body, asked)
        return asked

    async def answer(self, scope: Scope, asked: VerifiedLicenceRequest) -> bytes:
        """The signed answer."""
        services = services_of(scope["app"])
        caller, use = await services.get(Doorkeeper).admit_unspent(scope, Role.UTILITY, scope_name="licences")
        return (await services.get(LicenceService).answer(caller, asked, use)).encode()


@router.post(f"{LICENCES}/dry-run", summary="试运行：逐项说明同一请求会如何判断，不提供内容")
async def dry_run(
    request: Annotated[VerifiedLicenceRequest, Body(openapi_examples={"营业执照": {"value": EXAMPLE}})],
    caller: Annotated[Caller, Depends(require_role(Role.UTILITY, scope="licences"))],
    service: Annotated[LicenceService, Depends(provide(LicenceService))],
) -> LicenceExplanation:
    """The same request judged by the same code, told check by check. A refusal is the check that refused."""
    return await service.explain(caller.partner_code, request)


@router.get("/v1/applications/{application_id}/site", summary="查看用电地址（须有申请人授权，查看留痕）")
async def site(
    application_id: OpaqueId,
    caller: Annotated[Caller, Depends(require_role(Role.UTILITY, scope="licences"))],
    service: Annotated[SiteService, Depends(provide(SiteService))],
) -> SiteView:
    """The address as the applicant wrote it. Every look is recorded, and the applicant sees it."""
    return await service.tell(caller, application_id)
