"""The utility's HTTP surface: the webhook, the event status, its public keys, and the admin routes."""

import json
from collections.abc import Awaitable
from datetime import date
from typing import Any, Literal

import httpx
from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from pydantic import ValidationError

from mock_services.jose import TokenRefused
from mock_services.problems import problem_response
from mock_services.utility.client import GatewayRefused, GatewayUnavailable
from mock_services.utility.driver import Driver, NothingToDo
from mock_services.utility.leads import LeadClerk
from mock_services.utility.purges import PurgeClerk
from mock_services.utility.receiver import Receiver
from mock_services.utility.reconciliation import Contradiction, Reconciler
from mock_services.utility.scenario import Scenario
from mock_services.utility.store import EventChanged
from mock_services.utility.webhooks import WebhookRefused
from schemas.capacity import CapacityRequest
from schemas.outages import OutageRequest
from schemas.partner_api import JointReviewRequest, StageEventRequest, VerifiedLicenceRequest
from schemas.ratings import RatingAnswer
from schemas.wire import MEDIA_CLOUDEVENT, MEDIA_JOSE, MEDIA_PROBLEM

MAX_EVENT_BYTES = 256 * 1024


def install(
    app: FastAPI, receiver: Receiver, driver: Driver, reconciler: Reconciler, clerk: LeadClerk, purges: PurgeClerk
) -> None:
    """Add all routes to ``app``."""
    app.include_router(_partner_routes(receiver))
    app.include_router(_admin_views(receiver, driver))
    app.include_router(_admin_actions(driver, purges))
    app.include_router(_admin_reconciliation(reconciler))
    app.include_router(_admin_leads(clerk))
    app.include_router(_admin_grid(driver))


def _partner_routes(receiver: Receiver) -> APIRouter:
    router = APIRouter()

    @router.get("/healthz")
    async def healthz() -> dict[str, str]:
        """It answers, so it runs."""
        return {"status": "ok"}

    @router.get("/.well-known/jwks.json")
    async def jwks() -> dict[str, Any]:
        """The key to register with the gateway: client assertions and receipts are signed with it."""
        return {"keys": [receiver.signing_key.public_jwk]}

    @router.post("/webhooks/bandian")
    async def webhook(request: Request) -> Response:
        """200 with a signed ``DeliveryReceipt`` once the event is durable; a repeated event gets another receipt."""
        body = await request.body()
        media_type = request.headers.get("content-type", "").partition(";")[0].strip()
        if media_type != MEDIA_CLOUDEVENT or len(body) > MAX_EVENT_BYTES:
            return problem_response(415, "webhook.media_type", "推送格式不符", "请以 CloudEvents 结构化 JSON 推送。")
        try:
            receipt = await receiver.receive(request.headers, body)
        except WebhookRefused as error:
            status = 422 if error.reason in ("event", "event_data", "department_signature") else 401
            return problem_response(status, f"webhook.{error.reason}", "推送未被接受", "请核对签名、时间与内容。")
        except EventChanged:
            return problem_response(409, "webhook.event_changed", "事件编号重复而内容不同", "请勿重复使用事件编号。")
        except (httpx.HTTPError, TokenRefused):
            return problem_response(503, "webhook.gateway_keys", "暂时无法核验", "请稍后重试。", owner="供电企业")
        return Response(receipt, media_type=MEDIA_JOSE)

    @router.get("/webhooks/bandian/events/{event_id}")
    async def status(event_id: str, request: Request) -> Response:
        """The signed receipt of an event that is held here, for the gateway whose answer was lost; 404 for others.

        The gateway signs the question as it signs an event, over an empty body.
        """
        try:
            receipt = await receiver.receipt_of(event_id, request.headers)
        except WebhookRefused as error:
            return problem_response(401, f"webhook.{error.reason}", "查询未被接受", "请核对签名与时间。")
        except (httpx.HTTPError, TokenRefused):
            return problem_response(503, "webhook.gateway_keys", "暂时无法核验", "请稍后重试。", owner="供电企业")
        if receipt is None:
            return problem_response(404, "webhook.event_unknown", "未收到此事件", "请重新推送。")
        return Response(receipt, media_type=MEDIA_JOSE)

    return router


