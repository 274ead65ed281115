"""告知承诺: the statement is read first, and given by the applicant alone."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from gateway.approvals.commitments import CommitmentService
from gateway.http.callers import now
from gateway.http.services import provide
from gateway.portal.applicant.sessions import ApplicantRoute, SeenPages, SignedIn
from gateway.portal.forms import OwnForm
from schemas.wire import OpaqueId

router = APIRouter(route_class=ApplicantRoute)
Commitments = Annotated[CommitmentService, Depends(provide(CommitmentService))]
PATH = "/applications/{application_id}/permits/{permit_id}/commitment"


@router.get(PATH)
async def read(
    request: Request,
    application_id: OpaqueId,
    permit_id: OpaqueId,
    applicant: SignedIn,
    pages: SeenPages,
    commitments: Commitments,
) -> Response:
    """The statement word for word, given or not."""
    statement = await commitments.statement(applicant, application_id, permit_id)
    return pages.render(
        request,
        "applicant/commitment.html",
        me=applicant,
        statement=statement,
        application_id=application_id,
        errors=[],
    )


@router.post(PATH)
async def give(
    request: Request,
    application_id: OpaqueId,
    permit_id: OpaqueId,
    applicant: SignedIn,
    form: OwnForm,
    pages: SeenPages,
    commitments: Commitments,
    at: Annotated[datetime, Depends(now)],
) -> Response:
    """Take it in; given before, it stays as it was given then."""
    if form.text("accept") != "yes":
        statement = await commitments.statement(applicant, application_id, permit_id)
        return pages.render(
            request,
            "applicant/commitment.html",
            422,
            me=applicant,
            statement=statement,
            application_id=application_id,
            errors=[("accept", "请先阅读，再勾选作出承诺；不同意则无需提交")],
        )
    await commitments.give(applicant, application_id, permit_id, at)
    return RedirectResponse(f"/applications/{application_id}/permits/{permit_id}/commitment", 303)
