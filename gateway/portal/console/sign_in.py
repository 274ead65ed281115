"""In through the officers' provider, and out."""

from contextlib import suppress
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import RedirectResponse, Response

from gateway.http.limits import RateLimit
from gateway.http.services import provide
from gateway.officers.errors import OfficerSessionRequired
from gateway.officers.service import OfficerService
from gateway.portal.console.shared import SeenPages
from gateway.portal.forms import OwnForm
from gateway.portal.officers import SESSION_COOKIE, SIGN_IN_COOKIE, hand_over, take_back
from gateway.portal.page_route import PageRoute
from gateway.portal.router import local_path

router = APIRouter(route_class=PageRoute, include_in_schema=False)
Officers = Annotated[OfficerService, Depends(provide(OfficerService))]
Back = Annotated[str, Query(max_length=300)]


@router.get("/console/sign-in")
async def sign_in(request: Request, pages: SeenPages, back: Back = "/console") -> Response:
    """Where officers without a session come to."""
    go = f"/console/sign-in/go?{urlencode({'back': _within(back)})}"
    return pages.render(request, "console/sign_in.html", go=go)


@router.get("/console/sign-in/go", dependencies=[Depends(RateLimit("officer_sign_in", "120/minute"))])
async def go(officers: Officers, back: Back = "/console") -> Response:
    """To the provider. A link and no form, because a form may lead to pages of ours alone (``form-action``)."""
    begun = await officers.begin(_within(back))
    response = RedirectResponse(begun.url, 303)
    hand_over(response, SIGN_IN_COOKIE, begun.browser_secret)
    return response


@router.get("/console/callback", dependencies=[Depends(RateLimit("officer_sign_in", "120/minute"))])
async def callback(
    request: Request,
    officers: Officers,
    state: Annotated[str, Query(max_length=200)],
    code: Annotated[str | None, Query(max_length=2000)] = None,
    error: Annotated[str | None, Query(max_length=200)] = None,
) -> Response:
    """The OpenID redirect: the session begins under a new secret."""
    browser = request.cookies.get(SIGN_IN_COOKIE, "")
    proved = code if error is None else None
    signed_in = await officers.complete(state, proved, browser, request.cookies.get(SESSION_COOKIE))
    response = RedirectResponse(signed_in.back, 303)
    hand_over(response, SESSION_COOKIE, signed_in.session_secret)
    take_back(response, SIGN_IN_COOKIE)
    return response


@router.post("/console/sign-out")
async def sign_out(request: Request, _form: OwnForm, officers: Officers) -> Response:
    """The session is removed here, and its cookie there. Who had none any more is signed out as well."""
    with suppress(OfficerSessionRequired):
        await officers.sign_out(request.cookies.get(SESSION_COOKIE))
    response = RedirectResponse("/console/signed-out", 303)
    take_back(response, SESSION_COOKIE)
    return response


@router.get("/console/signed-out")
async def signed_out(request: Request, pages: SeenPages) -> Response:
    """So that nobody wonders."""
    return pages.render(request, "console/signed_out.html")


def _within(back: str) -> str:
    """A path of ours, else the console."""
    path = local_path(back)
    return path if path != "/" else "/console"
