"""The provider's HTTP surface: discovery, ``/authorize``, verification, ``/token``, ``/userinfo``."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from pydantic import ValidationError

from mock_services.identity_provider import pages
from mock_services.identity_provider.assertions import assertion_of, pairwise_subject
from mock_services.identity_provider.desk import Desk, redirect_uri_with
from mock_services.identity_provider.oauth import (
    Client,
    OAuthError,
    authenticate_client,
    read_authorization_request,
    read_form,
)
from mock_services.identity_provider.person_ca import PersonCa
from mock_services.jose import SigningKey
from schemas.identity import ASSERTION_LIFETIME_SECONDS, VerificationAttempt, VerificationMethod
from schemas.wire import Typ

_PAGE_HEADERS = {"Content-Security-Policy": pages.CONTENT_SECURITY_POLICY, "Referrer-Policy": "no-referrer"}
_NO_STORE = {"Cache-Control": "no-store"}


@dataclass
class Provider:
    """All that the routes need. ``spoil`` says whether the named fault is to strike now, and counts it."""

    issuer: str
    desk: Desk
    clients: Mapping[str, Client]
    key: SigningKey
    persons: PersonCa
    clock: Callable[[], datetime]
    spoil: Callable[[str], bool] = lambda _: False

    @property
    def token_endpoint(self) -> str:
        return f"{self.issuer}/token"


def install(app: FastAPI, provider: Provider) -> None:
    """Add the provider's routes and its OAuth errors to ``app``."""
    app.include_router(_metadata_routes(provider))
    app.include_router(_authorize_routes(provider))
    app.include_router(_token_routes(provider))
    app.add_exception_handler(OAuthError, _answer_error)


def _answer_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, OAuthError)
    body = {"error": error.error, "error_description": error.description}
    if error.redirect_uri is not None:
        extra = {"state": error.state} if error.state else {}
        return RedirectResponse(redirect_uri_with(error.redirect_uri, {**body, **extra}), 303)
    if "text/html" in request.headers.get("accept", ""):
        return HTMLResponse(pages.refusal(error.description), error.status, headers=_PAGE_HEADERS)
    return JSONResponse(body, error.status, headers=_NO_STORE)


