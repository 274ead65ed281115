"""``python -m mock_services.utility --port 0 --partner csg-guangzhou --gateway-url URL`` starts a utility.

To take it down, set a fault for every request: ``PUT /__admin/faults`` with ``[{"kind": "status", "times": null}]``
(503), or ``"kind": "reset"`` for broken connections; ``DELETE /__admin/faults`` brings it back.
"""

import argparse
import base64
import contextlib
import os
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
from mock_services.jose import RemoteKeySet, SigningKey
from mock_services.serve import arguments, serve
from mock_services.utility.app import install
from mock_services.utility.client import GatewayClient
from mock_services.utility.driver import Driver
from mock_services.utility.leads import LeadClerk
from mock_services.utility.ledger import Ledger
from mock_services.utility.nats_consumer import NatsConsumer
from mock_services.utility.purges import PurgeClerk
from mock_services.utility.receiver import Receiver
from mock_services.utility.reconciliation import Reconciler
from mock_services.utility.scenario import DEFAULT_SCENARIO, Scenario
from mock_services.utility.store import Store
from mock_services.utility.webhooks import SECRET_PREFIX, parse_secret
from schemas.events import CloudEvent

SERVICE = "utility"


def build(_: str, options: argparse.Namespace) -> ASGIApp:
    """The whole mock. Raises ``ValueError`` for a secret or a scenario that cannot be used."""
    http = httpx.AsyncClient(timeout=15)
    gateway = options.gateway_url.rstrip("/")
    key = SigningKey.load_or_create(options.data_dir / "signing-key.pem")
    gateway_keys = RemoteKeySet(options.gateway_jwks_uri or f"{gateway}/.well-known/jwks.json", http)
    store = Store(options.data_dir / "utility.sqlite3")
    issuer = options.gateway_issuer or gateway
    receiver = Receiver(
        partner=options.partner,
        signing_key=key,
        secret=parse_secret(_secret(options)),
        gateway_keys=gateway_keys,
        gateway_issuer=issuer,
        store=store,
        scenario=Scenario.parse(options.scenario.read_text("utf-8")),
        http=http,
        clock=_now,
        departments_url=options.departments_url.rstrip("/") if options.departments_url else None,
    )
    client = GatewayClient(gateway, options.partner, key, gateway_keys, http, _now, issuer)
    driver = Driver(client, store, _now)
    clerk = LeadClerk(client, store.connection, _now)
    purges = PurgeClerk(client, store.purges, _now)
    reconciler = Reconciler(client, Ledger(store.connection), _now)

    consumer = NatsConsumer(options.nats_url, options.nats_prefix, receiver) if options.nats_url else None

    def reset() -> None:
        reconciler.ledger.clear()
        clerk.clear()
        store.clear()
        receiver.scenario = Scenario.parse(options.scenario.read_text("utf-8"))

    def set_plans(plans: Any) -> None:
        receiver.scenario = Scenario.model_validate({"plan": plans})

    async def seed(what: dict[str, Any]) -> None:
        """``{"events": [CloudEvent]}``: events as if the gateway had delivered them."""
        for event in what["events"]:
            await receiver.plant(CloudEvent.model_validate(event))

    admin = Admin(SERVICE, reset=reset, seed=seed)
    admin.on_scenario("plan", set_plans)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(http)
            for work in (driver.run, reconciler.run, clerk.run, purges.run, *([consumer.run] if consumer else [])):
                await stack.enter_async_context(running(work()))
            yield
        store.close()

    app = FastAPI(title="供电企业业务系统（模拟）", lifespan=lifespan)
    app.include_router(admin.router())
    install(app, receiver, driver, reconciler, clerk, purges)
    return admin.wrap(app)


def _secret(options: argparse.Namespace) -> str:
    """The secret given, else the one in its file; the first start writes one that only its owner may read."""
    if options.webhook_secret:
        return str(options.webhook_secret)
    path: Path = options.webhook_secret_file or options.data_dir / "webhook-secret"
    if not path.exists() and not options.webhook_secret_file:
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(SECRET_PREFIX + base64.b64encode(secrets.token_bytes(32)).decode())
    return path.read_text("utf-8").strip()


def _now() -> datetime:
    return datetime.now(UTC)


def main() -> None:
    """Read the command line and serve."""
    parser = arguments(SERVICE, "a utility of the mock province")
    parser.add_argument("--gateway-url", required=True)
    parser.add_argument("--gateway-issuer", help="iss of the gateway's signed answers; its URL if left out")
    parser.add_argument("--gateway-jwks-uri", help="if not {gateway-url}/.well-known/jwks.json")
    parser.add_argument("--partner", required=True, help="this utility's code at the gateway")
    parser.add_argument("--webhook-secret", help="whsec_…; {data-dir}/webhook-secret if left out")
    parser.add_argument(
        "--webhook-secret-file", type=Path, help="a file with it, where it must stand on no command line"
    )
    parser.add_argument("--nats-url", help="take events from NATS JetStream too, as nats://127.0.0.1:4222")
    parser.add_argument("--nats-prefix", default="bandian", help="the gateway's BANDIAN_NATS_PREFIX")
    parser.add_argument("--departments-url", help="where departments publish keys: {url}/{code}/.well-known/jwks.json")
    parser.add_argument("--scenario", type=Path, default=DEFAULT_SCENARIO, help="a TOML file of plans")
    options = parser.parse_args()
    serve(SERVICE, options, lambda base_url: build(base_url, options))


if __name__ == "__main__":
    main()
