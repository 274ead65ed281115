"""身份核验 in a browser: choose a way, be told where it leads, go there, come back.

The provider is reached by a link on a page between: our policy lets no form lead elsewhere. Where that link leads, and
where the visitor came from, waits in a cookie of its own until they are back.
"""

import base64
import binascii
import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Annotated, Final, Self
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import RedirectResponse, Response

from gateway.http.limits import RateLimit
from gateway.identity.errors import SessionRequired, SessionSpent, VerificationUndetermined
from gateway.identity.model import SessionStatus
from gateway.identity.router import COOKIE, SessionToken, Token, hand_over, settle, take_back
from gateway.identity.service import IdentityService
from gateway.identity.sessions import FAILURE_REMEDIES
from gateway.portal.applicant.sessions import ApplicantRoute, Identity, SeenPages
from gateway.portal.forms import OwnForm
from gateway.portal.router import local_path
from schemas.identity import ApplicantKind, VerificationMethod, methods_of

router = APIRouter(route_class=ApplicantRoute)
GOING_COOKIE: Final = "__Host-bandian_going"
_KEPT_SECONDS: Final = 30 * 60
START: Final = "/apply/demand"
"""Where somebody goes who came for nothing else."""
MaybeToken = Annotated[str, Depends(SessionToken(required=False))]


@dataclass(frozen=True)
class Going:
    """On the way to the provider. ``back`` and ``again`` (where another way is chosen) are paths of ours."""

    url: str
    kind: str
    method: str
    back: str
    again: str = ""

    def keep(self, response: Response) -> None:
        kept = base64.urlsafe_b64encode(json.dumps(asdict(self)).encode()).decode()
        response.set_cookie(
            GOING_COOKIE, kept, httponly=True, secure=True, samesite="lax", path="/", max_age=_KEPT_SECONDS
        )

    @classmethod
    def of(cls, request: Request) -> Self | None:
        """What this browser keeps; None where it keeps nothing that is ours."""
        try:
            kept = json.loads(base64.urlsafe_b64decode(request.cookies.get(GOING_COOKIE, "")))
            going = cls(
                **{name: str(kept[name]) for name in ("url", "kind", "method", "back")},
                again=str(kept.get("again", "")),
            )
        except (ValueError, KeyError, TypeError, binascii.Error):
            return None
        return going if urlsplit(going.url).scheme in ("https", "http") else None


def _back_of(request: Request) -> str:
    going = Going.of(request)
    back = local_path(going.back) if going else "/"
    return START if back == "/" else back


@router.get("/verify/return")
async def returned(
    request: Request,
    service: Identity,
    token: MaybeToken,
    state: Annotated[str, Query(max_length=200)],
    code: Annotated[str | None, Query(max_length=2000)] = None,
    error: Annotated[str | None, Query(max_length=200)] = None,
    error_description: Annotated[str | None, Query(max_length=200)] = None,
) -> Response:
    """Back from the provider, as ``/v1/identity/callback`` answers a program; then to where the visitor was going."""
    try:
        _session, new_token = await settle(service, token, state, code, error, error_description)
    except VerificationUndetermined:
        return RedirectResponse("/verify/failed", 303)
    except SessionSpent:
        # The way back (the browser's button, a second tab): who is verified goes on.
        await service.applicant(token)
        return RedirectResponse(_back_of(request), 303)
    if new_token is None:
        return RedirectResponse("/verify/failed", 303)
    response = RedirectResponse(_back_of(request), 303)
    hand_over(response, new_token)
    return response


@router.get("/verify/failed")
async def failed(request: Request, service: Identity, token: Token, pages: SeenPages) -> Response:
    """What failed, and the ways that remain."""
    session = await service.session(token)
    if session.status is SessionStatus.VERIFIED:
        return RedirectResponse(_back_of(request), 303)
    remedy = FAILURE_REMEDIES[session.failure] if session.failure else None
    ways = session.alternatives if session.failure and session.alternatives else methods_of(session.applicant_kind)
    return pages.render(
        request,
        "applicant/verify_failed.html",
        kind=session.applicant_kind.value,
        methods=ways,
        failure=session.failure,
        remedy=remedy,
        back=_back_of(request),
    )


@router.get("/verify/go")
async def go(request: Request, pages: SeenPages) -> Response:
    """The page between: where one goes, and who sees a face."""
    going = Going.of(request)
    if going is None:
        return RedirectResponse("/apply", 303)
    host = urlsplit(going.url).netloc
    return pages.render(request, "applicant/verify_go.html", going=going, again=local_path(going.again), host=host)


@router.get("/verify/{kind}")
async def choose(request: Request, kind: ApplicantKind, pages: SeenPages, back: str = "") -> Response:
    """Which way; a face is never the only one."""
    return _choose(request, pages, kind, local_path(back))


@router.post("/verify/{kind}", dependencies=[Depends(RateLimit("verification", "600/minute"))])
async def begin(request: Request, kind: ApplicantKind, form: OwnForm, service: Identity, pages: SeenPages) -> Response:
    """Open a session and go to the page between. Twice does no harm: the second session replaces the first."""
    back, chosen = local_path(form.text("back")), form.text("method")
    if chosen not in methods_of(kind):
        return _choose(request, pages, kind, back, errors=[("method", "请选择一种核验方式")])
    opened = await service.open(kind, VerificationMethod(chosen))
    response = RedirectResponse("/verify/go", 303)
    hand_over(response, opened.session_token)
    Going(opened.authorization_url, kind.value, chosen, back).keep(response)
    return response


def _choose(
    request: Request, pages: SeenPages, kind: ApplicantKind, back: str, errors: list[tuple[str, str]] | None = None
) -> Response:
    return pages.render(
        request,
        "applicant/verify.html",
        422 if errors else 200,
        kind=kind.value,
        methods=methods_of(kind),
        back=back,
        errors=errors or [],
    )


@router.post("/sign-out")
async def sign_out(request: Request, _form: OwnForm, service: Identity) -> Response:
    """Remove the session and what it established: at a terminal in a service hall the next person comes."""
    await _close(service, request.cookies.get(COOKIE, ""))
    response = RedirectResponse("/signed-out", 303)
    take_back(response)
    response.delete_cookie(GOING_COOKIE, path="/", secure=True, httponly=True, samesite="lax")
    return response


@router.get("/signed-out")
async def signed_out(request: Request, pages: SeenPages) -> Response:
    """Nothing of the visit is left in the browser."""
    return pages.render(request, "applicant/signed_out.html")


async def _close(service: IdentityService, token: str) -> None:
    with suppress(SessionRequired):  # it had ended by itself
        await service.close(token)