def _metadata_routes(provider: Provider) -> APIRouter:
    router = APIRouter()

    @router.get("/.well-known/openid-configuration")
    async def discovery() -> dict[str, Any]:
        """OpenID Connect Discovery 1.0 §3."""
        return {
            "issuer": provider.issuer,
            "authorization_endpoint": f"{provider.issuer}/authorize",
            "token_endpoint": provider.token_endpoint,
            "userinfo_endpoint": f"{provider.issuer}/userinfo",
            "jwks_uri": f"{provider.issuer}/jwks",
            "scopes_supported": ["openid"],
            "response_types_supported": ["code"],
            "grant_types_supported": ["authorization_code"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["ES256"],
            "token_endpoint_auth_methods_supported": ["private_key_jwt"],
            "token_endpoint_auth_signing_alg_values_supported": ["ES256"],
            "code_challenge_methods_supported": ["S256"],
            "acr_values_supported": [method.value for method in VerificationMethod],
            "authorization_response_iss_parameter_supported": True,
        }

    @router.get("/jwks")
    async def jwks() -> dict[str, Any]:
        """The key that ID tokens are signed with."""
        return {"keys": [provider.key.public_jwk]}

    @router.get("/healthz")
    async def healthz() -> dict[str, str]:
        """It answers, so it runs."""
        return {"status": "ok"}

    @router.get("/pki/crl/{name}.crl")
    async def crl(name: str) -> Response:
        """What the CA for persons has revoked, as of now."""
        found = provider.persons.crl(name, provider.clock())
        return Response(found or b"", 200 if found else 404, media_type="application/pkix-crl")

    @router.get("/style.css")
    async def style() -> Response:
        return Response(pages.STYLESHEET, media_type="text/css")

    @router.get("/camera.js")
    async def camera() -> Response:
        return Response(pages.CAMERA_SCRIPT, media_type="text/javascript")

    return router


def _authorize_routes(provider: Provider) -> APIRouter:
    router = APIRouter()
    desk = provider.desk

    @router.get("/authorize")
    async def authorize(request: Request) -> Response:
        """Open an interaction: a page for a browser, a description for a program (``Accept: application/json``)."""
        asked = read_authorization_request(request.query_params.multi_items(), provider.clients)
        interaction = desk.open(asked, provider.clock())
        accept = request.headers.get("accept", "")
        if "application/json" in accept and "text/html" not in accept:
            return JSONResponse(
                {
                    "interaction": interaction.interaction_id,
                    "methods": [method.value for method in asked.methods],
                    "verification_uri": f"{provider.issuer}/authorize/{interaction.interaction_id}/verification",
                },
                headers=_NO_STORE,
            )
        return RedirectResponse(f"{provider.issuer}/authorize/{interaction.interaction_id}", 303)

    @router.get("/authorize/{interaction_id}")
    async def page(interaction_id: str, method: VerificationMethod | None = None) -> Response:
        """The choice of methods, or the form of one."""
        interaction = desk.find(interaction_id)
        if method is None or method not in interaction.request.methods:
            return _html(pages.choose_method(interaction))
        return _html(pages.method_form(interaction, method, desk.people.names(method)))

    @router.post("/authorize/{interaction_id}/verification")
    async def verification(interaction_id: str, request: Request) -> Response:
        """Judge a ``VerificationAttempt``: JSON answers a ``VerificationStep``, a form leads the browser on."""
        by_program = request.headers.get("content-type", "").startswith("application/json")
        attempt = await _read_attempt(request, by_program)
        interaction = desk.find(interaction_id)
        step = desk.attempt(interaction_id, attempt, provider.clock())
        if by_program:
            return JSONResponse(step.model_dump(mode="json"), headers=_NO_STORE)
        if step.redirect_to is not None:
            return RedirectResponse(step.redirect_to, 303)
        return _html(pages.method_form(interaction, attempt.method, desk.people.names(attempt.method), step))

    return router


async def _read_attempt(request: Request, by_program: bool) -> VerificationAttempt:
    body = await request.body()
    try:
        if by_program:
            return VerificationAttempt.model_validate_json(body)
        return VerificationAttempt.model_validate(read_form(body, request.headers.get("content-type", "")))
    except ValidationError:
        raise OAuthError("invalid_request", "the body is no verification attempt", 422) from None


def _html(page: str) -> HTMLResponse:
    return HTMLResponse(page, headers={**_PAGE_HEADERS, **_NO_STORE})


def _token_routes(provider: Provider) -> APIRouter:
    router = APIRouter()

    @router.post("/token")
    async def token(request: Request) -> Response:
        """RFC 6749 §4.1.3 with ``private_key_jwt`` and PKCE; answers the ID token beside a short access token."""
        at = provider.clock()
        form = read_form(await request.body(), request.headers.get("content-type", ""))
        audiences = frozenset({provider.token_endpoint, provider.issuer})
        client = await authenticate_client(form, provider.clients, audiences=audiences, at=at)
        if form.get("grant_type") != "authorization_code":
            raise OAuthError("unsupported_grant_type", "grant_type must be authorization_code")
        grant = provider.desk.redeem(
            form.get("code", ""),
            client_id=client.client_id,
            redirect_uri=form.get("redirect_uri", ""),
            verifier=form.get("code_verifier", ""),
            at=at,
        )
        assertion = assertion_of(
            grant, issuer=provider.issuer, jti=secrets.token_urlsafe(16), at=at, persons=provider.persons
        )
        return JSONResponse(
            {
                "id_token": _sign(provider, assertion.model_dump(mode="json", exclude_none=True)),
                "access_token": grant.access_token,
                "token_type": "Bearer",
                "expires_in": ASSERTION_LIFETIME_SECONDS,
            },
            headers=_NO_STORE,
        )

    @router.get("/userinfo")
    async def userinfo(request: Request) -> Response:
        """Only ``sub``: what was established is in the assertion, and said once."""
        scheme, _, access_token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return PlainTextResponse("", 401, headers={"WWW-Authenticate": "Bearer"})
        grant = provider.desk.grant_of(access_token, provider.clock())
        return JSONResponse({"sub": pairwise_subject(grant)}, headers=_NO_STORE)

    return router


def _sign(provider: Provider, claims: dict[str, Any]) -> str:
    key = provider.key
    if provider.spoil("wrong_signature"):
        key = SigningKey(SigningKey.generate().private, key.kid)
    return key.sign(Typ.IDENTITY_ASSERTION, claims)
