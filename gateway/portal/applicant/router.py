"""Every page of the applicant."""

from typing import Final

from fastapi import APIRouter

from gateway.portal.applicant import (
    applications,
    commitments,
    contracts,
    demand,
    intakes,
    notices,
    own,
    ratings,
    road_pages,
    sharing,
    verifying,
)

ROUTERS: Final = tuple(
    each.router
    for each in (
        verifying,
        demand,
        intakes,
        applications,
        notices,
        own,
        commitments,
        contracts,
        ratings,
        sharing,
        road_pages,
    )
)
"""An address that a word may stand in comes after those that stand for themselves."""

router = APIRouter(include_in_schema=False)
for each in ROUTERS:
    router.include_router(each)
