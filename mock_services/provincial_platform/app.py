"""The platform's HTTP side: share interface, downloads, status lists, CRLs and, for tests, ``/__admin``."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, FastAPI, HTTPException, Request, Response
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from starlette.types import ASGIApp

from mock_services.admin import Admin, FaultKind
from mock_services.pki import ProvincialPki
from mock_services.population import Population, build_population
from mock_services.provincial_platform.certificates import Record
from mock_services.provincial_platform.changes import ChangeFeed
from mock_services.provincial_platform.registry import Order, Registry
from mock_services.provincial_platform.share import Access, Platform
from schemas.ecertificates import ECERTIFICATE_MEDIA_TYPE, OFD_MEDIA_TYPE, TYPE_CODES
from schemas.share_interface import Operation
from schemas.status_lists import STATUS_LIST_MEDIA_TYPE

SERVICE = "provincial_platform"
CRL_MEDIA_TYPE = "application/pkix-crl"
CHANGES = f"/share/{Operation.QUERY_CERT_CHANGES}"
"""A fault of kind ``lose`` that matches this path loses the feed's entry of the next order."""


@dataclass
class PlatformOptions:
    """Size and seed of the province, and who may ask. ``base_url`` has no slash at its end."""

    base_url: str
    access: Access
    pki: ProvincialPki
    residents: int
    enterprises: int
    seed: int

    def population(self) -> Population:
        """The province these options describe. Raises ``ValueError`` when it is too small."""
        return build_population(self.residents, self.enterprises, self.seed)


class StatusOrder(BaseModel):
    """``POST /__admin/certificates/{zzbs}/status``."""

    model_config = ConfigDict(extra="forbid")

    action: Order
    reason: str = "管理员操作"
    to: str | None = Field(default=None, description="Of a transfer: the new owner's code")


class ScenarioOrder(BaseModel):
    """What a scenario orders for a persona's e-certificates of a kind."""

    model_config = ConfigDict(extra="forbid")

    persona: str
    kind: str
    action: Order


_ORDERS = TypeAdapter(list[ScenarioOrder])


def now() -> datetime:
    """The platform's clock."""
    return datetime.now(UTC)


def create_app(options: PlatformOptions, clock: Callable[[], datetime] = now) -> ASGIApp:
    """The whole service, behind its journal and its faults."""
    state = _State(options, clock)
    app = FastAPI(title="省电子证照共享服务平台（模拟）", docs_url=None, redoc_url=None)
    app.include_router(_share_routes(state))
    app.include_router(_public_routes(state))
    app.include_router(_admin_routes(state))
    app.include_router(state.admin.router())
    return state.admin.wrap(app)


class _State:
    """What a reset or a new seed replaces."""

    def __init__(self, options: PlatformOptions, clock: Callable[[], datetime]) -> None:
        self.options = options
        self.clock = clock
        self.admin = Admin(SERVICE, reset=self.reset, seed=self.seed)
        self.admin.on_scenario("denied_kinds", self.deny)
        self.admin.on_scenario("orders", self.orders)
        self.reset()

    def reset(self) -> None:
        pki = self.options.pki
        pki.forgive()
        self.registry = Registry(self.options.population(), pki, self.options.base_url)
        self.changes = ChangeFeed()
        self.platform = Platform(
            self.registry, self.options.access, self.options.base_url, self.admin.faults, self.changes
        )

    def order(self, record: Record, order: Order, reason: str, to: str | None = None) -> None:
        """Carry it out, and enter it into the change feed – unless a fault loses the entry. Raises ``ValueError``."""
        at = self.clock()
        self.registry.order(record, order, reason, at, to)
        if self.admin.faults.take(FaultKind.LOSE, CHANGES) is None:
            self.changes.append(record, order, at)

    def seed(self, what: dict[str, Any]) -> None:
        if unknown := what.keys() - {"seed", "residents", "enterprises"}:
            raise ValueError(f"a seed has no {', '.join(sorted(unknown))}")
        wanted = {name: int(value) for name, value in what.items()}
        size = (wanted.get("residents", self.options.residents), wanted.get("enterprises", self.options.enterprises))
        seed = wanted.get("seed", self.options.seed)
        build_population(*size, seed)
        (self.options.residents, self.options.enterprises), self.options.seed = size, seed
        self.reset()

    def deny(self, kinds: Any) -> None:
        if not isinstance(kinds, list) or not set(kinds) <= TYPE_CODES.keys():
            raise ValueError("denied_kinds is a list of kind slugs")
        self.platform.denied_types = {TYPE_CODES[kind] for kind in kinds}

    def orders(self, orders: Any) -> None:
        """Scenario key ``orders``: an array of ``ScenarioOrder`` tables."""
        for order in _ORDERS.validate_python(orders):
            persona = self.registry.population.personas.get(order.persona)
            type_code = TYPE_CODES.get(order.kind)
            if persona is None or type_code is None:
                raise ValueError("an order names a persona and a kind")
            for record in self.registry.of_holder(persona.holder_code, type_code):
                self.order(record, order.action, "情景设置")


