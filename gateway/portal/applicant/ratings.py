"""好差评: rate the service once, when it has ended; see how a bad rating was answered."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from gateway.http.services import provide
from gateway.portal.applicant.names import KnownNames, Names
from gateway.portal.applicant.sessions import ApplicantRoute, OwnProgress, SeenPages, SignedIn
from gateway.portal.forms import Form, OwnForm
from gateway.ratings.errors import RatingGiven, RatingMalformed
from gateway.ratings.model import LEVELS, TAGS
from gateway.ratings.service import RatingService
from schemas.applicant_api import ProgressView
from schemas.ratings import RatingLevel, RatingRequest, RatingTag, RatingView
from schemas.wire import OpaqueId

router = APIRouter(route_class=ApplicantRoute)
Ratings = Annotated[RatingService, Depends(provide(RatingService))]
PATH: Final = "/applications/{application_id}/rating"
LONGEST_TEXT: Final = 300


@router.get(PATH)
async def page(
    request: Request,
    application_id: OpaqueId,
    applicant: SignedIn,
    pages: SeenPages,
    view: OwnProgress,
    ratings: Ratings,
    names: KnownNames,
) -> Response:
    """The form; or what was said, and answered."""
    given = await ratings.standing(application_id, applicant.holder_digest)
    return pages.render(request, "applicant/rating.html", me=applicant, **_shown(view, names, given))


@router.post(PATH)
async def rate(
    request: Request,
    application_id: OpaqueId,
    applicant: SignedIn,
    form: OwnForm,
    pages: SeenPages,
    view: OwnProgress,
    ratings: Ratings,
    names: KnownNames,
) -> Response:
    """Once; rated before, it stays as it was."""
    errors = _faults(form)
    try:
        if not errors:
            await ratings.rate(application_id, applicant.holder_digest, _request(form))
    except RatingMalformed as error:
        errors = [("tags", error.remedy)]
    except RatingGiven:
        pass
    if errors:
        shown = _shown(view, names, None, errors, form)
        return pages.render(request, "applicant/rating.html", 422, me=applicant, **shown)
    return RedirectResponse(PATH.format(application_id=application_id), 303)


def _faults(form: Form) -> list[tuple[str, str]]:
    errors = []
    if form.text("level") not in set(RatingLevel):
        errors.append(("level", "请选择一个评价等级"))
    if not set(form.all("tags")) <= set(RatingTag):
        errors.append(("tags", "请从所列理由中选择"))
    if len(form.text("text")) > LONGEST_TEXT:
        errors.append(("text", "请不超过 300 字"))
    return errors


def _request(form: Form) -> RatingRequest:
    return RatingRequest(
        level=RatingLevel(form.text("level")),
        tags=[RatingTag(tag) for tag in form.all("tags")],
        text=form.text("text") or None,
        share_text=form.text("share_text") == "yes",
    )


def _shown(
    view: ProgressView,
    names: Names,
    given: RatingView | None,
    errors: list[tuple[str, str]] | None = None,
    form: Form | None = None,
) -> dict[str, Any]:
    return {
        "progress": view,
        "names": names,
        "given": given,
        "levels": LEVELS,
        "tags": TAGS,
        "errors": errors or [],
        "told": {
            "level": form.text("level") if form else "",
            "tags": form.all("tags") if form else [],
            "text": form.text("text") if form else "",
        },
    }
