"""Verification sessions over HTTP. The applicant's credential is the session token, as a bearer or in a cookie."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase
from starlette.responses import RedirectResponse

from gateway.errors import Owner
from gateway.http.browsers import wants_page
from gateway.http.limits import RateLimit
from gateway.http.responses import document
from gateway.http.services import provide
from gateway.identity.errors import SessionRequired
from gateway.identity.model import VerificationSession, VerifiedApplicant
from gateway.identity.service import IdentityService
from gateway.identity.sessions import FAILURE_REMEDIES
from schemas.applicant_api import OpenVerification, VerificationOpened, VerificationView
from schemas.identity import ProviderFailure

router = APIRouter(tags=["申请人 · 身份核验"])
COOKIE = "__Host-bandian_session"
"""The prefix keeps sibling domains from setting it (RFC 6265bis §4.1.3.2)."""
RETURN_PAGE = "/verify/return"
"""Where a browser goes on: a page of the portal that answers as the interface would."""
Service = Annotated[IdentityService, Depends(provide(IdentityService))]


class SessionToken(SecurityBase):
    """A dependency that answers the applicant's secret, and shows in OpenAPI as a security requirement.

    ``required`` False: no secret is an empty one.
    """

    def __init__(self, *, required: bool = True) -> None:
        self._required = required
        self.model = HTTPBearer(description="核验会话令牌 session_token；浏览器亦可使用同值的 Cookie")
        self.scheme_name = "applicant_session"

    async def __call__(self, request: Request) -> str:
        """From the ``Authorization`` header, else the cookie. Raises ``SessionRequired`` when there is none."""
        scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
        token = bearer if scheme.lower() == "bearer" and bearer else request.cookies.get(COOKIE)
        if not token and self._required:
            raise _no_session()
        return token or ""


def _no_session() -> SessionRequired:
    return SessionRequired(check="identity.session", owner=Owner.APPLICANT, remedy="请先完成身份核验")


Token = Annotated[str, Depends(SessionToken())]


async def verified_applicant(token: Token, service: Service) -> VerifiedApplicant:
    """Who is applying. Raises ``SessionRequired``, ``VerificationFailed``."""
    return await service.applicant(token)


Applicant = Annotated[VerifiedApplicant, Depends(verified_applicant)]


@router.post(
    "/v1/verification-sessions",
    status_code=201,
    summary="发起身份核验（人脸、短信、窗口或电子营业执照）",
    dependencies=[Depends(RateLimit("verification", "600/minute"))],
)
async def open_session(body: OpenVerification, response: Response, service: Service) -> VerificationOpened:
    """Open a session and learn where to go. A face is always one way among others.

    No ``Idempotency-Key``: the answer holds a secret, which is never kept, and another session does no harm.
    """
    opened = await service.open(body.applicant_kind, body.method)
    session = opened.session
    hand_over(response, opened.session_token)
    return VerificationOpened(
        session_id=session.session_id,
        session_token=opened.session_token,
        authorization_url=opened.authorization_url,
        method=session.method,
        alternatives=list(session.alternatives),
        expires_at=session.expires_at,
    )


@router.get("/v1/identity/callback", response_model=VerificationView, summary="身份提供方返回")
async def callback(
    request: Request,
    service: Service,
    token: Annotated[str, Depends(SessionToken(required=False))],
    state: Annotated[str, Query(max_length=200)],
    code: Annotated[str | None, Query(max_length=2000)] = None,
    error: Annotated[str | None, Query(max_length=200)] = None,
    error_description: Annotated[str | None, Query(max_length=200)] = None,
) -> Response:
    """The OpenID redirect. A failed verification is an answer, with the other ways that remain open.

    Only a failure that the provider names is one; whatever else it sends back leaves the session open. A browser
    (``Accept: text/html``) is sent on (303), with the same query, to the page that does the same.
    """
    if wants_page(request):
        return RedirectResponse(f"{RETURN_PAGE}?{request.url.query}", 303)
    if not token:
        raise _no_session()
    session, new_token = await settle(service, token, state, code, error, error_description)
    response = document(view(session, new_token))
    if new_token is not None:
        hand_over(response, new_token)
    return response


async def settle(
    service: IdentityService,
    token: str,
    state: str,
    code: str | None,
    error: str | None,
    error_description: str | None,
) -> tuple[VerificationSession, str | None]:
    """What the provider sent somebody back with: the session as it now stands, with its new secret if it is verified.

    Raises what ``complete``, ``fail`` and ``leave_open`` of ``IdentityService`` raise.
    """
    if code is not None and error is None:
        completed = await service.complete(state, code, token)
        return completed.session, completed.session_token
    if error == "access_denied" and error_description in set(ProviderFailure):
        return await service.fail(state, ProviderFailure(error_description), token), None
    return await service.leave_open(state, error, token), None


@router.get("/v1/verification-sessions/current", summary="查询核验会话")
async def current_session(service: Service, token: Token) -> VerificationView:
    """How the caller's own session stands."""
    return view(await service.session(token))


@router.delete("/v1/verification-sessions/current", status_code=204, summary="退出，并清除本次核验")
async def close_session(service: Service, token: Token) -> Response:
    """Sign out; at a terminal in a service hall, before the next person comes."""
    await service.close(token)
    response = Response(status_code=204)
    take_back(response)
    return response


def take_back(response: Response) -> None:
    """Let the browser forget the secret."""
    response.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="lax")


def hand_over(response: Response, session_token: str) -> None:
    """Give the browser the secret, in a cookie that no script reads."""
    response.set_cookie(COOKIE, session_token, httponly=True, secure=True, samesite="lax", path="/", max_age=7200)
    response.headers["cache-control"] = "no-store"


def view(session: VerificationSession, session_token: str | None = None) -> VerificationView:
    """A session for the wire."""
    return VerificationView(
        session_id=session.session_id,
        session_token=session_token,
        status=session.status.value,
        method=session.applicant.method if session.applicant else session.method,
        failure=session.failure.value if session.failure else None,
        remedy=FAILURE_REMEDIES[session.failure] if session.failure else None,
        alternatives=list(session.alternatives),
        expires_at=session.expires_at,
    )