def _admin_views(receiver: Receiver, driver: Driver) -> APIRouter:
    router = APIRouter(prefix="/__admin", include_in_schema=False)
    store = receiver.store

    @router.get("/applications")
    async def applications() -> list[dict[str, Any]]:
        """Every application with its plan, the next step and what halted it."""
        return store.applications()

    @router.get("/outcomes")
    async def outcomes(application_id: str | None = None) -> list[dict[str, Any]]:
        """Every outcome held, once, in order of arrival; ``signature`` is ``verified`` or ``unknown_key``."""
        return store.permits.outcomes(application_id)

    @router.get("/certificate-changes")
    async def certificate_changes(application_id: str | None = None) -> list[dict[str, Any]]:
        """Every change of a certificate that an application rests on, once, in order of arrival."""
        return store.licences.changes(application_id)

    @router.get("/events")
    async def events() -> list[dict[str, Any]]:
        """Every event held; ``repeats`` counts deliveries after the first."""
        return store.events.all()

    @router.get("/holes")
    async def holes() -> dict[str, Any]:
        """What is missing by the events' own numbers, and which came after a later one of their application."""
        return store.events.holes()

    @router.get("/contracts")
    async def contracts() -> list[dict[str, Any]]:
        """Every contract that its applicant signed or declined, with the gateway's statement or the reason."""
        return store.decisions.contracts()

    @router.get("/ratings")
    async def ratings() -> list[dict[str, Any]]:
        """How applicants rated the service."""
        return store.decisions.ratings()

    @router.get("/purges")
    async def purges() -> list[dict[str, Any]]:
        """What was purged after withdrawals, and when the gateway took the receipt for it."""
        return store.purges.all()

    @router.get("/feed")
    async def feed(after: int = 0) -> Response:
        """The gateway's pull feed as this utility sees it."""
        return await _answer(_dump(driver.client.events(after)))

    @router.put("/plans")
    async def set_plans(request: Request) -> Response:
        """Replace the plans by those of a TOML text; applications that are under way keep theirs."""
        try:
            receiver.scenario = Scenario.parse((await request.body()).decode())
        except ValueError as error:
            return PlainTextResponse(str(error), 422)
        return JSONResponse({"plans": [plan.name for plan in receiver.scenario.plan]})

    return router


def _admin_actions(driver: Driver, purges: PurgeClerk) -> APIRouter:
    router = APIRouter(prefix="/__admin/applications/{application_id}", include_in_schema=False)

    @router.post("/advance")
    async def advance(application_id: str) -> Response:
        """Take the plan's next step now."""
        try:
            return JSONResponse(await driver.advance(application_id))
        except NothingToDo:
            return problem_response(409, "applications.nothing_to_do", "没有待办步骤", "申请未知、已办完或授权已撤回。")

    @router.post("/licences")
    async def licences(application_id: str, request: Request) -> Response:
        """Ask for a licence: ``{kind, purpose, fields?, holder_code?}``; answers its claims or the problem."""
        body = await _object(request)
        try:
            wanted = VerifiedLicenceRequest.model_validate({**body, "application_id": application_id})
        except ValidationError as error:
            return JSONResponse({"errors": error.errors(include_input=False, include_url=False)}, 422)
        return await _answer(driver.fetch_licence(wanted))

    @router.post("/stage-events")
    async def stage_events(application_id: str, event: StageEventRequest) -> Response:
        """Post any stage event, a wrong one too."""
        return await _answer(_dump(driver.client.stage_event(application_id, event)))

    @router.post("/purge-receipt")
    async def purge_receipt(application_id: str) -> Response:
        """Confirm that what was fetched for a withdrawn application is gone, as it is since the withdrawal came."""
        purge = purges.purges.find(application_id)
        if purge is None:
            return problem_response(409, "applications.not_withdrawn", "没有撤回", "授权未被撤回，无须确认清除。")
        return await _answer(_dump(purges.confirm(purge)))

    @router.post("/rating-answer")
    async def rating_answer(application_id: str, answer: RatingAnswer) -> Response:
        """Answer the applicant's bad rating."""
        return await _answer(_dump(driver.client.answer_rating(application_id, answer)))

    @router.post("/joint-review")
    async def joint_review(application_id: str, review: JointReviewRequest, request: Request) -> Response:
        """Open a joint review by hand."""
        key = request.headers.get("idempotency-key", f"{application_id}:joint-review")
        return await _answer(_dump(driver.client.open_joint_review(application_id, review, idempotency_key=key)))

    return router


