"""The departments' HTTP surface, under ``/{code}/…``, and the admin routes that play a department by hand."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import httpx
from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from pydantic import ValidationError

from mock_services.departments.desk import Desk, Refused
from mock_services.departments.scenario import Decision, Scenario
from mock_services.departments.store import Permit, SentOutcome
from mock_services.jose import RemoteKeySet, TokenRefused, verify
from mock_services.problems import problem_response
from schemas.departments import ReviewRequest
from schemas.wire import MEDIA_JOSE, Typ, format_instant

MAX_REQUEST_BYTES = 64 * 1024


@dataclass
class Counter:
    """What the routes need. ``gateway_keys`` and ``gateway_issuer`` say whose review requests are taken."""

    desk: Desk
    gateway_keys: RemoteKeySet
    gateway_issuer: str
    clock: Callable[[], datetime]


def install(app: FastAPI, counter: Counter) -> None:
    """Add the departments' routes to ``app``; admin routes too."""
    app.include_router(_admin_routes(counter))
    app.include_router(_department_routes(counter))
    app.add_exception_handler(Refused, _answer_refused)


def _answer_refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    status = 404 if error.check.endswith(".unknown") else 409
    return problem_response(status, error.check, "无法办理", error.remedy)


def _department_routes(counter: Counter) -> APIRouter:
    router = APIRouter()
    desk = counter.desk

    @router.get("/")
    async def departments() -> list[dict[str, Any]]:
        """Who is served here, for a person who looks."""
        return [
            {"code": one.code, "title": one.title, "permits": one.permits, "dialect": one.dialect}
            for one in desk.departments.values()
        ]

    @router.get("/healthz")
    async def healthz() -> dict[str, str]:
        """It answers, so it runs."""
        return {"status": "ok"}

    @router.get("/{code}/.well-known/jwks.json")
    async def jwks(code: str) -> Response:
        """The keys that this department's outcomes are signed with."""
        if code not in desk.keys:
            return _no_department()
        return JSONResponse({"keys": [desk.keys[code].public_jwk]})

    @router.post("/{code}/review-requests")
    async def review_requests(code: str, request: Request) -> Response:
        """Take a signed ``ReviewRequest``; 202 ``ReviewAcknowledged``, the same again for the same ``jti``."""
        if code not in desk.departments:
            return _no_department()
        at = counter.clock()
        try:
            review = await _read_review_request(counter, code, request, at)
        except TokenRefused as error:
            return problem_response(401, f"review_request.{error.reason}", "审批请求未能核验", "请核对签名与声明。")
        except ValidationError:
            return problem_response(422, "review_request.claims", "审批请求内容不符合约定", "请核对各项声明。")
        except httpx.HTTPError:
            return problem_response(503, "review_request.keys", "暂时无法核验", "请稍后重试。", owner="政府")
        acknowledged = desk.receive(review, at)
        return JSONResponse(acknowledged.model_dump(mode="json", exclude_none=True), 202)

    return router


def _no_department() -> Response:
    return problem_response(404, "departments.unknown", "没有该部门", "请核对部门代码。")


async def _read_review_request(counter: Counter, code: str, request: Request, at: datetime) -> ReviewRequest:
    body = await request.body()
    if request.headers.get("content-type", "").partition(";")[0].strip() != MEDIA_JOSE or len(body) > MAX_REQUEST_BYTES:
        raise TokenRefused("media_type")
    claims = await verify(
        body.decode("latin-1"),
        typ=Typ.REVIEW_REQUEST,
        keys=counter.gateway_keys,
        issuer=counter.gateway_issuer,
        audience=code,
        at=at,
    )
    return ReviewRequest.model_validate_json(json.dumps(claims))


def _admin_routes(counter: Counter) -> APIRouter:
    router = APIRouter(prefix="/__admin", include_in_schema=False)
    desk = counter.desk

    @router.get("/permits")
    async def permits() -> list[dict[str, Any]]:
        """Every permit with its script and how far it is."""
        return [_permit_view(permit) for permit in desk.store.permits()]

    @router.get("/outcomes")
    async def outcomes(permit_id: str | None = None) -> list[dict[str, Any]]:
        """Every outcome as sent: its JWS, attempts, last status, when it was acknowledged."""
        return [_outcome_view(outcome) for outcome in desk.store.outcomes(permit_id)]

    @router.post("/permits/{permit_id}/outcomes", status_code=201)
    async def decide(permit_id: str, decision: Decision) -> dict[str, Any]:
        """Decide by hand; it is pushed like any other."""
        return _outcome_view(desk.decide(permit_id, decision, counter.clock()))

    @router.post("/permits/{permit_id}/advance", status_code=201)
    async def advance(permit_id: str) -> dict[str, Any]:
        """Take the script's next step now."""
        return _outcome_view(desk.advance(permit_id, counter.clock()))

    @router.put("/rules")
    async def set_rules(request: Request) -> Response:
        """Replace the scripts by those of a TOML text; permits that are under way keep theirs."""
        try:
            desk.scenario = Scenario.parse((await request.body()).decode())
        except ValueError as error:
            return PlainTextResponse(str(error), 422)
        return JSONResponse({"rules": [rule.name for rule in desk.scenario.rule]})

    return router


def _permit_view(permit: Permit) -> dict[str, Any]:
    return {**asdict(permit), "next_step_at": _text(permit.next_step_at)}


def _outcome_view(outcome: SentOutcome) -> dict[str, Any]:
    times = ("decided_at", "next_attempt_at", "held_until", "acknowledged_at")
    return {**asdict(outcome), **{name: _text(getattr(outcome, name)) for name in times}}


def _text(at: datetime | None) -> str | None:
    return None if at is None else format_instant(at)
