"""Where an application starts: who applies, and the whole road before the first click."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from gateway.clock import date_in_china
from gateway.http.services import provide
from gateway.portal.applicant.road import roads
from gateway.portal.applicant.sessions import SeenPages
from gateway.portal.page_route import PageRoute
from gateway.rule_rows.live import LiveRules
from schemas.identity import ApplicantKind, methods_of
from schemas.regions import PROVINCE

router = APIRouter(route_class=PageRoute)
Rules = Annotated[LiveRules, Depends(provide(LiveRules))]


@router.get("/apply")
async def apply(request: Request, pages: SeenPages) -> Response:
    """居民 or 企业."""
    return pages.render(request, "applicant/apply.html")


@router.get("/apply/dropped")
async def dropped(request: Request, pages: SeenPages) -> Response:
    """After walking away."""
    return pages.render(request, "applicant/dropped.html")


@router.get("/apply/{kind}")
async def road(request: Request, kind: ApplicantKind, pages: SeenPages, rules: Rules) -> Response:
    """Every step, how long it may take by which clause, and what is to be brought: usually nothing."""
    ahead = roads(kind, PROVINCE, date_in_china(pages.clock()), rules.book())
    return pages.render(request, "applicant/road.html", kind=kind.value, roads=ahead, methods=methods_of(kind))
