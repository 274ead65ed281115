"""The console's pages, one file a subject."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from gateway.applications.purge_receipts import PurgeReceiptService
from gateway.applications.review_tasks import ReviewState
from gateway.applications.reviews import ReviewService
from gateway.delivery.service import DeliveryService
from gateway.http.services import provide
from gateway.partners.model import AgreementStatus
from gateway.partners.service import PartnerService
from gateway.portal.console import (
    applications,
    deliveries,
    onboarding,
    partners,
    ratings,
    record,
    reviews,
    routing,
    rules,
    sign_in,
)
from gateway.portal.console.shared import Anyone, Reader, SeenPages, show
from gateway.portal.officers import OfficerRole
from gateway.portal.page_route import PageRoute
from gateway.ratings.service import RatingService
from gateway.rechecks.source_health import SourceWatch
from gateway.reconciliation.service import ReconciliationService

router = APIRouter(route_class=PageRoute, include_in_schema=False)
MOST_COUNTED = 500


@router.get("/console")
async def home(
    request: Request,
    officer: Anyone,
    pages: SeenPages,
    delivering: Annotated[DeliveryService, Depends(provide(DeliveryService))],
    reviewing: Annotated[ReviewService, Depends(provide(ReviewService))],
    partnering: Annotated[PartnerService, Depends(provide(PartnerService))],
    reconciling: Annotated[ReconciliationService, Depends(provide(ReconciliationService))],
    rating: Annotated[RatingService, Depends(provide(RatingService))],
    purging: Annotated[PurgeReceiptService, Depends(provide(PurgeReceiptService))],
    watch: Annotated[SourceWatch, Depends(provide(SourceWatch))],
    rows: rules.Rows,
) -> Response:
    """What waits for somebody."""
    if officer.role is OfficerRole.AUTHORITY:
        return show(request, pages, officer, "home_authority.html")
    receivers = await delivering.destinations()
    sources = await watch.state()
    bad = await rating.waiting(MOST_COUNTED)
    agreements = [each.status for each in await partnering.all_agreements()]
    return show(
        request,
        pages,
        officer,
        "home.html",
        dead=sum(each.dead for each in receivers),
        pending=sum(each.pending for each in receivers),
        disabled=sum(each.destination.disabled_at is not None for each in receivers),
        failing=sum(each.destination.failing_since is not None for each in receivers),
        open_reviews=len(await reviewing.listed(ReviewState.OPEN, MOST_COUNTED)),
        unpurged=len(await purging.overdue()),
        bad_ratings=len(bad),
        bad_overdue=sum(each.overdue_at(pages.clock()) for each in bad),
        in_test=agreements.count(AgreementStatus.TEST),
        approved=agreements.count(AgreementStatus.APPROVED),
        differing=len(await reconciling.reports(None, only_differing=True, limit=MOST_COUNTED)),
        late=sum(each.late for each in sources.sources),
        rechecks=sources.rechecks.waiting,
        rule_drafts=await rules.waiting(rows),
    )


@router.get("/console/purges")
async def purges(
    request: Request,
    officer: Reader,
    pages: SeenPages,
    purging: Annotated[PurgeReceiptService, Depends(provide(PurgeReceiptService))],
) -> Response:
    """Withdrawals whose purge no utility has confirmed in time."""
    return show(request, pages, officer, "purges.html", found=await purging.overdue())


PARTS = (sign_in, applications, deliveries, reviews, ratings, partners, onboarding, record, rules, routing)
for part in PARTS:
    router.include_router(part.router)
