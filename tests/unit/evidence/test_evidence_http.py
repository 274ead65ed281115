"""Bundles over HTTP are costly, and so asked for seldom: by a limit of their own that the operator sets."""

import pytest

from gateway.evidence.router import EVIDENCE, router
from gateway.http.limits import RateLimits
from tests.support.databases import Databases
from tests.support.door import app_behind_the_door, asking
from tests.support.evidence import evidence_room

UTILITY = {"authorization": "Test csg-guangzhou utility"}


@pytest.mark.parametrize(("limits", "allowed"), [(RateLimits(), 30), (RateLimits(set_for={EVIDENCE: 2}), 2)])
async def test_one_address_asks_for_so_many_a_minute(databases: Databases, limits: RateLimits, allowed: int) -> None:
    async with evidence_room(databases.sqlite()) as room:
        app = app_behind_the_door(room.service, limits=limits)
        app.include_router(router)
        async with asking(app) as http:
            paths = [f"/v1/applications/app_{number}/evidence/redacted" for number in range(allowed + 1)]
            answers = [await http.get(path, headers=UTILITY) for path in paths]
    assert [each.status_code for each in answers] == [404] * allowed + [429]
    refused = answers[-1].json()
    assert (refused["check"], refused["facts"]["limit"]) == ("request.rate", f"{allowed}/minute")
    assert int(answers[-1].headers["retry-after"]) > 0
