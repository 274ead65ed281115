"""``PUT /v1/grid-capacity/{area_id}``: a utility publishes what its grid has free."""

from typing import Annotated

from fastapi import APIRouter, Body, Depends, Response

from gateway.caller import Caller, Role
from gateway.capacity.open_data import capacity_view
from gateway.capacity.service import CapacityService
from gateway.http.callers import require_role
from gateway.http.responses import document
from gateway.http.services import provide
from schemas.capacity import CapacityRecorded, CapacityRequest
from schemas.wire import OpaqueId

router = APIRouter(prefix="/v1/grid-capacity", tags=["供电企业 · 可开放容量"])
_EXAMPLE = {
    "变电站": {
        "value": {
            "version": 1,
            "region": "440106",
            "area_name": "天河110kV变电站",
            "area_kind": "substation",
            "voltage_v": 10000,
            "available_kva": 12500,
            "as_of": "2026-11-27",
        }
    }
}


@router.put(
    "/{area_id}",
    status_code=201,
    summary="公布一个供电区域的可开放容量（按版本）",
    response_model=CapacityRecorded,
    responses={200: {"model": CapacityRecorded, "description": "同一版本、同一内容已公布过"}},
)
async def publish(
    area_id: OpaqueId,
    told: Annotated[CapacityRequest, Body(openapi_examples=_EXAMPLE)],
    caller: Annotated[Caller, Depends(require_role(Role.UTILITY, scope="stages"))],
    service: Annotated[CapacityService, Depends(provide(CapacityService))],
) -> Response:
    """The same version again changes nothing; another one has to be higher. ``withdrawn`` takes the area off.

    The version makes a repeated one harmless for ever, so no ``Idempotency-Key`` is asked for.
    """
    kept, repeated = await service.publish(caller, area_id, told)
    recorded = CapacityRecorded(**capacity_view(kept).model_dump(), record_id=kept.record_id, duplicate=repeated)
    return document(recorded, 200 if repeated else 201)
