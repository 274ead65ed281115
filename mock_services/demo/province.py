"""Sets up the whole province: mocks, gateway, worker, and the partners that the gateway knows."""

import asyncio
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from mock_services.demo.processes import DidNotStart, Processes, free_port

REGION = "440000"
UTILITY = "csg-guangdong"
CITIES = ("440300", "440600")
DEPARTMENTS = {
    "planning": "规划和自然资源局",
    "road": "城市管理局（道路占用挖掘）",
    "greenery": "林业和园林局",
    "traffic": "公安局交通警察支队",
    "water": "水务局",
}
COMMON = ["name", "issuing_authority", "issued_on", "valid_from_on", "valid_until_on", "valid_on", "held_by"]
AGREED_FIELDS = {
    "business_licence": [*COMMON, "number", "holder", "holder_code"],
    "resident_id": [*COMMON, "holder"],
    "property_certificate": [*COMMON, "number", "location", "property_unit_code"],
    "project_approval": [*COMMON, "number"],
    "design_qualification": [*COMMON, "number"],
    "construction_qualification": [*COMMON, "number"],
}
"""What the demo's utility agreed on: deliberately less than the certificates hold."""


@dataclass(frozen=True)
class Province:
    """Where everything is."""

    gateway: str
    platform: str
    identity: str
    departments: str
    utility: str
    directory: Path
    environment: dict[str, str]


async def set_up(
    processes: Processes,
    directory: Path,
    progress: Callable[[str], None],
    database_url: str | None = None,
    population: Sequence[str] = (),
) -> Province:
    """Start everything and register the partners. Raises ``DidNotStart``.

    ``database_url`` None is a SQLite file in ``directory``; ``population`` are options of the two mocks that hold one
    (``--residents 40``).
    """
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    port = free_port()
    gateway = f"http://127.0.0.1:{port}"
    progress("模拟省平台、身份核验、审批部门、供电企业")
    callback = f"{gateway}/v1/identity/callback"
    keys_uri = f"{gateway}/.well-known/jwks.json"
    platform, identity, departments = await asyncio.gather(
        processes.mock("provincial_platform", "--data-dir", str(directory / "platform"), *population),
        processes.mock(
            "identity_provider",
            *("--data-dir", str(directory / "identity")),
            *("--client", f"id=bandian,redirect_uri={callback},jwks_uri={keys_uri}"),
            *population,
        ),
        processes.mock(
            "departments",
            *("--data-dir", str(directory / "departments"), "--gateway-url", gateway),
            *(argument for city in CITIES for argument in ("--region", city)),
        ),
    )
    utility = await processes.mock(
        "utility",
        *("--data-dir", str(directory / "utility"), "--gateway-url", gateway),
        *("--partner", UTILITY, "--departments-url", departments),
    )
    environment = _environment(directory, port, platform, identity, database_url)
    progress("数据库、密钥与接入单位")
    secret = (directory / "utility" / "webhook-secret").read_text("utf-8")
    secrets = directory / "gateway" / "secrets"
    secrets.mkdir(parents=True)
    (secrets / "webhook-utility").write_text(secret, "utf-8")
    roster = directory / "roster.json"
    roster.write_text(json.dumps(await _roster(departments, utility), ensure_ascii=False, indent=2), "utf-8")
    await processes.run_gateway(environment, "migrate")
    await processes.run_gateway(environment, "partners", "apply", str(roster))
    progress("网关与送达进程")
    serving = await processes.gateway("serve", environment, gateway)
    await processes.gateway("worker", environment)
    await _ready(gateway, serving.process, serving.log)
    return Province(gateway, platform, identity, departments, utility, directory, environment)


def _environment(
    directory: Path, port: int, platform: str, identity: str, database_url: str | None
) -> dict[str, str]:
    own = directory / "gateway"
    access = json.loads((directory / "platform" / "access.json").read_text("utf-8"))
    source = {
        "code": "gd-platform",
        "url": platform,
        "region": REGION,
        "access_id": access["accessId"],
        "access_secret": access["secret"],
    }
    return {
        "BANDIAN_PORT": str(port),
        "BANDIAN_DATABASE_URL": database_url or f"sqlite:///{own / 'gateway.sqlite3'}",
        "BANDIAN_KEY_DIR": str(own / "keys"),
        "BANDIAN_SECRETS_DIR": str(own / "secrets"),
        "BANDIAN_TRUST_DIR": str(directory / "platform" / "trust"),
        "BANDIAN_SOURCES": json.dumps([source]),
        "BANDIAN_IDENTITY_PROVIDER": json.dumps({"issuer": identity, "client_id": "bandian"}),
        "BANDIAN_ALLOW_INSECURE_ENDPOINTS": "true",
        "BANDIAN_EMBEDDED_WORKER": "false",
    }


async def _roster(departments: str, utility: str) -> dict[str, Any]:
    """The partners as ``bandian partners apply`` reads them; keys as each partner publishes them."""
    async with httpx.AsyncClient() as http:
        partners = [
            {
                "code": UTILITY,
                "name": "广东电网（模拟）",
                "role": "utility",
                "regions": [REGION],
                "keys": [{"jwk": jwk, "use": "any"} for jwk in await _keys(http, utility)],
                "endpoints": [
                    {"channel": "webhook", "url": f"{utility}/webhooks/bandian", "secret_ref": "webhook-utility"}
                ],
                "agreements": [
                    {
                        "purpose": "grid_connection",
                        "grants": [{"kind": kind, "fields": fields} for kind, fields in AGREED_FIELDS.items()],
                        "regions": [REGION],
                        "valid_from": "2026-01-01",
                        "valid_until": "2030-12-31",
                        "clause": "第（七）条",
                    }
                ],
            }
        ]
        for prefix, name in DEPARTMENTS.items():
            for city in CITIES:
                code = f"{prefix}-{city}"
                partners.append(
                    {
                        "code": code,
                        "name": f"{name}（模拟 {city}）",
                        "role": "department",
                        "regions": [city],
                        "keys": [{"jwk": jwk, "use": "outcome"} for jwk in await _keys(http, f"{departments}/{code}")],
                        "endpoints": [{"channel": "department", "url": f"{departments}/{code}/review-requests"}],
                    }
                )
    return {"partners": partners}


async def _keys(http: httpx.AsyncClient, base_url: str) -> list[dict[str, Any]]:
    response = await http.get(f"{base_url}/.well-known/jwks.json")
    published: list[dict[str, Any]] = response.raise_for_status().json()["keys"]
    return published


async def _ready(gateway: str, process: asyncio.subprocess.Process, log: Path) -> None:
    async with httpx.AsyncClient() as http:
        for _ in range(600):
            if process.returncode is not None:
                break
            try:
                if (await http.get(f"{gateway}/readyz")).status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            await asyncio.sleep(0.1)
    raise DidNotStart(f"the gateway is not ready; see {log}")
