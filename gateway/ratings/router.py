"""好差评 for programs."""

from enum import Enum
from typing import Annotated

from fastapi import APIRouter, Depends

from gateway.caller import Caller, Role
from gateway.errors import Owner
from gateway.http.callers import require_role
from gateway.http.services import provide
from gateway.identity.router import Applicant
from gateway.ratings.errors import RatingUnknown
from gateway.ratings.service import RatingService
from schemas.ratings import RatingAnswer, RatingRequest, RatingView
from schemas.wire import OpaqueId

router = APIRouter()
PATH = "/v1/applications/{application_id}/rating"
APPLICANTS: list[str | Enum] = ["申请人 · 好差评"]
Ratings = Annotated[RatingService, Depends(provide(RatingService))]


@router.get(PATH, tags=APPLICANTS, summary="查看本人的评价与反馈")
async def standing(application_id: OpaqueId, applicant: Applicant, service: Ratings) -> RatingView:
    """404 while nothing was said."""
    found = await service.standing(application_id, applicant.holder_digest)
    if found is None:
        raise RatingUnknown(check="rating.unknown", owner=Owner.APPLICANT, remedy="尚未评价")
    return found


@router.post(PATH, status_code=201, tags=APPLICANTS, summary="评价服务；每次服务一次，不能更改")
async def rate(application_id: OpaqueId, rating: RatingRequest, applicant: Applicant, service: Ratings) -> RatingView:
    """A second one is refused (409), so no ``Idempotency-Key`` is asked for."""
    return await service.rate(application_id, applicant.holder_digest, rating)


@router.post(PATH + "/answer", tags=["供电企业 · 好差评"], summary="差评的整改反馈；申请人可见")
async def answer(
    application_id: OpaqueId,
    told: RatingAnswer,
    caller: Annotated[Caller, Depends(require_role(Role.UTILITY, scope="stages"))],
    service: Ratings,
) -> RatingView:
    """Once; the same again is harmless. The applicant's text is not in the answer."""
    answered = await service.answer(application_id, told.text, caller.partner_code, caller.partner_code)
    return answered.model_copy(update={"text": None})
