"""The room's doors over HTTP: roles, media types, once-only, status codes; and the deliveries beside them."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import httpx
import pytest
from fastapi import FastAPI
from limits import parse

from adapters.storage.transactions import SqlTransactions
from gateway.applications.rule_book import published_rules
from gateway.approvals.router import router as approvals_router
from gateway.caller import Caller, Role
from gateway.delivery.router import operator_router
from gateway.delivery.router import router as events_router
from gateway.delivery.service import DeliveryService
from gateway.errors import Owner, Unauthenticated
from gateway.http.callers import Doorkeeper
from gateway.http.door import hang_door
from gateway.http.idempotency import Idempotency
from gateway.http.limits import RateLimits
from gateway.http.metrics import HttpMetrics
from gateway.http.services import Services, publish
from gateway.identity.model import VerifiedApplicant
from gateway.identity.router import Token, verified_applicant
from gateway.partners.model import SCOPES
from gateway.progress.router import router as progress_router
from gateway.progress.service import ProgressService
from tests.support.approvals import (
    BASIS,
    GREENERY,
    LOW_LINE,
    ROAD,
    UTILITY,
    ApprovalsRoom,
    a_small_application,
    approvals_room,
    intake,
    road_claims,
    the_applicant,
)
from tests.support.partners import ISSUER
from tests.support.storage import DIGESTS, NOON

REVIEW = "/v1/applications/app_1/joint-review"
MINE, ANOTHERS = "Bearer mine", "Bearer anothers"
HOLDERS = {"mine": the_applicant(), "anothers": the_applicant("1" * 64)}
NOT_AUTHENTIC = parse("600/minute")
CALLERS = {
    code: Caller(code, role, "t", SCOPES[role])
    for code, role in ((UTILITY, Role.UTILITY), ("csg-shenzhen", Role.UTILITY), ("operator", Role.OPERATOR))
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
    room: ApprovalsRoom
    http: httpx.AsyncClient
    limits: RateLimits
    keys: int = 0

    async def call(self, method: str, path: str, caller: str | None = UTILITY, **options) -> httpx.Response:
        self.keys += 1
        headers = {"Idempotency-Key": f"key-{self.keys:08d}", **({"Authorization": caller} if caller else {})}
        return await self.http.request(method, path, headers=headers | options.pop("headers", {}), **options)


@pytest.fixture
async def door(databases) -> AsyncIterator[Door]:
    with approvals_room(databases.sqlite()) as room:
        await room.receive_application()
        app = FastAPI()
        for router in (approvals_router, progress_router, events_router, operator_router):
            app.include_router(router)
        app.dependency_overrides[verified_applicant] = holder
        hang_door(app, HttpMetrics(), https=False)
        limits = RateLimits()
        publish(app, _services(room, room.transactions, limits))
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url=ISSUER) as http:
            yield Door(room, http, limits)


async def holder(token: Token) -> VerifiedApplicant:
    """Takes the session's word: sessions have tests of their own. A partner's token is nobody's session."""
    return HOLDERS[token]


def _services(room: ApprovalsRoom, transactions: SqlTransactions, limits: RateLimits) -> Services:
    return Services(
        limits,
        room.commitments,
        ProgressService(transactions, published_rules, room.clock),
        Doorkeeper(NamedGate(), room.clock, ISSUER),
        Idempotency(transactions, room.clock, DIGESTS),
        room.window,
        room.outcomes,
        DeliveryService(transactions, ISSUER),
    )


def body(*permits, **line):
    return intake(*permits, **line).model_dump(mode="json")


async def test_a_review_is_opened_once_and_shown(door: Door) -> None:
    opened = await door.call("POST", REVIEW, json=body())
    assert opened.status_code == 201
    assert (await door.call("POST", REVIEW, json=body())).status_code == 200
    shown = await door.call("GET", REVIEW)
    assert (shown.status_code, shown.json()) == (200, opened.json())
    conflict = await door.call("POST", REVIEW, json=body(length_m=1))
    assert (conflict.status_code, conflict.json()["type"]) == (409, "urn:bandian:problem:review-contradicts")
    assert conflict.json()["record_id"]


async def test_the_same_key_gets_the_same_answer(door: Door) -> None:
    headers = {"Idempotency-Key": "the-same-key"}
    first = await door.call("POST", REVIEW, json=body(), headers=headers)
    again = await door.call("POST", REVIEW, json=body(), headers=headers)
    assert (first.status_code, again.status_code, first.content) == (201, 201, again.content)
    other = await door.call("POST", REVIEW, json=body(length_m=1), headers=headers)
    assert other.status_code == 422


