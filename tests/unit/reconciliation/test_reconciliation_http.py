"""The doors of reconciliation: who may come in, and what bad input is answered."""

from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI

from gateway.http.callers import Doorkeeper
from gateway.http.door import hang_door
from gateway.http.limits import RateLimits
from gateway.http.metrics import HttpMetrics
from gateway.http.services import Services, publish
from gateway.reconciliation.router import operator_router, router
from gateway.reconciliation.service import ReconciliationService
from schemas.wire import MEDIA_JOSE
from tests.support.approvals import UTILITY
from tests.support.partners import ISSUER, es256_key
from tests.support.storage import NOON, SetClock, opened
from tests.unit.approvals.test_approvals_http import NamedGate

DAY = NOON.date().isoformat()
REPORT = {"day": DAY, "root": "0" * 64, "count": 0, "differences": [], "differences_total": 0}


@pytest.fixture
async def http(databases) -> AsyncIterator[httpx.AsyncClient]:
    clock, app, key = SetClock(), FastAPI(), es256_key("answers-1")
    app.include_router(router)
    app.include_router(operator_router)
    hang_door(app, HttpMetrics(), https=False)
    with opened(databases.sqlite(), clock) as transactions:
        service = ReconciliationService(transactions, clock, lambda kind: f"{kind}_1", lambda: key, ISSUER)
        publish(app, Services(RateLimits(), Doorkeeper(NamedGate(), clock, ISSUER), service))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=ISSUER) as client:
            yield client


async def test_a_utility_gets_a_signed_answer_and_an_operator_its_report(http: httpx.AsyncClient) -> None:
    own, operator = {"Authorization": UTILITY}, {"Authorization": "operator"}
    answer = await http.get("/v1/reconciliation", headers=own)
    assert (answer.status_code, answer.headers["content-type"], answer.text.count(".")) == (200, MEDIA_JOSE, 2)
    assert (await http.post("/v1/reconciliation/reports", headers=own, json=REPORT)).json()["agrees"] is False
    listed = await http.get("/v1/operator/reconciliation", params={"differing": True}, headers=operator)
    assert [(each["utility"], each["day"]) for each in listed.json()["reports"]] == [(UTILITY, DAY)]
    shown = await http.get(f"/v1/operator/reconciliation/{UTILITY}/{DAY}", headers=operator)
    assert shown.json()["record_id"]
    missing = await http.get(f"/v1/operator/reconciliation/csg-shenzhen/{DAY}", headers=operator)
    assert (missing.status_code, missing.json()["check"]) == (404, "reconciliation.report")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/reconciliation"),
        ("GET", f"/v1/reconciliation/events?day={DAY}"),
        ("POST", "/v1/reconciliation/resend"),
        ("POST", "/v1/reconciliation/reports"),
        ("GET", "/v1/operator/reconciliation"),
        ("GET", f"/v1/operator/reconciliation/{UTILITY}/{DAY}"),
    ],
)
async def test_nobody_else_comes_in(http: httpx.AsyncClient, method: str, path: str) -> None:
    stranger = UTILITY if "operator" in path else "operator"
    body = REPORT if "reports" in path else {"reason": "receiver_asked", "event_ids": ["evt_1"]}
    for headers, status in (({}, 401), ({"Authorization": stranger}, 403)):
        answer = await http.request(method, path, headers=headers, json=body if method == "POST" else None)
        assert answer.status_code == status


async def test_bad_input_is_told_and_not_repeated(http: httpx.AsyncClient) -> None:
    own = {"Authorization": UTILITY}
    tomorrow = (NOON + timedelta(days=1)).date().isoformat()
    for query in (f"day={tomorrow}", f"from={tomorrow}&to={DAY}", "from=2026-01-01&to=2026-03-01"):
        refused = await http.get(f"/v1/reconciliation?{query}", headers=own)
        assert (refused.status_code, refused.json()["check"]) == (422, "reconciliation.days"), query
        assert refused.json()["facts"] == {"most_days": 31}
    for query in ("day=20260302", "day=0001-01-01", "from=440106199001011234"):
        refused = await http.get(f"/v1/reconciliation?{query}", headers=own)
        assert (refused.status_code, query.partition("=")[2] in refused.text) == (422, False), query
    for order in ({"reason": "free text", "event_ids": ["a"]}, {"reason": "receiver_asked", "event_ids": []}):
        assert (await http.post("/v1/reconciliation/resend", headers=own, json=order)).status_code == 422
    too_many = {"reason": "receiver_asked", "event_ids": [f"evt_{number}" for number in range(201)]}
    assert (await http.post("/v1/reconciliation/resend", headers=own, json=too_many)).status_code == 422
    ahead = {**REPORT, "day": tomorrow}
    assert (await http.post("/v1/reconciliation/reports", headers=own, json=ahead)).status_code == 422
