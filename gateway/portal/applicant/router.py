"""Every page of the applicant."""

from fastapi import APIRouter

from gateway.portal.applicant import applications, commitments, demand, intakes, own, road_pages, sharing, verifying

router = APIRouter(include_in_schema=False)
for each in (road_pages, verifying, demand, intakes, applications, own, commitments, sharing):
    router.include_router(each.router)
