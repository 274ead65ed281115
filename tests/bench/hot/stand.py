"""The system that is measured: the demo's province, applications in it, and a gateway of its own core.

Everything is set up through the gateway's own interfaces. Then its process is started again as a path needs it
(``tests.bench.hot.gateways``), pinned to one core; all else runs on the other.
"""

import asyncio
import base64
import json
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from mock_services.demo.applicant import Applicant, Refused
from mock_services.demo.processes import Processes, free_port
from mock_services.demo.province import Province, set_up
from mock_services.demo.roster import UTILITY
from mock_services.jose import SigningKey
from mock_services.pki import ProvincialPki
from mock_services.population import Enterprise, build_population
from tests.bench.hot.machine import cores, pin
from tests.bench.hot.sm2_seals import sealed_anew
from tests.bench.hot.source import record_answers
from tests.support.launched import ForkedProcesses, Launcher

RESIDENTS, SPARE = 40, 60
UNTOUCHED = 4
KIND = "business_licence"
_AT_ONCE = 6


@dataclass(frozen=True)
class Prepared:
    """An enterprise's application that is open, and the demand that it began with."""

    application_id: str
    holder_code: str
    demand: dict[str, Any]


@dataclass
class Stand:
    """The gateway under measurement and what it was set up with.

    ``applications`` are asked about; those ``untouched`` by that are for pages that show who looked. ``pids`` and
    ``ports`` are of the processes that are up (``tests.bench.hot.gateways``).
    """

    province: Province
    processes: Processes
    directory: Path
    core: int
    other_core: int
    applications: list[Prepared] = field(default_factory=list)
    untouched: list[Prepared] = field(default_factory=list)
    pids: list[int] = field(default_factory=list)
    ports: list[int] = field(default_factory=list)

    @property
    def gateway(self) -> str:
        """The address that proofs are made for."""
        return self.province.gateway

    @property
    def database_url(self) -> str:
        return self.province.environment["BANDIAN_DATABASE_URL"]

    async def program(self, module: str, *arguments: str, core: int) -> int:
        """Start one of our own programs on ``core``; answers its process id once it says that it is ready."""
        log = self.directory / f"{module.rpartition('.')[2]}.log"
        process = await self.processes.spawn(module, arguments, log=log, piped=True)
        self.processes.adopt(module, process, log)
        assert process.stdout is not None
        if not await process.stdout.readline():
            raise RuntimeError(f"{module} did not start: {log.read_text('utf-8')[-2000:]}")
        pin(core, process.pid)
        return process.pid

    def utility_key(self) -> SigningKey:
        """The key by which the gateway knows the utility."""
        return SigningKey.load_or_create(self.province.directory / "utility" / "signing-key.pem")

    def gateway_key(self, purpose: str) -> Any:
        """A private key of the gateway, the newest of its purpose."""
        path = max((self.province.directory / "gateway" / "keys").glob(f"{purpose}-*.pem"))
        return load_pem_private_key(path.read_bytes(), password=None)

    def token_key(self) -> ec.EllipticCurvePrivateKey:
        """What access tokens are signed with."""
        key = self.gateway_key("token")
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        return key

    async def granted_token(self, http: httpx.AsyncClient, key: SigningKey) -> str:
        """An access token of the utility's, bound to ``key``, from the token endpoint."""
        endpoint, now = f"{self.gateway}/oauth/token", int(datetime.now(UTC).timestamp())
        signing = self.utility_key()
        assertion = signing.sign(
            "client-authentication+jwt",
            {
                "iss": UTILITY,
                "sub": UTILITY,
                "aud": self.gateway,
                "jti": base64.urlsafe_b64encode(os.urandom(12)).decode(),
                "iat": now,
                "exp": now + 50,
            },
        )
        proof = key.sign(
            "dpop+jwt",
            {"htm": "POST", "htu": endpoint, "jti": os.urandom(12).hex(), "iat": now},
            jwk=key.bare_jwk,
            kid=None,
        )
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": assertion,
        }
        reply = await http.post(endpoint, data=form, headers={"DPoP": proof})
        if reply.status_code != 200:
            raise RuntimeError(f"no token: {reply.text}")
        return str(reply.json()["access_token"])


