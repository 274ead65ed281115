"""Who is signed in; and, where nobody is any more, the way to sign in and back."""

from typing import Annotated

from fastapi import Depends, Request
from starlette.responses import RedirectResponse, Response

from gateway.errors import GatewayError
from gateway.http.problems import note_refusal, problem_of, status_of
from gateway.http.services import provide, services_of
from gateway.identity.errors import SessionRequired, VerificationFailed
from gateway.identity.router import Applicant
from gateway.identity.service import IdentityService
from gateway.portal.page_route import PageRoute
from gateway.portal.preferences import preferences_of
from gateway.portal.rendering import Pages
from gateway.progress.service import ProgressService
from schemas.applicant_api import ProgressView
from schemas.wire import OpaqueId

SeenPages = Annotated[Pages, Depends(provide(Pages))]
Identity = Annotated[IdentityService, Depends(provide(IdentityService))]
SignedIn = Applicant
"""A dependency: who applies. Without a verified session the answer is the page to sign in on, and back."""
Progress = Annotated[ProgressService, Depends(provide(ProgressService))]


async def _own_progress(application_id: OpaqueId, applicant: SignedIn, progress: Progress) -> ProgressView:
    return await progress.progress(application_id, applicant.holder_digest)


OwnProgress = Annotated[ProgressView, Depends(_own_progress)]
"""A dependency: how the application of the address stands. Another's is unknown (404)."""


class ApplicantRoute(PageRoute):
    """Routes whose pages need somebody who is verified. Every form has a page at its own address, to come back to."""

    async def refuse(self, request: Request, error: GatewayError) -> Response:
        """Sign in (401) where the session is over; the other ways where the verification failed."""
        if isinstance(error, VerificationFailed):
            return RedirectResponse("/verify/failed", 303)
        if not isinstance(error, SessionRequired):
            return await super().refuse(request, error)
        status = status_of(type(error))
        note_refusal(problem_of(error, status, preferences_of(request).language))
        pages = services_of(request.app).get(Pages)
        return pages.render(request, "applicant/sign_in.html", status, back=request.url.path)
