"""Token endpoint, the gateway's public keys, and the operators' interface to partners, keys and agreements."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any
from urllib.parse import parse_qsl

from fastapi import APIRouter, Depends, Request, Response
from limits import parse

from gateway.caller import Caller, Role
from gateway.crypto.jwk import VerificationKey, export_jwk
from gateway.delivery.ports import ChannelKind
from gateway.errors import GatewayError, Owner, Unauthenticated
from gateway.http.callers import now, require_role
from gateway.http.idempotency import OnceOnly
from gateway.http.languages import language_of
from gateway.http.limits import RateLimit, RateLimits, address_of
from gateway.http.problems import error_response, status_of
from gateway.http.responses import document
from gateway.http.services import provide
from gateway.partners.errors import TokenRequestMalformed
from gateway.partners.service import PartnerService
from gateway.partners.terms import endpoint_of
from gateway.partners.tokens import TokenService, claimed_client
from gateway.partners.views import (
    AgreementTerms,
    AgreementView,
    EndpointTerms,
    EndpointView,
    KeyRegistration,
    KeyRotation,
    KeyView,
    PartnerRegistration,
    PartnerView,
)
from gateway.wording.phrases import Language, Phrase
from schemas.partner_api import TokenResponse
from schemas.wire import OpaqueId, PartnerCode

_FAILURES = parse("30/minute")
"""Failed authentications of one client from one address; then its requests wait, whatever they prove."""
_GRANTS = parse("600/minute")
"""Tokens granted to one client: each lasts minutes, so that a client that asks this often is at fault."""
_FORM = "application/x-www-form-urlencoded"
_TOKEN_FORM = {
    "requestBody": {
        "required": True,
        "content": {
            _FORM: {
                "schema": {
                    "type": "object",
                    "required": ["grant_type", "client_assertion_type", "client_assertion"],
                    "properties": {
                        "grant_type": {"const": "client_credentials"},
                        "client_assertion_type": {"const": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
                        "client_assertion": {"type": "string", "description": "private_key_jwt，60 秒内有效，只用一次"},
                        "client_id": {"type": "string"},
                        "scope": {"type": "string"},
                    },
                }
            }
        },
    },
    "parameters": [{"name": "DPoP", "in": "header", "required": True, "schema": {"type": "string"}}],
}

Operator = Annotated[Caller, Depends(require_role(Role.OPERATOR, scope="operate"))]
Partners = Annotated[PartnerService, Depends(provide(PartnerService))]
Now = Annotated[datetime, Depends(now)]

TOKENS = "token"
"""The use that requests for access tokens are counted under."""
router = APIRouter()
operator_router = APIRouter(prefix="/v1/operator", tags=["运营方"])


@dataclass(frozen=True, slots=True)
class PublishedKeys:
    """Answers every public key with which the gateway's signatures can be checked now, retiring ones included."""

    now: Callable[[], tuple[VerificationKey, ...]]


@router.post(
    "/oauth/token",
    tags=["接入 · 令牌与公钥"],
    summary="换取 DPoP 绑定的访问令牌（RFC 6749 §4.4、RFC 7523、RFC 9449）",
    response_model=TokenResponse,
    openapi_extra=_TOKEN_FORM,
    dependencies=[Depends(RateLimit(TOKENS, "1200/minute"))],
)
async def grant_token(
    request: Request,
    tokens: Annotated[TokenService, Depends(provide(TokenService))],
    limits: Annotated[RateLimits, Depends(provide(RateLimits))],
    at: Now,
) -> Response:
    try:
        form = _token_form(request, await request.body())
        # Failures count for a client at its address, so that nobody can lock a partner out from elsewhere.
        client = claimed_client(form)
        suspect = f"{client} {address_of(request)}"
        limits.require(_FAILURES, "token_failures", suspect)
        limits.require(_GRANTS, "token_grants", client)
        try:
            granted = await tokens.grant(form, request.headers.getlist("dpop"), at)
        except Unauthenticated:
            limits.count(_FAILURES, "token_failures", suspect)
            raise
        limits.count(_GRANTS, "token_grants", client)
    except GatewayError as error:
        return _oauth_refusal(error, language_of(request.scope))
    return document(granted, headers={"Pragma": "no-cache"})


@router.get("/.well-known/jwks.json", tags=["接入 · 令牌与公钥"], summary="共享平台的公钥（RFC 7517 §5）")
async def published_keys(published: Annotated[PublishedKeys, Depends(provide(PublishedKeys))]) -> dict[str, Any]:
    return {"keys": [export_jwk(key) for key in published.now()]}


@operator_router.get("/partners", summary="列出接入单位")
async def list_partners(_operator: Operator, partners: Partners) -> list[PartnerView]:
    return [PartnerView.of(partner) for partner in await partners.list_partners()]


@operator_router.post("/partners", status_code=201, response_model=PartnerView, summary="登记接入单位")
async def register_partner(
    body: PartnerRegistration, operator: Operator, partners: Partners, at: Now, once: OnceOnly
) -> Response:
    async def work() -> Response:
        made = await partners.register_partner(
            body.code, body.name, body.role, body.regions, actor=operator.partner_code, at=at
        )
        return document(PartnerView.of(made.value, made.record_id), status=201)

    return await once.answer(operator.partner_code, work)


@operator_router.post("/partners/{code}/suspension", summary="停用接入单位，其令牌立即失效")
async def suspend_partner(code: PartnerCode, operator: Operator, partners: Partners, at: Now) -> PartnerView:
    made = await partners.suspend_partner(code, actor=operator.partner_code, at=at)
    return PartnerView.of(made.value, made.record_id)


