"""The express lane takes what the ordinary route would take, answers the same, and leaves everything else to it."""

import asyncio
import json
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from gateway.caller import Caller, ProofUse
from gateway.errors import Owner
from gateway.http.app import HttpApp
from gateway.http.callers import Doorkeeper
from gateway.http.door import hang_door
from gateway.http.limits import RateLimits
from gateway.http.metrics import HttpMetrics
from gateway.http.services import Services, publish
from gateway.licences.errors import NoOpenStage
from gateway.licences.router import ExpressLicences, router
from gateway.licences.service import LicenceService
from schemas.partner_api import VerifiedLicenceRequest
from tests.support.door import PUBLIC_URL, NamedGate
from tests.support.storage import SetClock

PATH = "/v1/verified-licences"
ASKED = {"application_id": "app_1", "kind": "business_licence", "purpose": "grid_connection"}
AS_UTILITY = {"authorization": "Test csg utility"}


class Answering(LicenceService):
    """Answers what it was asked; the application ``app_over`` is closed."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, VerifiedLicenceRequest]] = []

    async def answer(self, caller: Caller, request: VerifiedLicenceRequest, use: ProofUse | None = None) -> str:
        self.asked.append((caller.partner_code, request))
        if request.application_id == "app_over":
            raise NoOpenStage(check="licence.closed", owner=Owner.UTILITY, remedy="申请已办结", clause="第（六）条")
        return "header.claims.signature"


def served(*, express: bool) -> tuple[FastAPI, Answering, HttpMetrics]:
    app, service, metrics = HttpApp(docs_url=None, redoc_url=None), Answering(), HttpMetrics()
    services = Services(Doorkeeper(NamedGate(), SetClock(), PUBLIC_URL), RateLimits())
    services._by_type[LicenceService] = service
    publish(app, services)
    app.include_router(router)
    lane = [ExpressLicences()] if express else []
    hang_door(app, metrics, https=True, max_body_bytes=2048, express=lane)
    return app, service, metrics


async def asked(app: FastAPI, body: bytes, headers: dict[str, str], method: str = "POST") -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=PUBLIC_URL) as client:
        return await client.request(method, PATH, content=body, headers=headers)


JSON = {"content-type": "application/json", **AS_UTILITY}
CASES: dict[str, tuple[bytes, dict[str, str], str]] = {
    "plain": (json.dumps(ASKED).encode(), JSON, "POST"),
    "narrowed": (json.dumps({**ASKED, "fields": ["name"]}).encode(), JSON, "POST"),
    "refused": (json.dumps({**ASKED, "application_id": "app_over"}).encode(), JSON, "POST"),
    "charset": (json.dumps(ASKED).encode(), {**JSON, "content-type": "application/json; charset=utf-8"}, "POST"),
    "no media type": (json.dumps(ASKED).encode(), AS_UTILITY, "POST"),
    "another media type": (json.dumps(ASKED).encode(), {**JSON, "content-type": "text/plain"}, "POST"),
    "nobody": (json.dumps(ASKED).encode(), {"content-type": "application/json"}, "POST"),
    "a department": (json.dumps(ASKED).encode(), {**JSON, "authorization": "Test road department"}, "POST"),
    "not json": (b"{", JSON, "POST"),
    "empty": (b"", JSON, "POST"),
    "a list": (b"[]", JSON, "POST"),
    "missing": (b'{"kind": "business_licence"}', JSON, "POST"),
    "unknown member": (json.dumps({**ASKED, "person": "x"}).encode(), JSON, "POST"),
    "wrong type": (json.dumps({**ASKED, "fields": "name"}).encode(), JSON, "POST"),
    "not utf-8": (b'{"application_id": "\xff"}', JSON, "POST"),
    "too large": (json.dumps({**ASKED, "x": "y" * 4000}).encode(), JSON, "POST"),
    "another method": (b"", AS_UTILITY, "GET"),
}


@pytest.mark.parametrize("case", CASES)
async def test_with_and_without_the_lane_the_answer_is_the_same(case: str) -> None:
    body, headers, method = CASES[case]
    seen = []
    for express in (True, False):
        app, service, _ = served(express=express)
        answer = await asked(app, body, dict(headers), method)
        kept = {name: value for name, value in answer.headers.items() if name != "x-request-id"}
        seen.append((answer.status_code, answer.content, kept, service.asked))
    assert seen[0] == seen[1]


async def test_the_lane_is_counted_as_the_route_that_it_is() -> None:
    app, _, metrics = served(express=True)
    await asked(app, *CASES["plain"][:2])
    await asked(app, *CASES["refused"][:2])
    counted = {
        (sample.labels["route"], sample.labels["status"]): sample.value
        for family in metrics.registry.collect()
        for sample in family.samples
        if sample.name == "bandian_http_requests_total"
    }
    assert counted == {(PATH, "200"): 1.0, (PATH, "422"): 1.0}


async def test_too_much_in_pieces_is_refused_and_counted_as_the_route_that_it_is() -> None:
    app, service, metrics = served(express=True)

    async def pieces() -> Any:
        for _ in range(50):
            yield b"x" * 100

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=PUBLIC_URL) as client:
        answer = await client.post(PATH, content=pieces(), headers=JSON)
    assert (answer.status_code, service.asked) == (413, [])
    routes = {
        sample.labels["route"]
        for family in metrics.registry.collect()
        for sample in family.samples
        if sample.name == "bandian_http_requests_total"
    }
    assert routes == {PATH}


async def test_a_body_in_pieces_is_one_body() -> None:
    app, service, _ = served(express=True)
    body = CASES["plain"][0]

    async def pieces() -> Any:
        for start in range(0, len(body), 7):
            yield body[start : start + 7]

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=PUBLIC_URL) as client:
        answer = await client.post(PATH, content=pieces(), headers=JSON)
    assert (answer.status_code, len(service.asked)) == (200, 1)


async def test_a_caller_who_goes_away_is_counted_and_no_longer_in_flight() -> None:
    app, service, metrics = served(express=True)
    asking, begun = asyncio.Event(), asyncio.Event()

    async def slow(caller: Caller, request: VerifiedLicenceRequest, use: ProofUse | None = None) -> str:
        begun.set()
        await asking.wait()
        return "never"

    service.answer = slow  # type: ignore[method-assign]
    task = asyncio.create_task(asked(app, *CASES["plain"][:2]))
    await begun.wait()
    assert metrics.registry.get_sample_value("bandian_http_in_flight") == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert metrics.registry.get_sample_value("bandian_http_in_flight") == 0


async def test_a_fault_on_the_lane_is_answered_as_on_any_route() -> None:
    answers = []
    for express in (True, False):
        app, service, metrics = served(express=express)

        async def broken(caller: Caller, request: VerifiedLicenceRequest, use: ProofUse | None = None) -> str:
            raise RuntimeError("440106199001011234")

        service.answer = broken  # type: ignore[method-assign]
        answer = await asked(app, *CASES["plain"][:2])
        assert metrics.registry.get_sample_value("bandian_http_in_flight") == 0
        answers.append((answer.status_code, answer.content, sorted(answer.headers)))
    assert answers[0] == answers[1]
    assert answers[0][0] == 500


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
REQUESTS = st.fixed_dictionaries(
    {},
    optional={
        "application_id": st.sampled_from(["app_1", "", "a b", "x" * 200]) | VALUES,
        "kind": st.sampled_from(["business_licence", "Not A Slug"]) | VALUES,
        "purpose": st.just("grid_connection") | VALUES,
        "fields": st.none() | st.lists(st.sampled_from(["name", "valid_on", "?"]), max_size=70) | VALUES,
        "holder_code": st.none() | st.text(max_size=20) | VALUES,
        "more": VALUES,
    },
)
ORDINARY = TypeAdapter(VerifiedLicenceRequest)


@given(REQUESTS, st.booleans())
def test_what_the_lane_takes_is_what_the_framework_reads(document: dict[str, Any], escaped: bool) -> None:
    body = json.dumps(document, ensure_ascii=escaped).encode(errors="surrogatepass")
    taken = ExpressLicences().take(body)
    try:
        ordinary = ORDINARY.validate_python(json.loads(body))
    except (ValidationError, ValueError):
        ordinary = None
    if taken is not None:
        assert taken == ordinary


def test_a_request_is_known_by_its_bytes_unless_it_names_somebody() -> None:
    lane = ExpressLicences()
    asked = {"application_id": "app_1", "kind": "business_licence", "purpose": "grid_connection"}
    whole = json.dumps(asked).encode()
    first = lane.take(whole)
    assert first is not None
    assert lane.take(bytes(bytearray(whole))) is first
    assert lane.take(json.dumps({**asked, "kind": "id_card"}).encode()) != first
    for more in ({"holder_code": "91440101MA59N2QB8Y"}, {"fields": ["x" * 60] * 10}, {"unheard_of": 1}):
        body = json.dumps({**asked, **more}).encode()
        assert lane.take(body) == lane.take(body)
    assert len(lane._known._kept) == 2, "neither who names somebody, nor what is long, nor what is no request"