def _admin_reconciliation(reconciler: Reconciler) -> APIRouter:
    router = APIRouter(prefix="/__admin", include_in_schema=False)
    ledger = reconciler.ledger

    @router.post("/reconciliation")
    async def reconcile(day: date | None = None) -> Response:
        """Compare a day (today if left out) with the gateway now, and heal it; answers the report."""
        try:
            return await _answer(_dump(reconciler.compare(day)))
        except Contradiction:
            return problem_response(502, "gateway.contradiction", "对账清单与已签名的根不符", "请联系共享平台运营方。")

    @router.get("/reconciliation")
    async def reports() -> list[dict[str, Any]]:
        """What was found, by day."""
        return ledger.reports()

    @router.post("/events/forget")
    async def forget(event_ids: list[str]) -> dict[str, int]:
        """Lose events and their effects, as a restored backup would."""
        return {"forgotten": ledger.forget(event_ids)}

    @router.post("/events/{event_id}/tamper")
    async def tamper(event_id: str) -> dict[str, bool]:
        """Alter the stored body of an event."""
        return {"tampered": ledger.tamper(event_id)}

    return router


def _admin_leads(clerk: LeadClerk) -> APIRouter:
    router = APIRouter(prefix="/__admin/leads", include_in_schema=False)

    @router.get("")
    async def leads() -> list[dict[str, Any]]:
        """Every lead with its highest version, what is known of whom to ask, and how far we are with it."""
        return clerk.leads()

    @router.get("/at-the-gateway")
    async def at_the_gateway(status: str = "", after: str = "") -> Response:
        """A page of our leads as the gateway lists them."""
        return await _answer(_dump(clerk.client.leads(after, status)))

    @router.post("/{lead_id}/{status}")
    async def tell(lead_id: str, status: Literal["contacted", "connected"]) -> Response:
        """Tell the gateway how far we are."""
        return await _answer(clerk.tell(lead_id, status))

    return router


def _admin_grid(driver: Driver) -> APIRouter:
    router = APIRouter(prefix="/__admin", include_in_schema=False)

    @router.post("/outages")
    async def tell(request: Request) -> Response:
        """Tell of an outage, as the gateway takes it."""
        try:
            told = OutageRequest.model_validate(await _object(request))
        except ValidationError:
            return problem_response(422, "outage.form", "停电信息不完整", "请按接口说明填写。")
        return await _answer(_dump(driver.client.tell_outage(told)))

    @router.put("/grid-capacity/{area_id}")
    async def publish(area_id: str, request: Request) -> Response:
        """Publish what an area's grid has free, as the gateway takes it."""
        try:
            told = CapacityRequest.model_validate(await _object(request))
        except ValidationError:
            return problem_response(422, "capacity.form", "容量数据不完整", "请按接口说明填写。")
        return await _answer(_dump(driver.client.publish_capacity(area_id, told)))

    return router


async def _object(request: Request) -> dict[str, Any]:
    try:
        body = json.loads(await request.body())
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


async def _dump(answer: Awaitable[Any]) -> dict[str, Any]:
    found: dict[str, Any] = (await answer).model_dump(mode="json")
    return found


async def _answer(call: Awaitable[dict[str, Any]]) -> Response:
    """The gateway's answer, or its problem document with its own status."""
    try:
        return JSONResponse(await call)
    except GatewayRefused as error:
        content = error.problem.model_dump(mode="json", exclude_none=True)
        return JSONResponse(content, error.problem.status, media_type=MEDIA_PROBLEM)
    except GatewayUnavailable as error:
        return problem_response(503, "gateway.unavailable", "共享平台暂不可用", str(error), owner="共享平台")
