"""What was found, before anything is sent: look, choose, correct, authorise – or walk away with nothing kept."""

from datetime import timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from gateway.applications.confirmation import ReviewOpened
from gateway.applications.errors import (
    AuthorisationPeriodUnsound,
    CertificatesContradict,
    IntakeIncomplete,
    NoUtility,
)
from gateway.applications.intake import IntakeService
from gateway.applications.reviews import ReviewService
from gateway.applications.submission import Submitted
from gateway.http.idempotency import Claim
from gateway.http.problems import status_of
from gateway.http.services import provide
from gateway.identity.model import VerifiedApplicant
from gateway.portal.applicant.names import KnownNames, Names
from gateway.portal.applicant.sessions import ApplicantRoute, SeenPages, SignedIn
from gateway.portal.forms import Form, OwnForm, sent_to
from gateway.portal.rendering import Pages
from gateway.progress.titles import field_titles
from schemas.applicant_api import Confirmation, DeclaredDocument, IntakeView
from schemas.regions import region_name
from schemas.wire import OpaqueId

router = APIRouter(route_class=ApplicantRoute)
Intakes = Annotated[IntakeService, Depends(provide(IntakeService))]
Reviews = Annotated[ReviewService, Depends(provide(ReviewService))]
PERIODS: Final = (90, 180, 365)
"""For how many days an authorisation may be given here; the room itself allows up to a year."""
USUAL_PERIOD: Final = 180
PLAIN: Final = (
    "姓名",
    "公民身份号码",
    "企业名称",
    "统一社会信用代码",
    "法定代表人",
    "住所",
    "不动产权证号",
    "坐落",
    "权利人",
    "共有情况",
    "项目名称",
    "建设地点",
    "项目单位",
)
"""Of a certificate, what its holder knows it by; the rest is a click away."""
_DIGEST_LENGTH: Final = 64


@router.get("/intakes/{intake_id}")
async def show(
    request: Request, intake_id: OpaqueId, applicant: SignedIn, pages: SeenPages, intakes: Intakes, names: KnownNames
) -> Response:
    """Each certificate found, with its verdict, its source, its age, and what the utility will get of it."""
    view = await intakes.show(applicant, intake_id)
    if view.status == "under_review":
        return RedirectResponse(f"/intakes/{intake_id}/review", 303)
    return _page(request, pages, applicant, view, names)


@router.post("/intakes/{intake_id}")
async def confirm(
    request: Request,
    intake_id: OpaqueId,
    applicant: SignedIn,
    form: OwnForm,
    pages: SeenPages,
    intakes: Intakes,
    names: KnownNames,
) -> Response:
    """Authorise: an application, or a review by an officer, once however often it is sent."""

    def leads_to(made: Submitted | ReviewOpened) -> Response:
        if isinstance(made, ReviewOpened):
            return sent_to(f"/intakes/{intake_id}/review")
        return sent_to(f"/applications/{made.application.application_id}/received")

    async def work(claim: Claim) -> Response:
        view = await intakes.show(applicant, intake_id)
        errors = _missing(form, view)
        if errors:
            return _page(request, pages, applicant, view, names, form, errors)
        try:
            said = _confirmation(form, view, pages)
            await intakes.confirm(applicant, intake_id, said, claim.with_answer(leads_to))
        except (CertificatesContradict, IntakeIncomplete, NoUtility, AuthorisationPeriodUnsound) as error:
            status = status_of(type(error))
            return _page(request, pages, applicant, view, names, form, [("documents", error.remedy)], status)
        return claim.answer

    return await form.once_with(request, applicant.holder_digest, work)


@router.get("/intakes/{intake_id}/drop")
async def back_from_drop(intake_id: OpaqueId, _applicant: SignedIn) -> Response:
    """Where somebody lands who had to sign in before walking away."""
    return RedirectResponse(f"/intakes/{intake_id}", 303)


@router.post("/intakes/{intake_id}/drop")
async def drop(request: Request, intake_id: OpaqueId, applicant: SignedIn, form: OwnForm, intakes: Intakes) -> Response:
    """Walk away, once however often it is sent; nothing is kept."""

    async def work() -> Response:
        await intakes.drop(applicant, intake_id)
        return RedirectResponse("/apply/dropped", 303)

    return await form.once(request, applicant.holder_digest, work)


@router.get("/intakes/{intake_id}/review")
async def review(
    request: Request, intake_id: OpaqueId, applicant: SignedIn, pages: SeenPages, reviews: Reviews, names: KnownNames
) -> Response:
    """人工核查: why, how it stands, who looked at what."""
    view = await reviews.of_intake(intake_id, applicant.holder_digest)
    return pages.render(request, "applicant/review.html", me=applicant, review=view, names=names)


def _page(
    request: Request,
    pages: Pages,
    applicant: VerifiedApplicant,
    view: IntakeView,
    names: Names,
    form: Form | None = None,
    errors: list[tuple[str, str]] | None = None,
    status: int = 422,
) -> Response:
    given = {
        document.document: field_titles(document.document, document.disclosed_fields) for document in view.documents
    }
    return pages.render(
        request,
        "applicant/intake.html",
        status if errors else 200,
        me=applicant,
        intake=view,
        given=given,
        plain=PLAIN,
        names=names,
        region=region_name(view.demand.region) if view.demand else None,
        periods=PERIODS,
        period=form.text("period", str(USUAL_PERIOD)) if form else str(USUAL_PERIOD),
        chosen={each.document: form.text(f"choice-{each.document}") if form else "" for each in view.documents},
        utility=form.text("utility") if form else "",
        declarable=[each for each in view.documents if each.declarable],
        errors=errors or [],
    )


def _missing(form: Form, view: IntakeView) -> list[tuple[str, str]]:
    """What the form leaves open; the room has the last word on all of it."""
    errors = [
        (f"choice-{document.document}", "请选择本次用电所用的一份")
        for document in view.documents
        if document.state == "choose" and not form.text(f"choice-{document.document}")
    ]
    if len(view.utilities) > 1 and form.text("utility") not in view.utilities:
        errors.append(("utility", "请选择供电企业"))
    if form.text("period") not in {str(days) for days in PERIODS}:
        errors.append(("period", "请选择授权期限"))
    if form.text("authorise") != "yes":
        errors.append(("authorise", "同意授权才能提交；不同意可以放弃，不留存任何信息"))
    return errors


def _confirmation(form: Form, view: IntakeView, pages: Pages) -> Confirmation:
    choices = {each.document: form.text(f"choice-{each.document}") for each in view.documents}
    declared = [
        DeclaredDocument(document=each.document, file_name=each.title, sha256=digest)
        for each in view.documents
        if each.declarable
        and len(digest := form.text(f"declared-{each.document}").lower()) == _DIGEST_LENGTH
        and set(digest) <= set("0123456789abcdef")
    ]
    return Confirmation(
        utility=form.text("utility") or None,
        choices={document: choice for document, choice in choices.items() if choice},
        declared=declared,
        authorise=True,
        authorised_until=pages.clock() + timedelta(days=int(form.text("period"))),
    )
