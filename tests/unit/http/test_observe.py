"""One log line and one count a request, without address, query or person; headers and rate limits."""

import asyncio
import io
import logging
from collections.abc import Iterator
from typing import Annotated

import orjson
import pytest
import structlog
from fastapi import Depends, FastAPI, Response
from prometheus_client import generate_latest

from gateway.caller import Caller
from gateway.errors import NotFound, Owner
from gateway.http.callers import require_role
from gateway.http.door import hang_door
from gateway.http.limits import RateLimit
from gateway.http.metrics import MOST_CAUSES, HttpMetrics, Refusal
from gateway.logging import configure_logging
from tests.support.door import app_behind_the_door, asking

NUMBER = "440106199001011234"
UTILITY = {"Authorization": "Test csg-guangzhou utility"}


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    stream = io.StringIO()
    configure_logging("INFO", stream)
    yield stream
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


def make_app() -> FastAPI:
    app = app_behind_the_door()

    @app.get("/things/{name}")
    async def thing(name: str, caller: Annotated[Caller, Depends(require_role("utility"))]) -> str:
        return "ok"

    @app.get("/page")
    async def page() -> Response:
        return Response("<p>", headers={"Content-Security-Policy": "default-src 'self'"}, media_type="text/html")

    @app.get("/fault")
    async def fault() -> None:
        raise RuntimeError(f"could not read {NUMBER}")

    @app.get("/limited", dependencies=[Depends(RateLimit("test", "2/minute"))])
    async def limited() -> str:
        return "ok"

    return app


async def test_one_line_a_request_tells_route_status_and_caller_and_nothing_of_the_address(lines: io.StringIO) -> None:
    async with asking(make_app()) as client:
        answer = await client.get(f"/things/{NUMBER}?name=李四&id={NUMBER}", headers=UTILITY)
    await asyncio.sleep(0)  # such lines are written in the loop's next round
    (line,) = [orjson.loads(text) for text in lines.getvalue().splitlines() if '"request"' in text]
    assert (line["method"], line["route"], line["status"]) == ("GET", "/things/{name}", 200)
    assert line["caller"] == "csg-guangzhou"
    assert line["request_id"] == answer.headers["x-request-id"]
    assert NUMBER not in lines.getvalue()
    assert "李四" not in lines.getvalue()
    assert "%E6" not in lines.getvalue()


async def test_a_method_that_a_caller_made_up_is_not_told(lines: io.StringIO) -> None:
    async with asking(make_app()) as client:
        await client.request(NUMBER, "/page")
    await asyncio.sleep(0)
    (line,) = [orjson.loads(text) for text in lines.getvalue().splitlines() if '"request"' in text]
    assert line["method"] == "OTHER"
    assert NUMBER not in lines.getvalue()


async def test_a_fault_is_logged_by_its_type_and_places_never_its_message(lines: io.StringIO) -> None:
    async with asking(make_app()) as client:
        await client.get("/fault")
    (line,) = [orjson.loads(text) for text in lines.getvalue().splitlines() if "request.fault" in text]
    assert line["fault"] == "RuntimeError"
    assert any("fault" in frame for frame in line["frames"])
    assert "could not read" not in lines.getvalue()


async def test_each_request_has_an_identifier_of_ours(lines: io.StringIO) -> None:
    async with asking(make_app()) as client:
        answers = [await client.get("/page", headers={"X-Request-Id": NUMBER}) for _ in range(2)]
    identifiers = {answer.headers["x-request-id"] for answer in answers}
    assert len(identifiers) == 2
    assert NUMBER not in identifiers


async def test_counts_are_by_template_and_do_not_grow_with_addresses(lines: io.StringIO) -> None:
    async with asking(make_app()) as client:
        for name in ("a", "b"):
            await client.get(f"/things/{name}", headers=UTILITY)
            await client.get(f"/nowhere/{name}")
            await client.request(f"ODD{name}", "/page")
        text = (await client.get("/metrics")).text
    assert 'bandian_http_requests_total{method="GET",route="/things/{name}",status="200"} 2.0' in text
    assert 'bandian_http_requests_total{method="GET",route="unmatched",status="404"} 2.0' in text
    assert 'method="OTHER"' in text
    assert "nowhere" not in text
    assert 'bandian_http_request_seconds_count{method="GET",route="/things/{name}"} 2.0' in text


async def test_security_headers_stand_on_every_answer_and_give_way_to_a_pages_own() -> None:
    async with asking(make_app()) as client:
        for path in ("/page", "/nowhere", "/fault"):
            answer = await client.get(path)
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["cache-control"] == "no-store"
            assert answer.headers["strict-transport-security"].startswith("max-age=")
            assert len(answer.headers.get_list("content-security-policy")) == 1
        assert (await client.get("/page")).headers["content-security-policy"] == "default-src 'self'"
        assert "default-src 'none'" in (await client.get("/nowhere")).headers["content-security-policy"]


async def test_beyond_the_rate_a_caller_waits() -> None:
    async with asking(make_app()) as client:
        statuses = [(await client.get("/limited")).status_code for _ in range(3)]
        refused = await client.get("/limited")
    assert statuses == [200, 200, 429]
    assert 1 <= int(refused.headers["retry-after"]) <= 61
    assert refused.json()["retry_after"] == int(refused.headers["retry-after"])


async def test_refusals_are_counted_by_kind_and_others_add_to_what_is_scraped() -> None:
    app, metrics = FastAPI(docs_url=None, redoc_url=None), HttpMetrics()

    @app.get("/things/{name}")
    async def refused(name: str) -> None:
        raise NotFound(check="thing.unknown", owner=Owner.CALLER, remedy="请核对")

    async def more() -> bytes:
        return b"bandian_more 1.0\n"

    metrics.more = more
    hang_door(app, metrics, https=True, max_body_bytes=1024)
    async with asking(app) as client:
        for path in ("/things/1", "/things/2", "/nowhere", "/metrics"):
            await client.get(path)
        await client.post("/things/1", content=b"x" * 2000)
        shown = (await client.get("/metrics")).text
    assert 'bandian_refusals_total{check="thing.unknown",kind="not-found"} 2.0' in shown
    assert 'bandian_refusals_total{check="request.no_such_resource",kind="no-such-resource"} 1.0' in shown
    assert 'bandian_refusals_total{check="request.body_size",kind="body-too-large"} 1.0' in shown
    assert "bandian_more 1.0" in shown


def test_causes_of_refusals_are_bounded_whatever_is_refused() -> None:
    metrics = HttpMetrics()
    for number in range(MOST_CAUSES + 50):
        metrics.observe("GET", "/", 422, 0.1, Refusal("rejected", f"made.up_{number}"))
    shown = generate_latest(metrics.registry).decode()
    assert shown.count("bandian_refusals_total{") == MOST_CAUSES + 1
    assert 'bandian_refusals_total{check="other",kind="rejected"} 50.0' in shown