@operator_router.post("/partners/{code}/resumption", summary="恢复接入单位")
async def resume_partner(code: PartnerCode, operator: Operator, partners: Partners, at: Now) -> PartnerView:
    made = await partners.resume_partner(code, actor=operator.partner_code, at=at)
    return PartnerView.of(made.value, made.record_id)


@operator_router.get("/partners/{code}/keys", summary="列出密钥，含失效与吊销的")
async def list_keys(code: PartnerCode, _operator: Operator, partners: Partners) -> list[KeyView]:
    return [KeyView.of(key) for key in await partners.list_keys(code)]


@operator_router.post("/partners/{code}/keys", status_code=201, response_model=KeyView, summary="登记公钥")
async def add_key(
    code: PartnerCode, body: KeyRegistration, operator: Operator, partners: Partners, at: Now, once: OnceOnly
) -> Response:
    async def work() -> Response:
        made = await partners.add_key(
            code,
            body.jwk,
            body.use,
            actor=operator.partner_code,
            at=at,
            valid_from=body.valid_from,
            valid_until=body.valid_until,
        )
        return document(KeyView.of(made.value, made.record_id), status=201)

    return await once.answer(operator.partner_code, work)


@operator_router.post(
    "/partners/{code}/keys/{kid}/rotation",
    status_code=201,
    response_model=KeyView,
    summary="轮换密钥，新旧并行一段时间",
)
async def rotate_key(
    code: PartnerCode, kid: OpaqueId, body: KeyRotation, operator: Operator, partners: Partners, at: Now, once: OnceOnly
) -> Response:
    async def work() -> Response:
        overlap = timedelta(hours=body.overlap_hours)
        made = await partners.rotate_key(code, kid, body.jwk, overlap=overlap, actor=operator.partner_code, at=at)
        return document(KeyView.of(made.value, made.record_id), status=201)

    return await once.answer(operator.partner_code, work)


@operator_router.post("/partners/{code}/keys/{kid}/revocation", summary="吊销密钥，其令牌立即失效")
async def revoke_key(code: PartnerCode, kid: OpaqueId, operator: Operator, partners: Partners, at: Now) -> KeyView:
    made = await partners.revoke_key(code, kid, actor=operator.partner_code, at=at)
    return KeyView.of(made.value, made.record_id)


@operator_router.get("/partners/{code}/agreements", summary="列出数据共享协议")
async def list_agreements(code: PartnerCode, _operator: Operator, partners: Partners) -> list[AgreementView]:
    return [AgreementView.of(agreement) for agreement in await partners.list_agreements(code)]


@operator_router.post(
    "/partners/{code}/agreements", status_code=201, response_model=AgreementView, summary="订立协议（生效前须启用）"
)
async def create_agreement(
    code: PartnerCode, body: AgreementTerms, operator: Operator, partners: Partners, at: Now, once: OnceOnly
) -> Response:
    async def work() -> Response:
        made = await partners.create_agreement(body.drafted(code), actor=operator.partner_code, at=at)
        return document(AgreementView.of(made.value, made.record_id), status=201)

    return await once.answer(operator.partner_code, work)


@operator_router.post("/agreements/{agreement_id}/activation", summary="启用协议")
async def activate_agreement(agreement_id: OpaqueId, operator: Operator, partners: Partners, at: Now) -> AgreementView:
    made = await partners.activate_agreement(agreement_id, actor=operator.partner_code, at=at)
    return AgreementView.of(made.value, made.record_id)


@operator_router.post("/agreements/{agreement_id}/termination", summary="终止协议，立即且不可恢复")
async def end_agreement(agreement_id: OpaqueId, operator: Operator, partners: Partners, at: Now) -> AgreementView:
    made = await partners.end_agreement(agreement_id, actor=operator.partner_code, at=at)
    return AgreementView.of(made.value, made.record_id)


@operator_router.put("/partners/{code}/endpoints/{channel}", summary="设置事件接收地址")
async def set_endpoint(
    code: PartnerCode, channel: ChannelKind, body: EndpointTerms, operator: Operator, partners: Partners, at: Now
) -> EndpointView:
    endpoint = endpoint_of(code, channel.value, body.url, body.secret_ref, body.status_url)
    made = await partners.set_endpoint(endpoint, actor=operator.partner_code, at=at)
    return EndpointView.of(made.value, made.record_id)


@operator_router.delete("/partners/{code}/endpoints/{channel}", summary="取消一个事件接收通道")
async def remove_endpoint(
    code: PartnerCode, channel: ChannelKind, operator: Operator, partners: Partners, at: Now
) -> EndpointView:
    """From then on events take the other channel, or wait for an endpoint."""
    made = await partners.remove_endpoint(code, channel.value, actor=operator.partner_code, at=at)
    return EndpointView.of(made.value, made.record_id)


def _token_form(request: Request, body: bytes) -> dict[str, str]:
    """The form's parameters; RFC 6749 §3.2 allows each once."""
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != _FORM:
        raise _malformed("content_type", Phrase("Content-Type 须为 {media}", media=_FORM))
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, strict_parsing=True, max_num_fields=16)
    except ValueError:
        raise _malformed("form", "请求体须为合法的表单编码") from None
    form = dict(pairs)
    if len(form) != len(pairs):
        raise _malformed("repeated_parameter", "参数不得重复")
    return form


def _oauth_refusal(error: GatewayError, language: Language) -> Response:
    """A problem document that is an RFC 6749 §5.2 error too: it carries ``error``. Only ``invalid_client`` is 401."""
    code = getattr(error, "oauth_error", None)
    if code is None:
        return error_response(error, language)
    status = status_of(type(error)) if code == "invalid_client" else 400
    return error_response(error, language, status=status, extra={"error": code})


def _malformed(check: str, remedy: str) -> TokenRequestMalformed:
    return TokenRequestMalformed(check=f"token_request.{check}", owner=Owner.CALLER, remedy=remedy)
