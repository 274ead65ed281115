"""差评整改: bad ratings that wait for an answer, without what the applicant wrote; answered once."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from gateway.http.services import provide
from gateway.portal.console.shared import LISTED, Operator, Reader, SeenPages, show
from gateway.portal.forms import OwnForm
from gateway.portal.page_route import PageRoute
from gateway.ratings.model import LEVELS, TAGS
from gateway.ratings.service import RatingService
from schemas.wire import OpaqueId

router = APIRouter(route_class=PageRoute, include_in_schema=False)
Ratings = Annotated[RatingService, Depends(provide(RatingService))]
LONGEST_ANSWER = 500


@router.get("/console/ratings")
async def waiting(request: Request, officer: Reader, pages: SeenPages, ratings: Ratings) -> Response:
    """The soonest due first."""
    found = await ratings.waiting(LISTED)
    return show(request, pages, officer, "ratings.html", found=found, levels=LEVELS, tags=TAGS, errors=[], told="")


@router.post("/console/ratings/{application_id}/answer")
async def answer(
    request: Request, application_id: OpaqueId, officer: Operator, form: OwnForm, pages: SeenPages, ratings: Ratings
) -> Response:
    """In place of the utility, where it does not answer itself; the applicant reads it."""
    text = form.text("answer")
    if not 0 < len(text) <= LONGEST_ANSWER:
        found = await ratings.waiting(LISTED)
        errors = [(f"answer-{application_id}", "请写明整改情况：1 至 500 字")]
        return show(
            request,
            pages,
            officer,
            "ratings.html",
            422,
            found=found,
            levels=LEVELS,
            tags=TAGS,
            errors=errors,
            told=text,
        )
    await ratings.answer(application_id, text, officer.actor)
    return RedirectResponse("/console/ratings", 303)