@pytest.mark.parametrize(
    ("method", "path", "caller", "status"),
    [
        ("GET", REVIEW, None, 401),
        ("GET", REVIEW, "operator", 403),
        ("GET", REVIEW, UTILITY, 404),
        ("POST", REVIEW, "operator", 403),
        ("POST", REVIEW, "csg-shenzhen", 404),
        ("GET", "/v1/events", "operator", 403),
        ("GET", "/v1/events?after=-1", UTILITY, 422),
        ("GET", "/v1/events?limit=100000", UTILITY, 422),
        ("GET", "/v1/operator/deliveries", UTILITY, 403),
        ("GET", "/v1/operator/deliveries/none", "operator", 404),
    ],
)
async def test_who_may_not_is_told_so(door: Door, method: str, path: str, caller: str | None, status: int) -> None:
    response = await door.call(method, path, caller, json=body() if method == "POST" else None)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"


async def test_the_applicant_reads_and_gives_a_commitment_and_the_utility_cannot(door: Door) -> None:
    await door.room.receive_application(a_small_application("app_2"))
    wanted = {"department": GREENERY, "permit": "greenery_occupation", "mode": "commitment"}
    review = REVIEW.replace("app_1", "app_2")
    opened = (await door.call("POST", review, json=body(wanted, **LOW_LINE))).json()
    assert opened["permits"][0]["mode_clause"] == BASIS
    waiting = (await door.call("GET", "/v1/applications/app_2/progress", MINE)).json()["permits"][0]
    path = f"{review}/permits/{opened['permits'][0]['permit_id']}/commitment"
    assert (waiting["next_step"], waiting["next_step_href"]) == ("待您办理：阅读并签署告知承诺书", path)

    for caller, status in ((UTILITY, 401), (None, 401), (ANOTHERS, 404)):
        assert (await door.call("GET", path, caller)).status_code == status
        assert (await door.call("POST", path, caller, json={"accept": True})).status_code == status
    for refused in ({"accept": False}, {}, {"accept": True, "commitment": "0" * 64}):
        assert (await door.call("POST", path, MINE, json=refused)).status_code == 422

    shown = (await door.call("GET", path, MINE)).json()
    given = await door.call("POST", path, MINE, json={"accept": True})
    assert (given.status_code, given.json()["text"]) == (200, shown["text"])
    assert given.json()["record_id"]
    assert (await door.call("POST", path, MINE, json={"accept": True})).json() == given.json()
    assert (await door.call("GET", review)).json()["state"] == "approved"
    done = (await door.call("GET", "/v1/applications/app_2/progress", MINE)).json()["permits"][0]
    assert (done["next_step"], done["summary"]["state"]) == (None, "approved_on_commitment")


async def test_a_mode_without_a_rule_is_a_problem_with_its_clause(door: Door) -> None:
    wanted = {"department": GREENERY, "permit": "greenery_occupation", "mode": "exempt"}
    refused = await door.call("POST", REVIEW, json=body(wanted))
    assert (refused.status_code, refused.json()["clause"]) == (422, "第（四）条")
    assert refused.json()["type"] == "urn:bandian:problem:review-mode-not-allowed"
    assert refused.json()["record_id"]


@pytest.mark.parametrize("voltage_v", [381, 3_000, 5_999])
async def test_a_voltage_that_is_neither_low_nor_high_is_a_problem(door: Door, voltage_v: int) -> None:
    refused = await door.call("POST", REVIEW, json=body(voltage_v=voltage_v))
    assert (refused.status_code, refused.json()["check"]) == (422, "joint_review.voltage")


async def test_the_applicant_sees_what_is_odd_about_an_outcome(door: Door) -> None:
    opened = (await door.call("POST", REVIEW, json=body())).json()
    permit_id = next(permit["permit_id"] for permit in opened["permits"] if permit["department"] == ROAD)
    claims = road_claims(permit_id, 2, "approved", NOON, decided_at="2031-01-01T00:00:00Z")
    await door.room.push(ROAD, claims)
    permits = (await door.call("GET", "/v1/applications/app_1/progress", MINE)).json()["permits"]
    shown = next(permit for permit in permits if permit["summary"]["department"] == ROAD)
    assert shown["outcomes"][0]["findings"] == ["backdated.later_than_now"]
    assert shown["summary"]["missing_sequences"] == [1]


async def test_junk_is_refused_counted_and_slowed_down_and_fills_no_record(door: Door) -> None:
    await door.call("POST", REVIEW, json=body())
    jose = {"content-type": "application/jose"}
    path = f"/v1/departments/{ROAD}/outcomes"
    for n in range(600):
        door.limits.count(NOT_AUTHENTIC, "outcomes_not_authentic", "127.0.0.1")
        if n % 150 == 0:
            assert (await door.call("POST", path, None, content=b"a.b.c", headers=jose)).status_code == 401
    slowed = await door.call("POST", path, None, content=b"a.b.c", headers=jose)
    assert (slowed.status_code, slowed.json()["check"]) == (429, "request.rate")
    assert await door.room.actions() == ["review.opened"]


