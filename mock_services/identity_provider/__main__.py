"""``python -m mock_services.identity_provider --port 0 --client id=…,redirect_uri=…,jwks_uri=…`` starts it."""

import argparse
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from starlette.types import ASGIApp

from mock_services.admin import Admin
from mock_services.identity_provider.app import Provider, install
from mock_services.identity_provider.desk import Desk
from mock_services.identity_provider.oauth import add_client_option, parse_client_option
from mock_services.identity_provider.people import PopulationPeople
from mock_services.identity_provider.person_ca import PersonCa
from mock_services.jose import SigningKey
from mock_services.population import DEFAULT_ENTERPRISES, DEFAULT_RESIDENTS, DEFAULT_SEED, build_population
from mock_services.serve import arguments, serve

SERVICE = "identity_provider"


def build(base_url: str, options: argparse.Namespace) -> ASGIApp:
    """The whole mock for ``base_url``, which is its issuer."""
    http = httpx.AsyncClient(timeout=5)
    population = build_population(options.residents, options.enterprises, options.seed)
    desk = Desk(PopulationPeople(population), base_url)

    def seed(what: dict[str, Any]) -> None:
        """``{"seed", "residents", "enterprises"}``: the people of that population, as the platform is seeded."""
        if unknown := what.keys() - {"seed", "residents", "enterprises"}:
            raise ValueError(f"a seed has no {', '.join(sorted(unknown))}")
        wanted = {"residents": options.residents, "enterprises": options.enterprises, "seed": options.seed} | what
        sizes = (int(wanted["residents"]), int(wanted["enterprises"]), int(wanted["seed"]))
        desk.people = PopulationPeople(build_population(*sizes))
        desk.reset()

    persons = PersonCa.build(base_url, options.data_dir / "persons")
    persons.write_trust(options.trust_dir or options.data_dir / "trust")
    admin = Admin(SERVICE, reset=desk.reset, seed=seed)
    clients = [parse_client_option(text, http) for text in options.client]
    provider = Provider(
        issuer=base_url,
        desk=desk,
        clients={client.client_id: client for client in clients},
        key=SigningKey.load_or_create(options.data_dir / "signing-key.pem"),
        persons=persons,
        clock=lambda: datetime.now(UTC),
        spoil=lambda kind: admin.faults.take(kind, "/token") is not None,
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with http:
            yield

    app = FastAPI(title="统一身份认证（模拟）", lifespan=lifespan)
    install(app, provider)
    app.include_router(admin.router())
    return admin.wrap(app)


def main() -> None:
    """Read the command line and serve."""
    parser = arguments(SERVICE, "OpenID Connect provider of the mock province")
    add_client_option(parser)
    parser.add_argument("--trust-dir", type=Path, help="who may certify persons; default: DATA_DIR/trust")
    parser.add_argument("--residents", type=int, default=DEFAULT_RESIDENTS)
    parser.add_argument("--enterprises", type=int, default=DEFAULT_ENTERPRISES)
    parser.add_argument("--seed", type=int, default=DEFAULT_SEED)
    options = parser.parse_args()
    serve(SERVICE, options, lambda base_url: build(base_url, options))


if __name__ == "__main__":
    main()
