"""消息: everything that the applicant was told of one application, and by what way they are told besides."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from gateway.applications.errors import ApplicationClosed
from gateway.http.services import provide
from gateway.identity.model import VerifiedApplicant
from gateway.notices.errors import AddressUnfit
from gateway.notices.preferences import Way
from gateway.notices.service import NoticeService
from gateway.notices.words import Tongue, sentence
from gateway.outages.service import OutageService
from gateway.outages.views import outage_view
from gateway.portal.applicant.names import KnownNames, Names
from gateway.portal.applicant.sessions import ApplicantRoute, OwnProgress, SeenPages, SignedIn
from gateway.portal.forms import Form, OwnForm
from gateway.portal.preferences import preferences_of
from gateway.portal.rendering import Pages
from gateway.wording.phrases import Language
from schemas.applicant_api import ProgressView
from schemas.wire import OpaqueId

router = APIRouter(route_class=ApplicantRoute)
Notices = Annotated[NoticeService, Depends(provide(NoticeService))]
Outages = Annotated[OutageService, Depends(provide(OutageService))]


@router.get("/applications/{application_id}/notices")
async def notices(
    request: Request,
    applicant: SignedIn,
    pages: SeenPages,
    view: OwnProgress,
    service: Notices,
    outages: Outages,
    names: KnownNames,
) -> Response:
    """The newest first; and what outages there are now where power is asked for."""
    return await _page(request, pages, applicant, view, service, outages, names)


@router.post("/applications/{application_id}/notices")
async def choose(
    request: Request,
    application_id: OpaqueId,
    applicant: SignedIn,
    form: OwnForm,
    pages: SeenPages,
    view: OwnProgress,
    service: Notices,
    outages: Outages,
    names: KnownNames,
) -> Response:
    """Be told by another way, or by none, once however often it is sent. What was typed is not shown again."""
    wrong = _wrong(form)
    if wrong:
        return await _page(request, pages, applicant, view, service, outages, names, wrong)

    async def work() -> Response:
        way, address = Way(form.text("way")), form.text("address")
        await service.choose(application_id, applicant.holder_digest, way, address, _tongue(request))
        return RedirectResponse(f"/applications/{application_id}/notices", 303)

    try:
        return await form.once(request, applicant.holder_digest, work)
    except (AddressUnfit, ApplicationClosed) as error:
        return await _page(request, pages, applicant, view, service, outages, names, [("address", error.remedy)])


def _wrong(form: Form) -> list[tuple[str, str]]:
    way = form.text("way")
    if way not in set(Way):
        return [("way", "请选择怎样通知您")]
    if way != Way.NONE and form.text("consent") != "yes":
        return [("consent", "请勾选同意，否则平台不能保存您的联系方式")]
    return []


def _tongue(request: Request) -> Tongue:
    return Tongue.ENGLISH if preferences_of(request).language is Language.ENGLISH else Tongue.CHINESE


async def _page(
    request: Request,
    pages: Pages,
    applicant: VerifiedApplicant,
    view: ProgressView,
    service: NoticeService,
    outages: OutageService,
    names: Names,
    errors: list[tuple[str, str]] | None = None,
) -> Response:
    own = (view.application_id, applicant.holder_digest)
    told, chosen = await service.of_application(*own), await service.chosen(*own)
    return pages.render(
        request,
        "applicant/notices.html",
        422 if errors else 200,
        me=applicant,
        progress=view,
        outages=[outage_view(each, pages.clock()) for each in await outages.of_application(*own)],
        notices=[(each, sentence(each, _tongue(request))) for each in told],
        ways=service.ways,
        chosen=chosen.way if chosen else Way.NONE,
        names=names,
        errors=errors or [],
    )
