"""Who is signed in at the console, for every area that officers use.

``officer: Annotated[Officer, Depends(OfficerOf(OfficerRole.OPERATOR))]`` in a route of a ``PageRoute`` router: a
browser without a session is sent to sign in, an officer of another role gets a page that says so, and each click is
recorded.
"""

from collections.abc import Mapping
from typing import Any, Final

from fastapi import Request
from starlette.responses import Response

from gateway.http.observe import route_template
from gateway.http.services import services_of
from gateway.officers.model import LONGEST, SIGN_IN_OPEN_FOR, Officer, OfficerRole
from gateway.officers.service import OfficerService

__all__ = ["SESSION_COOKIE", "SIGN_IN_COOKIE", "Officer", "OfficerOf", "OfficerRole"]

SESSION_COOKIE: Final = "__Host-bandian_officer"
SIGN_IN_COOKIE: Final = "__Host-bandian_officer_sign_in"
_KEPT: Final[Mapping[str, int]] = {
    SESSION_COOKIE: int(LONGEST.total_seconds()),
    SIGN_IN_COOKIE: int(SIGN_IN_OPEN_FOR.total_seconds()),
}
# Lax and not Strict: the provider's redirect comes from elsewhere, and the first page after it needs the session.
_HOW: Final[Mapping[str, Any]] = {"path": "/", "httponly": True, "secure": True, "samesite": "lax"}


class OfficerOf:
    """A dependency: the signed-in officer, if their role is among ``roles`` (all, if none is named).

    Raises ``OfficerSessionRequired`` (a ``PageRoute`` sends the browser to sign in), ``OfficerRoleMissing``.
    """

    def __init__(self, *roles: OfficerRole) -> None:
        self.roles = frozenset(roles or OfficerRole)

    async def __call__(self, request: Request) -> Officer:
        officers = services_of(request.app).get(OfficerService)
        page = route_template(request.scope)
        return await officers.admit(request.cookies.get(SESSION_COOKIE), self.roles, page, request.method)


def hand_over(response: Response, cookie: str, secret: str) -> None:
    """Let the browser hold ``secret`` as ``cookie``, no longer than it can be good for."""
    response.set_cookie(cookie, secret, max_age=_KEPT[cookie], **_HOW)
    response.headers["cache-control"] = "no-store"


def take_back(response: Response, cookie: str) -> None:
    """The browser forgets ``cookie``."""
    response.delete_cookie(cookie, **_HOW)
