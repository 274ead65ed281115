"""Deliveries with their attempts, dead letters, replay; receivers and how they do; reconciliation reports."""

import json
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from gateway.delivery.ports import DeliveryState, ReplayReason
from gateway.delivery.redaction import redacted
from gateway.delivery.service import DeliveryService
from gateway.http.services import provide
from gateway.portal.console import words
from gateway.portal.console.shared import LISTED, Operator, Reader, SeenPages, show
from gateway.portal.forms import OwnForm
from gateway.portal.officers import Officer
from gateway.portal.page_route import PageRoute
from gateway.portal.rendering import Pages
from gateway.reconciliation.service import ReconciliationService
from schemas.wire import OpaqueId, PartnerCode

router = APIRouter(route_class=PageRoute, include_in_schema=False)
Deliveries = Annotated[DeliveryService, Depends(provide(DeliveryService))]
Reports = Annotated[ReconciliationService, Depends(provide(ReconciliationService))]


@router.get("/console/deliveries")
async def list_deliveries(request: Request, officer: Reader, pages: SeenPages, deliveries: Deliveries) -> Response:
    """A row an event, newest first; ``state=dead`` are the dead letters."""
    told, destination = request.query_params.get("state", ""), request.query_params.get("destination", "")[:64]
    state = DeliveryState(told) if told in set(DeliveryState) else None
    before = request.query_params.get("before", "")[:64]
    page = await deliveries.list(destination or None, state, LISTED, before or None)
    receivers = [each.destination.code for each in await deliveries.destinations()]
    return show(
        request,
        pages,
        officer,
        "deliveries.html",
        found=page.deliveries,
        more=page.more,
        state=told,
        destination=destination,
        receivers=receivers,
        words=words,
    )


@router.get("/console/deliveries/{event_id}")
async def delivery(
    request: Request, event_id: OpaqueId, officer: Reader, pages: SeenPages, deliveries: Deliveries
) -> Response:
    """One event: what was sent (redacted) and what was answered, attempt by attempt."""
    return await _delivery(request, event_id, officer, pages, deliveries)


@router.post("/console/deliveries/{event_id}/replay")
async def replay(
    request: Request, event_id: OpaqueId, officer: Operator, form: OwnForm, pages: SeenPages, deliveries: Deliveries
) -> Response:
    """Send it again, for a reason."""
    told = form.text("reason")
    if told not in set(ReplayReason):
        return await _delivery(request, event_id, officer, pages, deliveries, errors=[("reason", "请选择重放理由")])

    async def work() -> Response:
        await deliveries.replay(event_id, ReplayReason(told), officer.actor, pages.clock())
        return RedirectResponse(f"/console/deliveries/{event_id}", 303)

    return await form.once(request, officer.subject, work)


@router.get("/console/receivers")
async def receivers(request: Request, officer: Reader, pages: SeenPages, deliveries: Deliveries) -> Response:
    """What waits for each receiver, and whether it is still sent to."""
    return await _receivers(request, officer, pages, deliveries)


@router.post("/console/receivers/{code}/enable")
async def enable(
    request: Request, code: PartnerCode, officer: Operator, form: OwnForm, pages: SeenPages, deliveries: Deliveries
) -> Response:
    """Send to a disabled receiver again, for a reason."""
    told = form.text("reason")
    if told not in set(ReplayReason):
        return await _receivers(request, officer, pages, deliveries, errors=[(f"reason-{code}", "请选择启用理由")])

    async def work() -> Response:
        await deliveries.enable(code, ReplayReason(told), officer.actor, pages.clock())
        return RedirectResponse("/console/receivers", 303)

    return await form.once(request, officer.subject, work)


@router.get("/console/reconciliation")
async def reports(request: Request, officer: Reader, pages: SeenPages, service: Reports) -> Response:
    """What utilities reported of their days."""
    differing = request.query_params.get("differing") == "1"
    found = await service.reports(None, only_differing=differing, limit=LISTED)
    return show(request, pages, officer, "reconciliation.html", found=found, differing=differing)


@router.get("/console/reconciliation/{utility}/{day}")
async def report(
    request: Request, utility: PartnerCode, day: date, officer: Reader, pages: SeenPages, service: Reports
) -> Response:
    """One report: numbers, roots, and every event that differs."""
    return show(request, pages, officer, "reconciliation_day.html", report=await service.find_report(utility, day))


async def _delivery(
    request: Request,
    event_id: str,
    officer: Officer,
    pages: Pages,
    deliveries: DeliveryService,
    errors: list[tuple[str, str]] | None = None,
) -> Response:
    view = await deliveries.find(event_id)
    return show(
        request,
        pages,
        officer,
        "delivery.html",
        422 if errors else 200,
        view=view,
        body=json.dumps(redacted(view.event.data), ensure_ascii=False, indent=2),
        words=words,
        errors=errors or [],
    )


async def _receivers(
    request: Request,
    officer: Officer,
    pages: Pages,
    deliveries: DeliveryService,
    errors: list[tuple[str, str]] | None = None,
) -> Response:
    found = await deliveries.destinations()
    status = 422 if errors else 200
    return show(request, pages, officer, "receivers.html", status, found=found, words=words, errors=errors or [])
