"""The leads of engineering projects by region, day and status, for officers. The page changes nothing, names nobody."""

from dataclasses import dataclass
from datetime import date
from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from gateway.http.services import provide
from gateway.portal.officers import Officer, OfficerOf, OfficerRole
from gateway.portal.page_route import PageRoute
from gateway.portal.rendering import Pages
from gateway.projects.service import LeadQuery, LeadService
from schemas.leads import LeadPhase, LeadStatus
from schemas.regions import PROVINCE, REGION_NAMES, region_name

SEES: Final = OfficerOf(OfficerRole.OPERATOR, OfficerRole.AUDITOR, OfficerRole.AUTHORITY)
"""Who may look: a lead names no person."""
PAGE: Final = 50
STATUS: Final = {
    LeadStatus.NEW: ("todo", "新线索"),
    LeadStatus.CONTACTED: ("going", "已联系"),
    LeadStatus.CONNECTED: ("done", "已接电"),
    LeadStatus.RETRACTED: ("paused", "已撤回"),
}
"""How each looks, and is called."""
PHASE: Final = {
    LeadPhase.REGISTERED: "已立项",
    LeadPhase.UNDER_APPROVAL: "审批中",
    LeadPhase.PLANNING_PERMITTED: "已取得规划许可",
}
CITIES: Final = [(code, name) for code, name in REGION_NAMES.items() if code[4:] == "00" and code[2:] != "0000"]

router = APIRouter(prefix="/projects", route_class=PageRoute, include_in_schema=False, dependencies=[Depends(SEES)])
Seer = Annotated[Officer, Depends(SEES)]
SeenPages = Annotated[Pages, Depends(provide(Pages))]
Service = Annotated[LeadService, Depends(provide(LeadService))]


@dataclass(frozen=True)
class Asked:
    """What the page was asked for as it was written, what of it is understood, and what is wrong with the rest."""

    first: str
    last: str
    region: str
    status: str
    query: LeadQuery
    errors: list[tuple[str, str]]

    def link(self, after: str) -> str:
        """The query of the next page."""
        told = {"from": self.first, "to": self.last, "region": self.region, "status": self.status, "after": after}
        return urlencode({name: value for name, value in told.items() if value})


async def asked(
    first: Annotated[str, Query(alias="from", max_length=40)] = "",
    last: Annotated[str, Query(alias="to", max_length=40)] = "",
    region: Annotated[str, Query(max_length=12)] = "",
    status: Annotated[str, Query(max_length=20)] = "",
) -> Asked:
    """Every lead where nothing is asked for; a region or status that is none does not narrow."""
    days: dict[str, date | None] = {}
    errors = []
    for name, text in (("from", first.strip()), ("to", last.strip())):
        try:
            days[name] = date.fromisoformat(text) if text else None
        except ValueError:
            days[name] = None
            errors.append((name, "请填写日期，例如 2026-11-28"))
    if days["from"] and days["to"] and days["from"] > days["to"]:
        errors.append(("to", "结束日期不能早于开始日期"))
    known = region if region in REGION_NAMES else ""
    chosen = LeadStatus(status) if status in set(LeadStatus) else None
    query = LeadQuery(chosen, known or None, days["from"], days["to"])
    return Asked(first, last, known, chosen.value if chosen else "", query, errors)


@router.get("")
async def leads(
    request: Request,
    officer: Seer,
    pages: SeenPages,
    service: Service,
    wanted: Annotated[Asked, Depends(asked)],
    after: Annotated[str, Query(max_length=128)] = "",
) -> Response:
    """A page of leads in the order in which they were offered, with how many there are by status."""
    shown = None if wanted.errors else await service.overview(wanted.query, after, PAGE)
    regions = {lead.project.region: _place(lead.project.region) for lead in shown.page.leads} if shown else {}
    return pages.render(
        request,
        "projects/leads.html",
        422 if wanted.errors else 200,
        officer=officer,
        wanted=wanted,
        shown=shown,
        regions=regions,
        cities=CITIES,
        statuses=STATUS,
        phases=PHASE,
        next_page=wanted.link(shown.page.cursor) if shown and shown.page.more and shown.page.cursor else "",
        later=bool(after),
    )


def _place(region: str) -> str:
    """City and county by name; a region that is in no table by its code."""
    return (region_name(region) or region).removeprefix(REGION_NAMES[PROVINCE])
