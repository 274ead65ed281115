"""进度: the applicant's applications, each with its stages, permits and deadlines, and who looked at what.

Whom others' certificates name beside their holder (共有人) sees who looked at those, and no application.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from gateway.applications.reviews import ReviewService
from gateway.http.problems import note_refusal, problem_of, status_of
from gateway.http.services import provide, services_of
from gateway.identity.errors import SessionRequired
from gateway.identity.router import SessionToken
from gateway.oversight.public_rules import HOTLINES
from gateway.portal.applicant.names import KnownNames, names_now
from gateway.portal.applicant.sessions import ApplicantRoute, OwnProgress, Progress, SeenPages, SignedIn
from gateway.portal.preferences import preferences_of
from gateway.portal.rendering import Pages
from gateway.portal.typesetting import may_typeset
from gateway.progress.errors import ResidentOnly
from gateway.progress.named_accesses import NamedAccessService
from gateway.progress.service import ProgressService
from schemas.wire import OpaqueId

router = APIRouter(route_class=ApplicantRoute)
_SIGNED_IN, _WHOEVER = SessionToken(), SessionToken(required=False)
Named = Annotated[NamedAccessService, Depends(provide(NamedAccessService))]
Reviews = Annotated[ReviewService, Depends(provide(ReviewService))]


@router.get("/applications")
async def applications(
    request: Request, applicant: SignedIn, pages: SeenPages, progress: Progress, reviews: Reviews
) -> Response:
    """Everything of the applicant's own, the newest first; what an officer looks at stands above."""
    own = await progress.applications(applicant.holder_digest)
    waiting = [each for each in await reviews.of_holder(applicant.holder_digest) if each.application_id is None]
    return pages.render(request, "applicant/applications.html", me=applicant, applications=own, reviews=waiting)


# The two pages that are asked for again and again: each dependency would cost them as much as a row that is read.


@router.get("/applications/{application_id}")
async def application(request: Request, application_id: OpaqueId) -> Response:
    """How it stands, stage by stage and permit by permit. With script it keeps itself up to date."""
    services, token = services_of(request.app), await _SIGNED_IN(request)
    applicant, view = await services.get(ProgressService).standing(application_id, token)
    told: dict[str, Any] = {
        "me": applicant,
        "progress": view,
        "names": await names_now(services),
        "printable": await may_typeset(),
    }
    return services.get(Pages).render(request, "applicant/application.html", **told)


@router.get("/applications/{application_id}/timeline")
async def timeline(request: Request, application_id: OpaqueId) -> Response:
    """The part that keeps itself up to date. Where the session has ended it says so, and asks no more."""
    services, token = services_of(request.app), await _WHOEVER(request)
    try:
        _, view = await services.get(ProgressService).standing(application_id, token)
    except SessionRequired:
        back = f"/applications/{application_id}"
        return services.get(Pages).render(request, "applicant/timeline_ended.html", back=back)
    told: dict[str, Any] = {"progress": view, "names": await names_now(services)}
    return services.get(Pages).render(request, "applicant/timeline.html", **told)


@router.get("/applications/{application_id}/received")
async def received(
    request: Request,
    applicant: SignedIn,
    pages: SeenPages,
    view: OwnProgress,
    names: KnownNames,
) -> Response:
    """What happens next: the number, who acts now, by when, how to complain."""
    return pages.render(request, "applicant/received.html", me=applicant, progress=view, names=names)


@router.get("/applications/{application_id}/complaint")
async def complaint(
    request: Request,
    applicant: SignedIn,
    pages: SeenPages,
    view: OwnProgress,
    names: KnownNames,
) -> Response:
    """12398 and 95598 side by side, and the facts that whoever answers will ask for."""
    return pages.render(
        request, "applicant/complaint.html", me=applicant, progress=view, names=names, hotlines=HOTLINES
    )


@router.get("/applications/{application_id}/accesses")
async def accesses(
    request: Request,
    applicant: SignedIn,
    pages: SeenPages,
    view: OwnProgress,
    names: KnownNames,
) -> Response:
    """谁看过我的信息."""
    newest_first = sorted(view.accesses, key=lambda access: access.at, reverse=True)
    return pages.render(
        request, "applicant/accesses.html", me=applicant, progress=view, accesses=newest_first, names=names
    )


@router.get("/accesses")
async def accesses_naming_me(
    request: Request, applicant: SignedIn, pages: SeenPages, named: Named, names: KnownNames
) -> Response:
    """谁看过写有我的证照: for whoever is verified as a resident, with applications of their own or without."""
    try:
        told = await named.of(applicant)
    except ResidentOnly as refused:
        status = status_of(ResidentOnly)
        note_refusal(problem_of(refused, status, preferences_of(request).language))
        return pages.render(request, "applicant/named_accesses.html", status, me=applicant, told=None, names=names)
    return pages.render(request, "applicant/named_accesses.html", me=applicant, told=told, names=names)
