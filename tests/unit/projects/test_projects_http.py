"""The room's doors over HTTP: media types, roles and scopes, status codes, and no echo of what was sent."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import httpx
import pytest
from fastapi import FastAPI

from gateway.caller import Caller, Role
from gateway.errors import Owner, Unauthenticated
from gateway.http.callers import Doorkeeper
from gateway.http.door import hang_door
from gateway.http.limits import RateLimits
from gateway.http.metrics import HttpMetrics
from gateway.http.services import Services, publish
from gateway.partners.model import SCOPES
from gateway.projects.router import router
from schemas.project_push import MAX_PUSH_BYTES
from tests.support.partners import ISSUER
from tests.support.projects import (
    GUANGZHOU,
    ITEM,
    PERSON,
    PHONE,
    PLATFORM,
    SHENZHEN,
    ProjectsRoom,
    claims,
    projects_room,
)

PUSH = f"/v1/platforms/{PLATFORM}/projects"
CALLERS = {
    GUANGZHOU: Caller(GUANGZHOU, Role.UTILITY, "t", SCOPES[Role.UTILITY]),
    SHENZHEN: Caller(SHENZHEN, Role.UTILITY, "t", SCOPES[Role.UTILITY]),
    "narrow": Caller(GUANGZHOU, Role.UTILITY, "t", frozenset({"events"})),
    PLATFORM: Caller(PLATFORM, Role.SOURCE, "t", SCOPES[Role.SOURCE]),
}


class NamedGate:
    """Takes the caller's word for who it is: these tests are about what lies behind the gate."""

    async def authenticate(
        self, authorizations: Sequence[str], proofs: Sequence[str], method: str, uri: str, at: datetime
    ) -> Caller:
        if not authorizations:
            raise Unauthenticated(check="token.missing", owner=Owner.CALLER, remedy="请携带访问令牌")
        return CALLERS[authorizations[0]]


@dataclass
class Door:
    room: ProjectsRoom
    http: httpx.AsyncClient

    async def push(self, body: bytes, media_type: str = "application/jose", path: str = PUSH) -> httpx.Response:
        return await self.http.post(path, content=body, headers={"Content-Type": media_type})

    async def call(self, method: str, path: str, caller: str | None = GUANGZHOU, **options) -> httpx.Response:
        headers = {"Authorization": caller} if caller else {}
        return await self.http.request(method, path, headers=headers, **options)

    async def lead_id(self) -> str:
        (lead,) = await self.room.held()
        return lead.lead_id


@pytest.fixture
async def door(databases) -> AsyncIterator[Door]:
    with projects_room(databases.sqlite()) as room:
        app = FastAPI()
        app.include_router(router)
        hang_door(app, HttpMetrics(), https=False)
        keeper = Doorkeeper(NamedGate(), room.clock, ISSUER)
        publish(app, Services(keeper, RateLimits(), room.intake, room.leads))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=ISSUER) as http:
            yield Door(room, http)


async def test_a_push_is_accepted_once_it_is_durable_and_needs_no_token(door: Door) -> None:
    answer = await door.push(door.room.sign(claims(1)))
    assert (answer.status_code, answer.json()["effect"], answer.json()["duplicate"]) == (202, "applied", False)
    again = await door.push(door.room.sign(claims(1)))
    assert (again.status_code, again.json()["duplicate"]) == (202, True)
    assert len(await door.room.events()) == 1


async def test_each_way_to_push_wrongly_has_its_status_and_names_nobody(door: Door) -> None:
    good = door.room.sign(claims(1))
    sent = door.room.sign(claims(1, xmspsxblxxb=[ITEM | {"sjyxbs": PERSON, PERSON: PHONE}]))
    answers = {
        "media type": await door.push(good, "application/json"),
        "platform": await door.push(good, path="/v1/platforms/nobody/projects"),
        "rubbish": await door.push(b"\xff\x00"),
        "size": await door.push(b"x" * (MAX_PUSH_BYTES + 1)),
        "claims": await door.push(sent),
    }
    assert {name: answer.status_code for name, answer in answers.items()} == {
        "media type": 415,
        "platform": 404,
        "rubbish": 401,
        "size": 401,
        "claims": 400,
    }
    for answer in answers.values():
        assert answer.headers["content-type"] == "application/problem+json"
        assert {"check", "owner", "remedy"} <= answer.json().keys()
        assert PERSON not in answer.text
        assert PHONE not in answer.text
    assert "xmspsxblxxb.0.sjyxbs" in answers["claims"].json()["remedy"]
    await door.push(good)
    other = await door.push(door.room.sign(claims(1, xmmc="另一个")))
    assert (other.status_code, other.json()["check"]) == (409, "project.contradicts")


async def test_only_its_own_utility_sees_a_lead(door: Door) -> None:
    await door.push(door.room.sign(claims(1)))
    lead = f"/v1/leads/{await door.lead_id()}"
    listed = await door.call("GET", "/v1/leads?status=new&region=440100&from=2026-03-02&to=2026-03-02")
    assert [each["lead_id"] for each in listed.json()["leads"]] == [await door.lead_id()]
    assert listed.json()["more"] is False
    assert (await door.call("GET", lead)).json()["project"]["site"] == "测试路 1 号"
    assert (await door.call("GET", f"{lead}/contact")).json()["phone"] == PHONE
    assert (await door.call("GET", "/v1/leads", SHENZHEN)).json() == {"leads": [], "cursor": None, "more": False}
    for path in (lead, f"{lead}/contact", "/v1/leads"):
        for caller, status in ((None, 401), ("narrow", 403), (PLATFORM, 403), (SHENZHEN, 404)):
            if (path, caller) != ("/v1/leads", SHENZHEN):
                assert (await door.call("GET", path, caller)).status_code == status, (path, caller)


async def test_progress_is_told_once_and_ends(door: Door) -> None:
    await door.push(door.room.sign(claims(1)))
    progress = f"/v1/leads/{await door.lead_id()}/progress"
    told = {"status": "contacted", "claimed_at": "2026-03-02T04:00:00Z"}
    first, again = [await door.call("POST", progress, json=told) for _ in range(2)]
    assert (first.status_code, first.json()["duplicate"], again.json()["duplicate"]) == (200, False, True)
    assert first.json()["record_id"] == again.json()["record_id"]
    for wrong in ({"status": "retracted"}, {"status": "new"}, {"claimed_at": "yesterday"}):
        assert (await door.call("POST", progress, json=told | wrong)).status_code == 422
    await door.push(door.room.sign(claims(2, sjyxbs=0)))
    gone = await door.call("POST", progress, json=told | {"status": "connected"})
    assert (gone.status_code, gone.json()["check"], gone.json()["clause"]) == (409, "lead.retracted", "第（七）条")


@pytest.mark.parametrize("query", ["status=open", "region=4401", "from=2026-13-01", "limit=0", "after=%00"])
async def test_a_list_is_narrowed_by_what_there_is(door: Door, query: str) -> None:
    assert (await door.call("GET", f"/v1/leads?{query}")).status_code == 422
