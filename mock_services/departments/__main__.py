"""``python -m mock_services.departments --port 0 --gateway-url URL`` starts five departments of one or more regions.

Faults of pushed outcomes have the path ``/push/{code}``: ``wrong_signature``, ``malformed``, ``duplicate``,
``out_of_order`` (the outcome is held back until a later one of its permit has overtaken it, three seconds at most).
"""

import argparse
import contextlib
import random
import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from starlette.types import ASGIApp

from mock_services.admin import Admin
from mock_services.background import running
from mock_services.departments.app import Counter, install
from mock_services.departments.courier import Courier
from mock_services.departments.desk import Desk
from mock_services.departments.roster import departments_of
from mock_services.departments.scenario import DEFAULT_SCENARIO, Scenario
from mock_services.departments.store import Store
from mock_services.jose import RemoteKeySet, SigningKey
from mock_services.serve import arguments, serve
from schemas.departments import ReviewRequest

SERVICE = "departments"


def build(_: str, options: argparse.Namespace) -> ASGIApp:
    """The whole mock. Raises ``ValueError`` for a scenario that cannot be played."""
    http = httpx.AsyncClient(timeout=10)
    departments = {one.code: one for region in options.region for one in departments_of(region)}
    desk = Desk(
        departments=departments,
        keys={code: SigningKey.load_or_create(options.data_dir / f"{code}.pem") for code in departments},
        store=Store(options.data_dir / "departments.sqlite3"),
        scenario=Scenario.parse(options.scenario.read_text("utf-8")),
        token=lambda: secrets.token_hex(8),
    )

    def reset() -> None:
        desk.store.clear()
        desk.scenario = Scenario.parse(options.scenario.read_text("utf-8"))

    def seed(what: dict[str, Any]) -> None:
        """``{"review_requests": [claims]}``: permits under review, as if the gateway had asked for them."""
        for claims in what["review_requests"]:
            desk.receive(ReviewRequest.model_validate(claims), _now())

    admin = Admin(SERVICE, reset=reset, seed=seed)

    def spoil(kind: str, department: str) -> bool:
        return admin.faults.take(kind, f"/push/{department}") is not None

    def set_rules(rules: Any) -> None:
        desk.scenario = Scenario.model_validate({"rule": rules})

    admin.on_scenario("rule", set_rules)
    desk.hold_back = lambda code: spoil("out_of_order", code)
    courier = Courier(desk, http, _now, random.Random(), spoil)
    gateway = options.gateway_url.rstrip("/")
    counter = Counter(
        desk=desk,
        gateway_keys=RemoteKeySet(options.gateway_jwks_uri or f"{gateway}/.well-known/jwks.json", http),
        gateway_issuer=options.gateway_issuer or gateway,
        clock=_now,
    )

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with http, running(courier.run()):
            yield
        desk.store.close()

    app = FastAPI(title="审批部门（模拟）", lifespan=lifespan)
    app.include_router(admin.router())
    install(app, counter)
    return admin.wrap(app)


def _now() -> datetime:
    return datetime.now(UTC)


def main() -> None:
    """Read the command line and serve."""
    parser = arguments(SERVICE, "permit departments of the mock province")
    parser.add_argument("--gateway-url", required=True, help="where the gateway publishes its keys")
    parser.add_argument("--gateway-issuer", help="iss of review requests; the gateway's URL if left out")
    parser.add_argument("--gateway-jwks-uri", help="if not {gateway-url}/.well-known/jwks.json")
    parser.add_argument("--region", action="append", help="six digits; may be repeated (440100 if left out)")
    parser.add_argument("--scenario", type=Path, default=DEFAULT_SCENARIO, help="a TOML file of rules")
    options = parser.parse_args()
    options.region = options.region or ["440100"]
    serve(SERVICE, options, lambda base_url: build(base_url, options))


if __name__ == "__main__":
    main()
