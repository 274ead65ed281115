"""``python -m mock_services.officer_provider --port 0 --client id=…,redirect_uri=…,jwks_uri=…`` starts it."""

import argparse
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import httpx
from fastapi import FastAPI
from starlette.types import ASGIApp

from mock_services.admin import Admin
from mock_services.identity_provider.oauth import add_client_option, parse_client_option
from mock_services.jose import SigningKey
from mock_services.officer_provider.app import OfficerDesk, install
from mock_services.serve import arguments, serve

SERVICE = "officer_provider"


def build(base_url: str, options: argparse.Namespace) -> ASGIApp:
    """The whole mock for ``base_url``, which is its issuer."""
    http = httpx.AsyncClient(timeout=5)
    clients = [parse_client_option(text, http) for text in options.client]
    key = SigningKey.load_or_create(options.data_dir / "signing-key.pem")
    desk = OfficerDesk(base_url, {client.client_id: client for client in clients}, key, lambda: datetime.now(UTC))
    admin = Admin(SERVICE, reset=desk.reset)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with http:
            yield

    app = FastAPI(title="工作人员登录（模拟）", lifespan=lifespan)
    install(app, desk)
    app.include_router(admin.router())
    return admin.wrap(app)


def main() -> None:
    """Read the command line and serve."""
    parser = arguments(SERVICE, "OpenID Connect provider of the mock province's officers")
    add_client_option(parser)
    options = parser.parse_args()
    serve(SERVICE, options, lambda base_url: build(base_url, options))


if __name__ == "__main__":
    main()