@asynccontextmanager
async def standing(
    directory: Path, database_url: str, applications: int, *, forked: bool = False
) -> AsyncIterator[tuple[Stand, httpx.AsyncClient]]:
    """Everything but the measured gateway itself: ``Gateways`` starts that.

    ``forked``: by forks of one process that has imported everything, for a short form whose figures nobody reads.
    """
    shutil.rmtree(directory, ignore_errors=True)
    core, other = cores()
    pin(other)
    logs, population = directory / "logs", ("--residents", str(RESIDENTS), "--enterprises", str(applications + SPARE))
    async with AsyncExitStack() as stack:
        launcher = await stack.enter_async_context(Launcher(logs)) if forked else None
        processes = ForkedProcesses(logs, launcher) if launcher is not None else Processes(logs)
        stack.push_async_callback(processes.stop)
        province = await set_up(processes, directory / "province", lambda _: None, database_url, population)
        stand = Stand(province, processes, directory, core, other)
        async with httpx.AsyncClient(timeout=60, limits=httpx.Limits(keepalive_expiry=2.0)) as http:
            prepared = await _apply(stand, http, applications + UNTOUCHED)
            stand.applications, stand.untouched = prepared[UNTOUCHED:], prepared[:UNTOUCHED]
            await _record_source(stand)
            await processes.stop_named("gateway-worker", "gateway-serve")
            yield stand, http


async def _apply(stand: Stand, http: httpx.AsyncClient, wanted: int) -> list[Prepared]:
    """Applications by enterprises with a licence and one property of their own in the region they sit in."""
    people = build_population(RESIDENTS, wanted + SPARE)
    found: list[Prepared] = []
    waiting = iter(
        [enterprise for enterprise in people.enterprises.values() if people.persona_of(enterprise.code) is None]
    )

    async def work() -> None:
        for enterprise in waiting:
            if len(found) >= wanted:
                return
            demand = {"region": enterprise.region, "voltage_v": 380, "capacity_kw": 80, "purpose": "演示人工"}
            application = await _application_of(stand, http, enterprise, demand)
            if application is not None:
                found.append(Prepared(application, enterprise.code, demand))

    await asyncio.gather(*(work() for _ in range(_AT_ONCE)))
    if not found:
        raise RuntimeError("no enterprise of this province could apply")
    return found[:wanted]


async def _application_of(
    stand: Stand, http: httpx.AsyncClient, enterprise: Enterprise, demand: dict[str, Any]
) -> str | None:
    applicant = Applicant(http, stand.gateway, enterprise.code)
    try:
        session = await applicant.verify("enterprise", "e_licence")
        if session["status"] != "verified":
            return None
        preview = await applicant.begin("one-certificate", demand)
        choices = {
            document["document"]: document["certificates"][0]["choice"]
            for document in preview["documents"]
            if document["state"] == "choose"
        }
        accepted = await applicant.confirm(preview["intake_id"], choices=choices)
    except Refused:
        return None
    return accepted.get("application_id")


async def _record_source(stand: Stand) -> None:
    """``source.json`` as the platform answers, and ``source-sm2.json`` with the same under SM2 seals."""
    access = json.loads(stand.province.environment["BANDIAN_SOURCES"])[0]
    answers, asked = await record_answers(access, [each.holder_code for each in stand.applications])
    (stand.directory / "source-asked.json").write_text(json.dumps(asked), "utf-8")
    (stand.directory / "source.json").write_text(json.dumps(answers), "utf-8")
    pki = ProvincialPki.build(stand.province.platform, stand.province.directory / "platform" / "keys")
    (stand.directory / "source-sm2.json").write_text(json.dumps(sealed_anew(answers, pki)), "utf-8")


def new_port() -> int:
    """A loopback port that is free."""
    return free_port()
