"""The provider's HTTP surface: discovery, ``/authorize`` with a choice of people, ``/token``. State is in memory."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from html import escape
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from mock_services.identity_provider.desk import redirect_uri_with
from mock_services.identity_provider.oauth import (
    AuthorizationRequest,
    Client,
    OAuthError,
    authenticate_client,
    pkce_matches,
    read_authorization_request,
    read_form,
)
from mock_services.identity_provider.pages import CONTENT_SECURITY_POLICY, STYLESHEET
from mock_services.jose import SigningKey
from mock_services.officer_provider.staff import STAFF, StaffMember

CODE_LIFETIME = timedelta(seconds=60)
TOKEN_LIFETIME = timedelta(minutes=5)
_PAGE_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_NO_STORE = {"Cache-Control": "no-store"}


@dataclass
class Grant:
    """Somebody signed in; the code stands for it once."""

    request: AuthorizationRequest
    member: StaffMember
    at: datetime


@dataclass
class OfficerDesk:
    """All that the routes need, and what they remember."""

    issuer: str
    clients: Mapping[str, Client]
    key: SigningKey
    clock: Callable[[], datetime]
    asked: dict[str, AuthorizationRequest] = field(default_factory=dict)
    grants: dict[str, Grant] = field(default_factory=dict)

    def reset(self) -> None:
        """Forget everything."""
        self.asked.clear()
        self.grants.clear()


def install(app: FastAPI, desk: OfficerDesk) -> None:
    """Add the provider's routes and its OAuth errors to ``app``."""
    app.include_router(_metadata_routes(desk))
    app.include_router(_authorize_routes(desk))
    app.include_router(_token_route(desk))
    app.add_exception_handler(OAuthError, _answer_error)


def _answer_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, OAuthError)
    body = {"error": error.error, "error_description": error.description}
    if error.redirect_uri is not None:
        extra = {"state": error.state} if error.state else {}
        return RedirectResponse(redirect_uri_with(error.redirect_uri, {**body, **extra}), 303)
    return JSONResponse(body, error.status, headers=_NO_STORE)


def _metadata_routes(desk: OfficerDesk) -> APIRouter:
    router = APIRouter()

    @router.get("/.well-known/openid-configuration")
    async def discovery() -> dict[str, Any]:
        """OpenID Connect Discovery 1.0 §3."""
        return {
            "issuer": desk.issuer,
            "authorization_endpoint": f"{desk.issuer}/authorize",
            "token_endpoint": f"{desk.issuer}/token",
            "jwks_uri": f"{desk.issuer}/jwks",
            "scopes_supported": ["openid", "profile"],
            "response_types_supported": ["code"],
            "grant_types_supported": ["authorization_code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
            "token_endpoint_auth_methods_supported": ["private_key_jwt"],
            "token_endpoint_auth_signing_alg_values_supported": ["ES256"],
            "code_challenge_methods_supported": ["S256"],
            "claims_supported": ["sub", "name", "roles"],
        }

    @router.get("/jwks")
    async def jwks() -> dict[str, Any]:
        """The key that ID tokens are signed with."""
        return {"keys": [desk.key.public_jwk]}

    @router.get("/healthz")
    async def healthz() -> dict[str, str]:
        """It answers, so it runs."""
        return {"status": "ok"}

    @router.get("/style.css")
    async def style() -> Response:
        return Response(STYLESHEET, media_type="text/css")

    return router


def _authorize_routes(desk: OfficerDesk) -> APIRouter:
    router = APIRouter()

    @router.get("/authorize")
    async def authorize(request: Request) -> Response:
        """Who is there?"""
        asked = read_authorization_request(request.query_params.multi_items(), desk.clients)
        interaction = secrets.token_urlsafe(24)
        desk.asked[interaction] = asked
        return HTMLResponse(_choice(interaction), headers=_PAGE_HEADERS)

    @router.post("/authorize/{interaction}")
    async def chosen(interaction: str, request: Request) -> Response:
        """Somebody, or nobody: back to the relying party with a code, or without."""
        asked = desk.asked.pop(interaction, None)
        if asked is None:
            raise OAuthError("invalid_request", "there is no such interaction, or it has ended", 404)
        form = read_form(await request.body(), request.headers.get("content-type", ""))
        member = STAFF.get(form.get("subject", ""))
        if member is None:
            answer = {"error": "access_denied"}
        else:
            code = secrets.token_urlsafe(24)
            desk.grants[code] = Grant(asked, member, desk.clock())
            answer = {"code": code}
        return RedirectResponse(
            redirect_uri_with(asked.redirect_uri, {**answer, "state": asked.state, "iss": desk.issuer}), 303
        )

    return router


def _token_route(desk: OfficerDesk) -> APIRouter:
    router = APIRouter()

    @router.post("/token")
    async def token(request: Request) -> Response:
        """RFC 6749 §4.1.3 with ``private_key_jwt`` and PKCE."""
        at = desk.clock()
        form = read_form(await request.body(), request.headers.get("content-type", ""))
        audiences = frozenset({f"{desk.issuer}/token", desk.issuer})
        client = await authenticate_client(form, desk.clients, audiences=audiences, at=at)
        if form.get("grant_type") != "authorization_code":
            raise OAuthError("unsupported_grant_type", "grant_type must be authorization_code")
        grant = desk.grants.pop(form.get("code", ""), None)
        if grant is None or grant.request.client_id != client.client_id or at - grant.at > CODE_LIFETIME:
            raise OAuthError("invalid_grant", "the code is not known, or no longer good")
        if grant.request.redirect_uri != form.get("redirect_uri"):
            raise OAuthError("invalid_grant", "redirect_uri is not the one that was asked with")
        if not pkce_matches(form.get("code_verifier", ""), grant.request.code_challenge):
            raise OAuthError("invalid_grant", "code_verifier does not match")
        issued = int(at.timestamp())
        claims = {
            "iss": desk.issuer,
            "sub": grant.member.subject,
            "aud": client.client_id,
            "iat": issued,
            "exp": issued + int(TOKEN_LIFETIME.total_seconds()),
            "auth_time": int(grant.at.timestamp()),
            "nonce": grant.request.nonce,
            "name": grant.member.name,
            "roles": list(grant.member.roles),
        }
        body = {"id_token": desk.key.sign("JWT", claims), "access_token": secrets.token_urlsafe(24)}
        return JSONResponse({**body, "token_type": "Bearer", "expires_in": 300}, headers=_NO_STORE)

    return router


def _choice(interaction: str) -> str:
    options = "".join(
        f'<option value="{escape(each.subject)}">{escape(each.name)} · {escape(each.description)}</option>'
        for each in STAFF.values()
    )
    return (
        '<!doctype html><html lang="zh-CN"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<title>工作人员登录（模拟）</title><link rel="stylesheet" href="/style.css"></head><body><main>'
        "<h1>工作人员登录（模拟）</h1><p>模拟环境：选择一人即视为已用其证书或口令登录。</p>"
        f'<form method="post" action="/authorize/{interaction}"><label for="subject">工作人员</label>'
        f'<select id="subject" name="subject">{options}</select>'
        '<button>登录</button></form><form method="post" action="/authorize/'
        f'{interaction}"><input type="hidden" name="subject" value="nobody"><button>取消</button></form>'
        "</main></body></html>"
    )
