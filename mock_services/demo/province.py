"""Sets up the whole province: mocks, gateway, worker, and the partners that the gateway knows."""

import asyncio
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

from mock_services.demo.processes import DidNotStart, Process, Processes, free_port
from mock_services.demo.roster import REGION, SECRET_REF, UTILITY, roster_of, written
from mock_services.demo.trust import put_together

CITIES = ("440300", "440600")
SEEDED_PROJECTS = 6
"""What the approval platform pushes by itself."""
_SHORT_LOW_VOLTAGE = {
    "max_voltage_v": 380,
    "max_length_m": 200,
    "clause": "第（四）条；演示样例，非现行规定",
    "effective_from": "2026-01-01",
    "region": REGION[:2],
}
REVIEW_MODES = [
    {"permit": "greenery_occupation", "mode": "commitment", **_SHORT_LOW_VOLTAGE},
    {"permit": "traffic_works", "mode": "exempt", **_SHORT_LOW_VOLTAGE},
]
"""Samples of what a province may allow: in this demo short low-voltage lines go by commitment, or need no permit."""


@dataclass(frozen=True)
class Province:
    """Where everything is."""

    gateway: str
    platform: str
    identity: str
    departments: str
    utility: str
    projects: str
    officers: str
    directory: Path
    environment: dict[str, str]


async def set_up(
    processes: Processes,
    directory: Path,
    progress: Callable[[str], None],
    database_url: str | None = None,
    population: Sequence[str] = (),
    settings: Mapping[str, str] | None = None,
) -> Province:
    """Start everything and register the partners. Raises ``DidNotStart``.

    ``database_url`` None is a SQLite file in ``directory``; ``population`` are options of the two mocks that hold one
    (``--residents 40``); ``settings`` are more of the gateway's environment.
    """
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    port = free_port()
    gateway = f"http://127.0.0.1:{port}"
    progress("模拟省平台、身份核验、审批部门、工程建设项目审批平台、供电企业")
    callback = f"{gateway}/v1/identity/callback"
    keys_uri = f"{gateway}/.well-known/jwks.json"
    platform, identity, officers, departments, projects = await asyncio.gather(
        processes.mock("provincial_platform", "--data-dir", str(directory / "platform"), *population),
        processes.mock(
            "identity_provider",
            *("--data-dir", str(directory / "identity")),
            *("--client", f"id=bandian,redirect_uri={callback},jwks_uri={keys_uri}"),
            *population,
        ),
        processes.mock(
            "officer_provider",
            *("--data-dir", str(directory / "officers")),
            *("--client", f"id=bandian-console,redirect_uri={gateway}/console/callback,jwks_uri={keys_uri}"),
        ),
        processes.mock(
            "departments",
            *("--data-dir", str(directory / "departments"), "--gateway-url", gateway),
            *(argument for city in CITIES for argument in ("--region", city)),
        ),
        processes.mock(
            "engineering_platform",
            *("--data-dir", str(directory / "projects"), "--gateway-url", gateway, "--projects", str(SEEDED_PROJECTS)),
        ),
    )
    utility = await processes.mock(
        "utility",
        *("--data-dir", str(directory / "utility"), "--gateway-url", gateway),
        *("--partner", UTILITY, "--departments-url", departments),
    )
    put_together([directory / "platform" / "trust", directory / "identity" / "trust"], directory / "gateway" / "trust")
    environment = _environment(directory, port, platform, identity, officers, database_url) | dict(settings or {})
    progress("数据库、密钥与接入单位")
    secret = (directory / "utility" / "webhook-secret").read_text("utf-8")
    secrets = directory / "gateway" / "secrets"
    secrets.mkdir(mode=0o700, parents=True)
    (secrets / SECRET_REF).touch(0o600)
    (secrets / SECRET_REF).write_text(secret, "utf-8")
    roster = directory / "roster.json"
    roster.write_text(written(await roster_of(utility, departments, projects, CITIES)), "utf-8")
    await processes.run_gateway(environment, "migrate")
    await processes.run_gateway(environment, "partners", "apply", str(roster))
    progress("网关与送达进程")
    serving = await processes.gateway("serve", environment, gateway)
    await processes.gateway("worker", environment)
    await _ready(gateway, serving.process, serving.log)
    return Province(gateway, platform, identity, departments, utility, projects, officers, directory, environment)


def _environment(
    directory: Path, port: int, platform: str, identity: str, officers: str, database_url: str | None
) -> dict[str, str]:
    own = directory / "gateway"
    access = json.loads((directory / "platform" / "access.json").read_text("utf-8"))
    source = {
        "code": "gd-platform",
        "url": platform,
        "region": REGION,
        "access_id": access["accessId"],
        "access_secret": access["secret"],
        "changes": True,
    }
    return {
        "BANDIAN_PORT": str(port),
        "BANDIAN_DATABASE_URL": database_url or f"sqlite:///{own / 'gateway.sqlite3'}",
        "BANDIAN_KEY_DIR": str(own / "keys"),
        "BANDIAN_SECRETS_DIR": str(own / "secrets"),
        "BANDIAN_TRUST_DIR": str(own / "trust"),
        "BANDIAN_STATUS_ORIGINS": identity,
        "BANDIAN_SOURCES": json.dumps([source]),
        "BANDIAN_FEED_POLL_S": "1",
        "BANDIAN_CHECKPOINT_EVERY_S": "1",
        "BANDIAN_REVIEW_MODES": json.dumps(REVIEW_MODES, ensure_ascii=False),
        "BANDIAN_IDENTITY_PROVIDER": json.dumps({"issuer": identity, "client_id": "bandian"}),
        "BANDIAN_OFFICER_PROVIDER": json.dumps({"issuer": officers, "client_id": "bandian-console"}),
        "BANDIAN_INSECURE_ENDPOINT_HOSTS": "127.0.0.1",
        "BANDIAN_EMBEDDED_WORKER": "false",
    }


async def _ready(gateway: str, process: Process, log: Path) -> None:
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
