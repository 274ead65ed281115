"""What an applicant does with what is theirs: renew or withdraw the authorisation, withdraw the application."""

from datetime import datetime, timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from gateway.applications.errors import AuthorisationPeriodUnsound
from gateway.applications.own_application import OwnApplicationService
from gateway.authorisations.errors import AlreadyWithdrawn
from gateway.authorisations.service import AuthorisationService
from gateway.clock import date_in_china
from gateway.errors import Conflict
from gateway.http.services import provide
from gateway.identity.model import VerifiedApplicant
from gateway.portal.applicant.names import KnownNames, Names
from gateway.portal.applicant.sessions import ApplicantRoute, OwnProgress, Progress, SeenPages, SignedIn
from gateway.portal.forms import OwnForm
from gateway.portal.rendering import Pages
from schemas.applicant_api import ProgressView
from schemas.wire import OpaqueId

router = APIRouter(route_class=ApplicantRoute)
Own = Annotated[OwnApplicationService, Depends(provide(OwnApplicationService))]
Authorisations = Annotated[AuthorisationService, Depends(provide(AuthorisationService))]
LONGER: Final = (90, 180, 365)
"""Days from today for which an authorisation may be renewed."""


@router.get("/applications/{application_id}/authorisation")
async def authorisation(
    request: Request,
    applicant: SignedIn,
    pages: SeenPages,
    view: OwnProgress,
    names: KnownNames,
) -> Response:
    """What is authorised, until when; and, once it was withdrawn, how far that has come with the utility."""
    return _page(request, pages, applicant, view, names)


@router.post("/applications/{application_id}/authorisation")
async def renew(
    request: Request,
    application_id: OpaqueId,
    applicant: SignedIn,
    form: OwnForm,
    pages: SeenPages,
    view: OwnProgress,
    own: Own,
    names: KnownNames,
) -> Response:
    """Renew it, once however often it is sent."""
    days = form.text("period")

    async def work() -> Response:
        # In here, because of a form that was done the same day is no longer a choice.
        if days not in {str(each) for each in _longer(view, pages.clock())}:
            return _page(request, pages, applicant, view, names, [("period", "请选择延长到哪一天")])
        await own.renew(application_id, applicant.holder_digest, pages.clock() + timedelta(days=int(days)))
        return RedirectResponse(f"/applications/{application_id}/authorisation", 303)

    try:
        return await form.once(request, applicant.holder_digest, work)
    except AuthorisationPeriodUnsound as error:
        return _page(request, pages, applicant, view, names, [("period", error.remedy)])


@router.get("/applications/{application_id}/authorisation/withdrawal")
async def ask_to_withdraw_authorisation(
    request: Request,
    application_id: OpaqueId,
    applicant: SignedIn,
    pages: SeenPages,
    view: OwnProgress,
    names: KnownNames,
) -> Response:
    """What it would mean, before it is done."""
    if view.authorisation_withdrawn_at is not None:
        return RedirectResponse(f"/applications/{application_id}/authorisation", 303)
    return pages.render(
        request, "applicant/withdraw.html", me=applicant, progress=view, names=names, what="authorisation"
    )


@router.post("/applications/{application_id}/authorisation/withdrawal")
async def withdraw_authorisation(
    application_id: OpaqueId, applicant: SignedIn, _form: OwnForm, authorisations: Authorisations, own: Own
) -> Response:
    """At once: nothing more can be obtained, and the utility is told to purge. Done before, it stays done."""
    try:
        await authorisations.withdraw(application_id, applicant.holder_digest)
    except AlreadyWithdrawn:
        pass
    else:
        await own.forget_copies(applicant.holder_digest, applicant.holder_code)
    return RedirectResponse(f"/applications/{application_id}/authorisation", 303)


@router.get("/applications/{application_id}/withdrawal")
async def ask_to_withdraw(
    request: Request,
    application_id: OpaqueId,
    applicant: SignedIn,
    pages: SeenPages,
    view: OwnProgress,
    names: KnownNames,
) -> Response:
    """What it would mean, before it is done."""
    if view.closed_at is not None:
        return RedirectResponse(f"/applications/{application_id}", 303)
    return pages.render(
        request, "applicant/withdraw.html", me=applicant, progress=view, names=names, what="application"
    )


@router.post("/applications/{application_id}/withdrawal")
async def withdraw(
    application_id: OpaqueId, applicant: SignedIn, _form: OwnForm, own: Own, progress: Progress
) -> Response:
    """The application ends, and its authorisation with it. Done before, it stays done."""
    try:
        await own.withdraw(application_id, applicant.holder_digest)
    except Conflict:
        await progress.require_own(application_id, applicant.holder_digest)
    else:
        await own.forget_copies(applicant.holder_digest, applicant.holder_code)
    return RedirectResponse(f"/applications/{application_id}/authorisation", 303)


def _longer(view: ProgressView, now: datetime) -> list[int]:
    """The periods that end on a later day than the authorisation does now."""
    until = view.authorised_until
    return [
        days for days in LONGER if until is None or date_in_china(now + timedelta(days=days)) > date_in_china(until)
    ]


def _page(
    request: Request,
    pages: Pages,
    applicant: VerifiedApplicant,
    view: ProgressView,
    names: Names,
    errors: list[tuple[str, str]] | None = None,
) -> Response:
    now = pages.clock()
    return pages.render(
        request,
        "applicant/authorisation.html",
        422 if errors else 200,
        me=applicant,
        progress=view,
        names=names,
        expired=view.authorised_until is not None and view.authorised_until <= now,
        longer=[(days, now + timedelta(days=days)) for days in _longer(view, now)],
        errors=errors or [],
    )
