"""Every page of the applicant."""

from fastapi import APIRouter

from gateway.portal.applicant import applications, commitments, demand, intakes, own, road_pages, sharing, verifying

router = APIRouter(include_in_schema=False)
# An address that a word may stand in comes after those that stand for themselves.
for each in (verifying, demand, intakes, applications, own, commitments, sharing, road_pages):
    router.include_router(each.router)
