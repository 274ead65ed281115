"""用电需求: what is asked for. Sent, everything else is looked for at once."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from gateway.applications.customer_classes import Area
from gateway.applications.errors import DemandNotClassifiable, NoUtility, RegionMalformed, RegionTooWide, TooManyIntakes
from gateway.applications.intake import INTAKE_OF, IntakeService
from gateway.applications.model import Demand
from gateway.applications.router import INTAKES, INTAKES_OF_A_HOLDER
from gateway.http.idempotency import Claim
from gateway.http.limits import RateLimits
from gateway.http.services import provide
from gateway.identity.model import VerifiedApplicant
from gateway.portal.applicant.demand_form import VOLTAGES, Filled, counties, empty, read
from gateway.portal.applicant.sessions import ApplicantRoute, SeenPages, SignedIn
from gateway.portal.forms import OwnForm, sent_to
from schemas.applicant_api import DemandRequest, IntakeView

router = APIRouter(route_class=ApplicantRoute)
Intakes = Annotated[IntakeService, Depends(provide(IntakeService))]
Limits = Annotated[RateLimits, Depends(provide(RateLimits))]


@router.get("/apply/demand")
async def ask(request: Request, applicant: SignedIn, pages: SeenPages) -> Response:
    """The form."""
    return _form(request, pages, applicant, Filled(empty(applicant.applicant_kind), []))


@router.post("/apply/demand")
async def begin(
    request: Request, applicant: SignedIn, form: OwnForm, pages: SeenPages, intakes: Intakes, limits: Limits
) -> Response:
    """Find everything, once however often it is sent; then the page that shows it."""
    filled = read(form, applicant.applicant_kind)
    if filled.demand is None:
        return _form(request, pages, applicant, filled)
    demand = filled.demand

    async def work(claim: Claim) -> Response:
        # Each intake asks the sources for everything that the holder has.
        limits.hit(limits.limit_of(INTAKES, INTAKES_OF_A_HOLDER), INTAKES, applicant.holder_digest)
        kind, beside = INTAKE_OF[applicant.applicant_kind], claim.with_answer(_shown)
        await intakes.begin(applicant, kind, _demand(demand), demand.address, beside)
        return claim.answer

    try:
        return await form.once_with(request, applicant.holder_digest, work)
    except DemandNotClassifiable as error:
        name = "voltage" if error.check == "demand.voltage" else "capacity_kw"
        return _form(request, pages, applicant, Filled(filled.values, [(name, error.remedy)]))
    except (RegionTooWide, RegionMalformed, NoUtility, TooManyIntakes) as error:
        return _form(request, pages, applicant, Filled(filled.values, [("region", error.remedy)]))


def _shown(view: IntakeView) -> Response:
    return sent_to(f"/intakes/{view.intake_id}")


def _form(request: Request, pages: SeenPages, applicant: VerifiedApplicant, filled: Filled) -> Response:
    return pages.render(
        request,
        "applicant/demand.html",
        422 if filled.errors else 200,
        me=applicant,
        values=filled.values,
        errors=filled.errors,
        counties=counties(),
        voltages=VOLTAGES[applicant.applicant_kind],
    )


def _demand(request: DemandRequest) -> Demand:
    return Demand(
        region=request.region,
        voltage_v=request.voltage_v,
        capacity_kw=request.capacity_kw,
        source_count=request.source_count,
        area=Area(request.area),
        purpose=request.purpose,
        small_and_micro=request.small_and_micro,
    )
