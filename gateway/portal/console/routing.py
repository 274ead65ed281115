"""谁来答复: who would answer for a region."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from gateway.http.services import provide
from gateway.oversight.public_rules import region_name
from gateway.oversight.routing import RoutingService
from gateway.portal.console.shared import Reader, SeenPages, show
from gateway.portal.page_route import PageRoute
from schemas.identifiers import IdentifierError

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/console/routing")
async def who_answers(
    request: Request,
    officer: Reader,
    pages: SeenPages,
    service: Annotated[RoutingService, Depends(provide(RoutingService))],
    region: Annotated[str, Query(max_length=12)] = "",
) -> Response:
    """Per certificate kind and department the registered level that answers, and the levels fallen through."""
    found, errors = None, list[tuple[str, str]]()
    if region:
        try:
            found = await service.who_answers(region)
        except IdentifierError:
            errors = [("region", "请填写 6 位行政区划代码，例如 440103")]
    return show(
        request,
        pages,
        officer,
        "routing.html",
        422 if errors else 200,
        region=region,
        found=found,
        errors=errors,
        region_name=region_name,
    )
