"""``python -m mock_services.engineering_platform --port 0 --gateway-url URL`` starts a project approval platform.

``--projects N`` has it push N synthetic projects by itself. Faults of pushes have the path ``/push``:
``wrong_signature``, ``malformed``, ``duplicate``, ``out_of_order`` (a version is held back until a later one of its
project has overtaken it, three seconds at most).
"""

import argparse
import contextlib
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx
from fastapi import FastAPI
from starlette.types import ASGIApp

from mock_services.admin import Admin
from mock_services.background import running
from mock_services.engineering_platform.app import install
from mock_services.engineering_platform.desk import Desk
from mock_services.engineering_platform.seeds import project
from mock_services.engineering_platform.store import Store
from mock_services.jose import SigningKey
from mock_services.serve import arguments, serve

SERVICE = "engineering_platform"
CODE = "gd-projects"


def build(_: str, options: argparse.Namespace) -> ASGIApp:
    """The whole mock."""
    http = httpx.AsyncClient(timeout=10)
    gateway = options.gateway_url.rstrip("/")
    desk = Desk(
        code=options.partner,
        key=SigningKey.load_or_create(options.data_dir / "signing-key.pem"),
        store=Store(options.data_dir / "engineering-platform.sqlite3"),
        gateway=gateway,
        issuer=options.gateway_issuer or gateway,
        http=http,
        clock=_now,
        jitter=random.Random(),
    )

    def reset() -> None:
        desk.store.clear()
        _push_seeds(desk, options.projects)

    def seed(what: dict[str, Any]) -> None:
        """``{"projects": [tables]}``: pushed as ``POST /__admin/projects`` does."""
        for tables in what["projects"]:
            desk.say(tables)

    admin = Admin(SERVICE, reset=reset, seed=seed)
    desk.spoil = lambda kind: admin.faults.take(kind, "/push") is not None
    if not desk.store.projects():
        _push_seeds(desk, options.projects)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with http, running(desk.run()):
            yield
        desk.store.close()

    app = FastAPI(title="工程建设项目审批管理系统（模拟）", lifespan=lifespan)
    app.include_router(admin.router())
    install(app, desk)
    return admin.wrap(app)


def _push_seeds(desk: Desk, count: int) -> None:
    for number in range(1, count + 1):
        desk.say(project(number))


def _now() -> datetime:
    return datetime.now(UTC)


def main() -> None:
    """Read the command line and serve."""
    parser = arguments(SERVICE, "the engineering-project approval platform of the mock province")
    parser.add_argument("--gateway-url", required=True, help="where projects are pushed to")
    parser.add_argument("--gateway-issuer", help="aud of pushes; the gateway's URL if left out")
    parser.add_argument("--partner", default=CODE, help="this platform's code at the gateway")
    parser.add_argument("--projects", type=int, default=0, help="how many synthetic projects to push by itself")
    options = parser.parse_args()
    serve(SERVICE, options, lambda base_url: build(base_url, options))


if __name__ == "__main__":
    main()