def _share_routes(state: _State) -> APIRouter:
    router = APIRouter(prefix="/share")

    @router.post("/{operation}")
    async def share(operation: str, request: Request) -> Response:
        media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        body = await request.body()
        found = state.platform.handle(operation, media_type, body, request.url.path, state.clock())
        return Response(found, media_type="application/json")

    return router


def _public_routes(state: _State) -> APIRouter:
    router = APIRouter()

    @router.get("/download/{ticket}")
    async def download(ticket: str, request: Request) -> Response:
        envelope = state.platform.redeem(ticket, request.url.path, state.clock())
        if envelope is None:
            raise HTTPException(410, "链接不存在、已使用或已过期")
        headers = {"cache-control": "no-store"}
        media_type = ECERTIFICATE_MEDIA_TYPE if envelope.startswith(b"eyJ") else OFD_MEDIA_TYPE
        return Response(envelope, media_type=media_type, headers=headers)

    @router.get("/status-lists/{number}")
    async def status_list(number: int, request: Request) -> Response:
        forged = state.admin.faults.take(FaultKind.WRONG_SIGNATURE, request.url.path) is not None
        token = state.registry.status_list(number, state.clock(), forged=forged)
        if token is None:
            raise HTTPException(404, "没有这个状态列表")
        return Response(token, media_type=STATUS_LIST_MEDIA_TYPE)

    @router.get("/pki/crl/{name}.crl")
    async def crl(name: str) -> Response:
        try:
            authority = state.options.pki.authority(name)
        except KeyError:
            raise HTTPException(404, "没有这个吊销列表") from None
        return Response(authority.crl(state.clock()), media_type=CRL_MEDIA_TYPE)

    @router.get("/pki/anchors")
    async def anchors() -> Response:
        return Response(state.options.pki.anchors(), media_type="application/x-pem-file")

    @router.get("/healthz")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    return router


def _admin_routes(state: _State) -> APIRouter:
    router = APIRouter(prefix="/__admin", include_in_schema=False)

    @router.get("/personas")
    async def personas() -> list[dict[str, Any]]:
        return [
            {
                "slug": persona.slug,
                "description": persona.description,
                "holder_code": persona.holder_code,
                "person": {"name": persona.person.name, "id_number": persona.person.id_number},
                "enterprise": persona.enterprise.name if persona.enterprise else None,
            }
            for persona in state.registry.population.personas.values()
        ]

    @router.get("/certificates")
    async def certificates(holder_code: str) -> list[dict[str, Any]]:
        return [
            {"identifier": record.identifier, "kind": record.kind, "state": record.state.name.lower()}
            for record in state.registry.all()
            if holder_code in record.found_under
        ]

    @router.post("/certificates/{identifier}/status")
    async def set_status(identifier: str, wanted: StatusOrder) -> dict[str, str]:
        record = state.registry.get(identifier)
        if record is None:
            raise HTTPException(404, "没有这个证照")
        try:
            state.order(record, wanted.action, wanted.reason, wanted.to)
        except ValueError as error:
            raise HTTPException(422, str(error)) from None
        return {"identifier": identifier, "state": record.state.name.lower()}

    @router.get("/changes")
    async def changes() -> list[dict[str, Any]]:
        return [{"number": entry.number, **entry.change.model_dump(mode="json")} for entry in state.changes.entries()]

    @router.delete("/changes", status_code=204)
    async def drop_changes() -> None:
        state.changes.drop()

    @router.post("/pki/seals/{slug}/revoke", status_code=204)
    async def revoke_seal(slug: str) -> None:
        try:
            state.options.pki.revoke_seal(slug, state.clock())
        except KeyError:
            raise HTTPException(404, "没有这枚电子印章") from None

    return router