async def test_an_outcome_is_pushed_with_no_token_and_comes_out_at_the_feed(door: Door) -> None:
    opened = (await door.call("POST", REVIEW, json=body())).json()
    permit_id = next(permit["permit_id"] for permit in opened["permits"] if permit["department"] == ROAD)
    signed = door.room.sign(ROAD, road_claims(permit_id, 1, "approved", NOON))
    path = f"/v1/departments/{ROAD}/outcomes"
    jose = {"content-type": "application/jose"}
    answers = [await door.call("POST", path, None, content=signed, headers=jose) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert [answer.json()["duplicate"] for answer in answers] == [False, True]
    wrong_type = await door.call("POST", path, None, content=signed, headers={"content-type": "application/json"})
    assert wrong_type.status_code == 415
    forged = await door.call("POST", path, None, content=signed[:-8] + b"AAAAAAAA", headers=jose)
    assert (forged.status_code, forged.json()["owner"]) == (401, "政府")
    elsewhere = await door.call("POST", "/v1/departments/mining-440100/outcomes", None, content=signed, headers=jose)
    assert elsewhere.status_code == 404
    page = (await door.call("GET", "/v1/events?after=1")).json()
    assert ([event["data"]["signed_outcome"] for event in page["events"]], page["cursor"]) == ([signed.decode()], 2)
    assert (await door.call("GET", "/v1/events", "csg-shenzhen")).json()["events"] == []


async def test_an_operator_lists_and_may_not_replay_what_is_under_way(door: Door) -> None:
    await door.call("POST", REVIEW, json=body())
    listed = (await door.call("GET", f"/v1/operator/deliveries?destination={ROAD}&state=pending", "operator")).json()
    (delivery,) = listed["deliveries"]
    assert listed["cursor"] is None
    newest = (await door.call("GET", "/v1/operator/deliveries?limit=1", "operator")).json()
    older = f"/v1/operator/deliveries?limit=500&before={newest['cursor']}"
    rest = (await door.call("GET", older, "operator")).json()
    whole = (await door.call("GET", "/v1/operator/deliveries", "operator")).json()
    assert len(whole["deliveries"]) > 1
    assert newest["deliveries"] + rest["deliveries"] == whole["deliveries"]
    assert (await door.call("GET", "/v1/operator/deliveries?before=<b>", "operator")).status_code == 422
    shown = await door.call("GET", f"/v1/operator/deliveries/{delivery['event_id']}", "operator")
    assert shown.json()["channel"] == "department"
    path = f"/v1/operator/deliveries/{delivery['event_id']}/replay"
    assert (await door.call("POST", path, "operator", json={"reason": "某人要求"})).status_code == 422
    under_way = await door.call("POST", path, "operator", json={"reason": "drill"})
    assert (under_way.status_code, under_way.json()["type"]) == (409, "urn:bandian:problem:delivery-under-way")


async def test_an_operator_sees_receivers_and_replays_or_enables_them(door: Door) -> None:
    await door.call("POST", REVIEW, json=body())
    where = "/v1/operator/deliveries/destinations"
    listed = (await door.call("GET", where, "operator")).json()["destinations"]
    assert {each["destination"]: (each["pending"], each["disabled_at"]) for each in listed}[ROAD] == (1, None)
    assert (await door.call("GET", where, UTILITY)).status_code == 403
    since = {"since": "2026-01-01T00:00:00+08:00", "reason": "receiver_lost_data"}
    page = await door.call("POST", f"{where}/{ROAD}/replay", "operator", json=since)
    assert (page.status_code, page.json()["replayed"], page.json()["more"]) == (202, [], False)
    endless = await door.call("POST", f"{where}/{ROAD}/replay", "operator", json={**since, "limit": 501})
    assert endless.status_code == 422
    enabled = await door.call("POST", f"{where}/{ROAD}/enable", "operator", json={"reason": "receiver_restored"})
    assert (enabled.status_code, enabled.json()["type"]) == (409, "urn:bandian:problem:destination-not-disabled")
    assert (await door.call("POST", f"{where}/{ROAD}/enable", UTILITY, json={"reason": "drill"})).status_code == 403


async def test_the_interface_describes_itself_with_examples(door: Door) -> None:
    document = (await door.http.get("/openapi.json")).json()
    post = document["paths"]["/v1/applications/{application_id}/joint-review"]["post"]
    assert post["requestBody"]["content"]["application/json"]["examples"]
    assert {"dpop": []} in post["security"]
    push = document["paths"]["/v1/departments/{code}/outcomes"]["post"]
    assert "application/jose" in push["requestBody"]["content"]
