"""``POST /v1/outages``: a utility tells of an outage."""

from typing import Annotated

from fastapi import APIRouter, Body, Depends, Response

from gateway.caller import Caller, Role
from gateway.http.callers import require_role
from gateway.http.responses import document
from gateway.http.services import provide
from gateway.outages.service import OutageService
from schemas.outages import OutageRecorded, OutageRequest

router = APIRouter(prefix="/v1/outages", tags=["供电企业 · 停电信息"])
_EXAMPLE = {
    "计划停电": {
        "value": {
            "outage_id": "gz-2026-118",
            "event_id": "gz-2026-118:1",
            "kind": "planned",
            "region": "440106",
            "area": "天河北路 1 至 99 号、10kV天河线",
            "begins_at": "2026-12-05T08:00:00+08:00",
            "expected_end_at": "2026-12-05T18:00:00+08:00",
            "said_at": "2026-11-27T09:00:00+08:00",
            "text": "线路检修，遇雨顺延。",
            "applications": ["app_01JD8Z3M5T9C7XK2Q4V6W8Y0AB"],
        }
    }
}


@router.post(
    "",
    status_code=201,
    summary="报送停电信息：停电计划、故障、抢修进度、送电",
    response_model=OutageRecorded,
    responses={200: {"model": OutageRecorded, "description": "同一事件、同一内容已报送过"}},
)
async def tell(
    told: Annotated[OutageRequest, Body(openapi_examples=_EXAMPLE)],
    caller: Annotated[Caller, Depends(require_role(Role.UTILITY, scope="stages"))],
    service: Annotated[OutageService, Depends(provide(OutageService))],
) -> Response:
    """Each telling says all that holds then; within an outage what was said last counts, until it is ``restored``.

    The applicants of ``applications`` get a notice of it, by the ways that they chose. Those that are no open
    applications of this utility come back in ``not_notified``, whatever the reason.

    ``event_id`` makes a repeated one harmless for ever, so no ``Idempotency-Key`` is asked for.
    """
    recorded = await service.tell(caller, told)
    return document(recorded, 200 if recorded.duplicate else 201)
