"""Adds the pages to the serving process."""

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from gateway.http.browsers import wants_page
from gateway.http.problems import answer_http_exception
from gateway.portal import router as shared
from gateway.portal.applicant import router as applicant
from gateway.portal.authority import router as authority
from gateway.portal.console import router as console
from gateway.portal.page_route import error_page, page_unknown
from gateway.portal.projects import router as projects
from gateway.portal.public import router as public

AREAS = (
    shared.router,
    applicant.router,
    public.router,
    authority.router,
    console.router,
    projects.router,
)
"""The routers of the areas; a new area is one more line."""


def serve_pages(app: FastAPI) -> None:
    """Hang every area's pages; an address that is nobody's is a page for a browser. After the door was hung."""
    for router in AREAS:
        app.include_router(router)
    app.add_exception_handler(HTTPException, _answer)


async def _answer(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 404 and wants_page(request):
        return error_page(request, page_unknown())
    return await answer_http_exception(request, error)
