"""Every page of the applicant."""

from typing import Final

from fastapi import APIRouter

from gateway.portal.applicant import (
    applications,
    commitments,
    demand,
    intakes,
    notices,
    own,
    road_pages,
    sharing,
    verifying,
)

ROUTERS: Final = tuple(
    each.router for each in (verifying, demand, intakes, applications, notices, own, commitments, sharing, road_pages)
)
"""An address that a word may stand in comes after those that stand for themselves."""

router = APIRouter(include_in_schema=False)
for each in ROUTERS:
    router.include_router(each)
