"""The express lane takes a department's push as the ordinary route does, and counts and refuses as it does."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from limits import parse

from gateway.approvals.router import ExpressOutcomes, router
from gateway.http.app import HttpApp
from gateway.http.callers import Doorkeeper
from gateway.http.door import hang_door
from gateway.http.limits import RateLimits
from gateway.http.metrics import HttpMetrics
from gateway.http.pushes import UNPROVED
from gateway.http.services import Services, publish
from tests.support.approvals import ROAD, ApprovalsRoom, approvals_room, road_claims
from tests.support.door import PUBLIC_URL, NamedGate
from tests.support.storage import NOON

JOSE = {"content-type": "application/jose"}
PATH = f"/v1/departments/{ROAD}/outcomes"
ALWAYS_NEW = {"x-request-id", "content-length"}


@contextmanager
def served(databases: Any, *, express: bool) -> Iterator[tuple[FastAPI, ApprovalsRoom, RateLimits, HttpMetrics]]:
    with approvals_room(databases.sqlite()) as room:
        app, limits, metrics = HttpApp(docs_url=None, redoc_url=None), RateLimits(), HttpMetrics()
        publish(app, Services(Doorkeeper(NamedGate(), room.clock, PUBLIC_URL), limits, room.outcomes))
        app.include_router(router)
        lane = [ExpressOutcomes()] if express else []
        hang_door(app, metrics, https=True, max_body_bytes=20_000, express_templates=lane)
        yield app, room, limits, metrics


async def asked(app: FastAPI, path: str, body: bytes, headers: dict[str, str], method: str = "POST") -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=PUBLIC_URL) as client:
        return await client.request(method, path, content=body, headers=headers)


def said(answer: httpx.Response, ids: dict[str, str]) -> tuple[int, str, dict[str, str]]:
    """What was answered, with the identifiers that differ from room to room named instead."""
    text = answer.text
    for name, value in ids.items():
        text = text.replace(value, name)
    kept = {name: value for name, value in answer.headers.items() if name not in ALWAYS_NEW}
    return answer.status_code, _without_records(text), kept


def _without_records(text: str) -> str:
    import re

    return re.sub(r'"record_id":\s*"[^"]+"', '"record_id":"…"', text)


CASES = (
    "plain",
    "the same again",
    "contradicting",
    "another permit",
    "unreadable",
    "not authentic",
    "unknown department",
    "no code",
    "a query",
    "charset",
    "json",
    "no media type",
    "empty",
    "too long",
    "another method",
)


async def pushed(app: FastAPI, room: ApprovalsRoom, case: str) -> list[httpx.Response]:
    await room.receive_application()
    permit = (await room.open())[ROAD]
    room.permit = permit  # type: ignore[attr-defined]
    claims = road_claims(permit, 1, "accepted", NOON)
    good = room.sign(ROAD, claims)
    match case:
        case "plain":
            return [await asked(app, PATH, good, JOSE)]
        case "the same again":
            return [await asked(app, PATH, good, JOSE) for _ in range(2)]
        case "contradicting":
            other = room.sign(ROAD, {**claims, "outcome": "approved"})
            return [await asked(app, PATH, body, JOSE) for body in (good, other)]
        case "another permit":
            return [await asked(app, PATH, room.sign(ROAD, {**claims, "permit_id": "prm_none"}), JOSE)]
        case "unreadable":
            return [await asked(app, PATH, room.sign(ROAD, {**claims, "sequence": 0}), JOSE)]
        case "not authentic":
            return [await asked(app, PATH, good[:-4] + b"AAAA", JOSE)]
        case "unknown department":
            return [await asked(app, "/v1/departments/road-999999/outcomes", good, JOSE)]
        case "no code":
            return [await asked(app, "/v1/departments/ROAD/outcomes", good, JOSE)]
        case "a query":
            return [await asked(app, PATH + "?x=1", good, JOSE)]
        case "charset":
            return [await asked(app, PATH, good, {"content-type": "application/jose; charset=utf-8"})]
        case "json":
            return [await asked(app, PATH, good, {"content-type": "application/json"})]
        case "no media type":
            return [await asked(app, PATH, good, {})]
        case "empty":
            return [await asked(app, PATH, b"", JOSE)]
        case "too long":
            return [await asked(app, PATH, b"x" * size, JOSE) for size in (17_000, 21_000)]
        case _:
            return [await asked(app, PATH, good, JOSE, "PUT")]


@pytest.mark.parametrize("case", CASES)
async def test_with_and_without_the_lane_the_answer_is_the_same(databases: Any, case: str) -> None:
    seen = []
    for express in (True, False):
        with served(databases, express=express) as (app, room, _, metrics):
            answers = await pushed(app, room, case)
            permit = room.permit  # type: ignore[attr-defined]
            counted = sorted(
                (sample.labels["route"], sample.labels["status"], sample.value)
                for family in metrics.registry.collect()
                for sample in family.samples
                if sample.name == "bandian_http_requests_total"
            )
            actions = await room.actions()
            seen.append(([said(each, {"permit": permit}) for each in answers], counted, actions))
    assert seen[0] == seen[1]


@pytest.mark.parametrize("express", [True, False])
async def test_what_proves_nobody_is_limited_by_address_either_way(databases: Any, express: bool) -> None:
    with served(databases, express=express) as (app, room, limits, _):
        await room.receive_application()
        good = room.sign(ROAD, road_claims((await room.open())[ROAD], 1, "accepted", NOON))
        await asked(app, PATH, good[:-4] + b"AAAA", JOSE)
        address = "127.0.0.1"
        assert parse("600/minute") == UNPROVED
        for _ in range(UNPROVED.amount - 2):
            limits.count(UNPROVED, "outcomes_not_authentic", address)
        assert (await asked(app, PATH, good[:-4] + b"AAAA", JOSE)).status_code == 401
        assert (await asked(app, PATH, good, JOSE)).status_code == 429


async def test_the_lane_is_really_taken(databases: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = []
    answer = ExpressOutcomes.answer

    async def noted(self: ExpressOutcomes, scope: Any, body: bytes) -> bytes:
        taken.append(scope["path"])
        return await answer(self, scope, body)

    monkeypatch.setattr(ExpressOutcomes, "answer", noted)
    with served(databases, express=True) as (app, room, _, _metrics):
        (got,) = await pushed(app, room, "plain")
        assert (got.status_code, taken) == (202, [PATH])
