"""What all pages of the console share."""

from typing import Annotated, Any, Final

from fastapi import Depends, Request
from starlette.responses import Response

from gateway.http.services import provide
from gateway.portal.officers import Officer, OfficerOf, OfficerRole
from gateway.portal.rendering import Pages

SeenPages = Annotated[Pages, Depends(provide(Pages))]
Anyone = Annotated[Officer, Depends(OfficerOf())]
Reader = Annotated[Officer, Depends(OfficerOf(OfficerRole.OPERATOR, OfficerRole.REVIEWER, OfficerRole.AUDITOR))]
"""Sees everything but personal data."""
Operator = Annotated[Officer, Depends(OfficerOf(OfficerRole.OPERATOR))]
Reviewer = Annotated[Officer, Depends(OfficerOf(OfficerRole.REVIEWER))]
"""Alone sees personal data, each time on record and with a reason."""
Decider = Annotated[Officer, Depends(OfficerOf(OfficerRole.OPERATOR, OfficerRole.REVIEWER))]
LISTED: Final = 50
"""Rows of a list; the oldest or newest of them, and a narrower search for the rest."""


def show(
    request: Request, pages: Pages, officer: Officer, template: str, /, status: int = 200, **context: Any
) -> Response:
    """A page of the console, which no cache keeps."""
    response = pages.render(request, f"console/{template}", status, officer=officer, **context)
    response.headers["cache-control"] = "no-store"
    return response
