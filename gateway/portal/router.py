"""What all pages share: the home page, the preferences, the assets."""

from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from gateway.http.services import provide
from gateway.portal.forms import OwnForm
from gateway.portal.page_route import PageRoute
from gateway.portal.preferences import Preferences, keep, preferences_of
from gateway.portal.rendering import Pages
from gateway.wording.phrases import Language

router = APIRouter(route_class=PageRoute, include_in_schema=False)
SeenPages = Annotated[Pages, Depends(provide(Pages))]


@router.get("/")
async def home(request: Request, pages: SeenPages) -> Response:
    """Who comes here, and where each finds what they need."""
    return pages.render(request, "home.html")


@router.get("/assets/{name:path}")
async def asset(name: str, pages: SeenPages) -> Response:
    """A file of the pages."""
    return pages.assets.serve(name)


@router.post("/preferences")
async def prefer(request: Request, form: OwnForm, pages: SeenPages) -> Response:
    """Language or large type, as a button of the page's head says; back to where the visitor was."""
    before = preferences_of(request)
    language = form.text("language")
    chosen = Preferences(
        Language(language) if language in set(Language) else before.language,
        {"on": True, "off": False}.get(form.text("large"), before.large),
    )
    response = RedirectResponse(local_path(form.text("back")), 303)
    keep(response, chosen, https=pages.site.https)
    return response


def local_path(told: str) -> str:
    """``told`` where it is a path of ours, else the home page: nobody is sent elsewhere by what looks like us."""
    parts = urlsplit(told)
    inside = told.startswith("/") and not told.startswith(("//", "/\\")) and not parts.scheme and not parts.netloc
    return parts.path if inside and "\\" not in told and told.isprintable() else "/"
