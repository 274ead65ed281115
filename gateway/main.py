"""The serving process: ``create_app`` builds it; nothing happens at import."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import structlog
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from adapters.draining import Draining
from gateway import __version__
from gateway.applications import router as applications_router
from gateway.approvals import router as approvals_router
from gateway.bootstrap.clients import clients
from gateway.bootstrap.foundation import GATEWAY_NAME, Foundation, lay_foundation
from gateway.bootstrap.hub import build_hub
from gateway.bootstrap.loops import loops_beside_serving
from gateway.capacity import router as capacity_router
from gateway.clock import Clock, system_clock
from gateway.contracts import router as contracts_router
from gateway.crypto import sm2
from gateway.delivery import router as delivery_router
from gateway.errors import GatewayError
from gateway.evidence import router as evidence_router
from gateway.heap import settled_heap
from gateway.http.app import HttpApp
from gateway.http.door import hang_door
from gateway.http.event_reference import serve_event_reference
from gateway.http.metrics import HttpMetrics
from gateway.http.reference import serve_reference
from gateway.http.services import publish
from gateway.identity import router as identity_router
from gateway.licences import router as licences_router
from gateway.logging import configure_logging
from gateway.outages import router as outages_router
from gateway.oversight import router as oversight_router
from gateway.partners import router as partners_router
from gateway.portal.site import serve_pages
from gateway.progress import router as progress_router
from gateway.projects import router as projects_router
from gateway.ratings import router as ratings_router
from gateway.reconciliation import router as reconciliation_router
from gateway.records import router as records_router
from gateway.settings import Settings, load_settings

DESCRIPTION = """发改能源规〔2020〕1479号第（七）条的政企协同办电信息共享平台。

供电企业与审批部门以 `private_key_jwt` 换取 DPoP 绑定的访问令牌；申请人以身份核验会话办理。
每一次拒绝都是 RFC 9457 问题文档：哪项检查未通过、由谁处理、如何处理、依据哪一条。"""

ROUTERS = (
    partners_router.router,
    partners_router.operator_router,
    identity_router.router,
    applications_router.router,
    applications_router.operator_router,
    contracts_router.router,
    ratings_router.router,
    progress_router.router,
    evidence_router.router,
    licences_router.router,
    approvals_router.router,
    projects_router.router,
    capacity_router.router,
    outages_router.router,
    delivery_router.router,
    delivery_router.operator_router,
    records_router.router,
    reconciliation_router.router,
    reconciliation_router.operator_router,
    oversight_router.router,
    oversight_router.operator_router,
)

EXPRESS_ROUTES = (licences_router.ExpressLicences(),)
EXPRESS_TEMPLATES = (approvals_router.ExpressOutcomes(),)
"""Hot routes, these with parameters; each of them is an ordinary route as well."""

log = structlog.get_logger()


def _running(
    settings: Settings, clock: Clock, metrics: HttpMetrics
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    """What is open while the application runs: database and clients, services, loops."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        foundation = lay_foundation(settings, clock)
        try:
            async with clients(settings.delivery_timeout) as (http, outgoing):
                hub = build_hub(foundation, http)
                await foundation.rules.try_refresh()
                publish(app, hub.services)
                app.state.foundation = foundation
                app.state.draining = Draining(settings.drain_s)
                app.state.draining.install()
                metrics.more = foundation.exposition
                stop = asyncio.Event()
                loops = [asyncio.create_task(loop) for loop in loops_beside_serving(hub, http, outgoing, stop)]
                if not settings.sources:
                    log.warning("sources.none", remedy="no source is configured: every certificate is out of reach")
                if (sm2_by := sm2.self_test()) is None:
                    log.warning("sm2.unavailable", remedy="no library speaks SM2: such signatures are indeterminate")
                log.info("gateway.started", reached_at=settings.base_url, worker=settings.embedded_worker, sm2=sm2_by)
                try:
                    with settled_heap():
                        yield
                finally:
                    stop.set()
                    await asyncio.gather(*loops, return_exceptions=True)
        finally:
            foundation.close()

    return lifespan


def create_app(settings: Settings, clock: Clock = system_clock) -> FastAPI:
    """The gateway for ``settings``. Database and clients are opened when it starts and closed when it stops."""
    metrics = HttpMetrics()
    app = HttpApp(
        title=f"办电网关 · {GATEWAY_NAME}",
        version=__version__,
        description=DESCRIPTION,
        lifespan=_running(settings, clock, metrics),
        docs_url=None,
        redoc_url=None,
    )
    for router in ROUTERS:
        app.include_router(router)
    app.get("/healthz", include_in_schema=False)(_alive)
    app.get("/readyz", include_in_schema=False)(_ready)
    serve_event_reference(app, settings.base_url, settings.nats_prefix)
    serve_reference(app)
    hang_door(
        app,
        metrics,
        https=settings.base_url.startswith("https:"),
        max_body_bytes=settings.max_body_bytes,
        express=EXPRESS_ROUTES,
        express_templates=EXPRESS_TEMPLATES,
    )
    serve_pages(app)
    return app


def create_app_from_environment() -> FastAPI:
    """``create_app`` for a process that is told nothing but its environment. Raises ``SettingsError``."""
    settings = load_settings(os.environ)
    configure_logging(settings.log_level.upper())
    return create_app(settings)


async def _alive() -> Response:
    """The process answers."""
    return JSONResponse({"status": "ok"})


async def _ready(request: Request) -> Response:
    """The process can do its work: the database answers, has a schema this version serves, and none told it to stop.

    Loops that died and are begun anew are told, and keep nobody from asking here: every process may have met the fault.
    """
    if request.app.state.draining.begun:
        return JSONResponse({"status": "not_ready", "failed": {"process": "draining"}}, 503)
    foundation: Foundation = request.app.state.foundation
    checks: dict[str, Callable[[], Awaitable[None]]] = {
        "database": foundation.transactions.ping,
        "schema": foundation.transactions.require_current_schema,
        "restored": foundation.transactions.require_adopted,
    }
    failed: dict[str, str] = {}
    for name, check in checks.items():
        try:
            await asyncio.wait_for(check(), timeout=5)
        except GatewayError as error:
            failed[name] = error.check
        except TimeoutError:
            failed[name] = "timeout"
        if failed:
            break
    status, restarting = "ready" if not failed else "not_ready", dict(foundation.supervisor.restarting)
    return JSONResponse({"status": status, "failed": failed, "restarting": restarting}, 503 if failed else 200)
