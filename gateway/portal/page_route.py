"""Routes that answer pages. A refusal becomes a page, too: what failed, whose turn it is, how it is mended."""

from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import urlencode

from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from gateway.errors import GatewayError, Owner
from gateway.http.problems import note_refusal, problem_of, status_of
from gateway.http.services import services_of
from gateway.identity.errors import SessionRequired
from gateway.officers.errors import OfficerSessionRequired
from gateway.portal.errors import PageUnknown
from gateway.portal.preferences import preferences_of
from gateway.portal.rendering import Pages


class PageRoute(APIRoute):
    """``APIRouter(route_class=PageRoute)``."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_as_page(request: Request) -> Response:
            try:
                return await handle(request)
            except OfficerSessionRequired:
                return to_sign_in(request)
            except GatewayError as error:
                return await self.refuse(request, error)
            except RequestValidationError:
                return error_page(request, page_unknown())
            except HTTPException as error:
                if error.status_code != 404:
                    raise
                return error_page(request, page_unknown())

        return handle_as_page

    async def refuse(self, request: Request, error: GatewayError) -> Response:
        """The page for ``error``; an area may have a better one for some."""
        return error_page(request, error)


def error_page(request: Request, error: GatewayError) -> Response:
    """The page for ``error``, with the status that the interface would answer."""
    status = status_of(type(error))
    problem = problem_of(error, status, preferences_of(request).language)
    note_refusal(problem)
    response = (
        services_of(request.app)
        .get(Pages)
        .render(request, "error.html", status, problem=problem, sign_in=isinstance(error, SessionRequired))
    )
    if problem.retry_after is not None:
        response.headers["retry-after"] = str(problem.retry_after)
    return response


def to_sign_in(request: Request) -> Response:
    """An officer's page without an officer: to the sign-in, and from there back to what was looked at.

    A form that was sent is not sent again: who signed in meanwhile may be another.
    """
    back = f"?{urlencode({'back': request.url.path})}" if request.method in ("GET", "HEAD") else ""
    return RedirectResponse(f"/console/sign-in{back}", 303, {"cache-control": "no-store"})


def page_unknown() -> PageUnknown:
    """What is raised, or answered, where there is no such page."""
    return PageUnknown(check="request.no_such_page", owner=Owner.APPLICANT, remedy="请核对网址，或从首页重新进入")
