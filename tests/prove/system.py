"""The whole system of a run: mocks, partners, proxies, gateways, workers, database – set up, started, stopped."""

import asyncio
import base64
import json
import random
import secrets
import signal
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import httpx

from mock_services.demo.processes import free_port
from mock_services.demo.roster import AGREED_FIELDS, DEPARTMENTS, REGION, SECRET_REF, UTILITY
from mock_services.demo.trust import put_together
from mock_services.jose import SigningKey
from tests.prove.applicants import CITY
from tests.prove.boundaries import Role
from tests.prove.machine import SmallDisk
from tests.prove.postgres import Cluster
from tests.prove.processes import Slot
from tests.prove.proxy import Proxy
from tests.support.launched import Child, Launcher, Starter

IMPATIENT = {
    "BANDIAN_DELIVERY_TIMEOUT_S": "1.5",
    "BANDIAN_DELIVERY_LEASE_S": "3",
    "BANDIAN_CHECKPOINT_EVERY_S": "0.5",
}
"""A take-over waits for a lease; half a minute of it after each of 500 kills would prove nothing more."""
_READY_WITHIN = 60.0


class DatabaseKind(StrEnum):
    """What the gateway keeps its state in."""

    SQLITE = "sqlite"
    POSTGRESQL = "postgresql"


@dataclass(eq=False)
class GatewayProcess:
    """A slot for one gateway or one worker, and the process in it; ``settings`` are its alone."""

    name: str
    role: Role
    slot: Slot
    port: int
    child: Child | None = None
    settings: dict[str, str] = field(default_factory=dict)


@dataclass(eq=False)
class Partner:
    """A partner's process: always the same command."""

    name: str
    module: str
    arguments: list[str]
    child: Child | None = None


@dataclass
class Layout:
    """Directories of a run."""

    root: Path
    disk: SmallDisk | None

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    def log(self, name: str) -> Path:
        """Where a process of that name writes."""
        return self.logs / f"{name}.log"

    @property
    def utility(self) -> Path:
        return self.root / "utility"

    @property
    def departments(self) -> Path:
        return self.root / "departments"

    @property
    def gateway(self) -> Path:
        return self.root / "gateway"

    @property
    def database(self) -> Path:
        return self.disk.directory if self.disk is not None else self.root / "database"


@dataclass
class System:
    """Everything that runs for one database: ``pairs`` is how many gateways there are, and how many workers.

    With ``embedded`` gateways deliver, too: what one takes in is handed over to the relay within it.
    """

    kind: DatabaseKind
    layout: Layout
    launcher: Launcher
    shim: Path | None
    seed: int
    residents: int
    most_of_a_permit: int
    pairs: int
    embedded: bool = False
    processes: list[GatewayProcess] = field(default_factory=list)
    partners: dict[str, Partner] = field(default_factory=dict)
    links: dict[str, Proxy] = field(default_factory=dict)
    cluster: Cluster | None = None
    environment: dict[str, str] = field(default_factory=dict)
    http: httpx.AsyncClient = field(default_factory=lambda: httpx.AsyncClient(timeout=5))
    release: Starter = field(init=False)
    """Starts the gateway, its worker and its commands, from here on: today's code unless another is put here."""

    def __post_init__(self) -> None:
        self.release = self.launcher

    @property
    def database_url(self) -> str:
        """Where the database itself is, without a proxy."""
        if self.cluster is not None:
            return self.cluster.address
        return f"sqlite:///{self.layout.database / 'gateway.sqlite3'}"

    @property
    def front(self) -> str:
        """The gateway's public address."""
        return f"http://127.0.0.1:{self.links['front'].port}"

    @property
    def utility_key(self) -> SigningKey:
        return SigningKey.load_or_create(self.layout.utility / "key.pem")

    async def set_up(self) -> None:
        """Start everything, in the order in which one needs the other."""
        await self.prepare()
        await asyncio.gather(*(self.start(process) for process in self.processes))
        for process in self.processes:
            await self.until_ready(process)

    async def prepare(self) -> None:
        """Everything but the gateway and its worker: mocks, partners, proxies, a migrated database that knows them."""
        for directory in (self.layout.logs, self.layout.utility, self.layout.departments, self.layout.database):
            directory.mkdir(parents=True, exist_ok=True)
            directory.chmod(0o755)
        await self._database_and_links()
        platform, identity = await asyncio.gather(self._platform(), self._identity())
        put_together(
            [self.layout.root / name / "trust" for name in ("platform", "identity")], self.layout.gateway / "trust"
        )
        self.environment = self._environment(platform, identity)
        self._partners()
        await self.run("migrate")
        await self.run("partners", "apply", str(self._roster()))
        await asyncio.gather(*(self.start_partner(partner) for partner in self.partners.values()))

    async def start(self, process: GatewayProcess) -> None:
        """Fork it; ``until_ready`` waits."""
        process.slot.disarm()
        own = {**process.slot.environment, "BANDIAN_PORT": str(process.port), **process.settings}
        process.child = await self.release.start(
            "gateway.cli", [process.role], self.layout.log(process.name), {**self.environment, **own}
        )

    async def start_partner(self, partner: Partner) -> None:
        """Fork it; it listens some moments later."""
        partner.child = await self.launcher.start(partner.module, partner.arguments, self.layout.log(partner.name))

    async def until_ready(self, process: GatewayProcess, within: float = _READY_WITHIN) -> bool:
        """Wait until a gateway is ready; False where it ended or is not in time. A worker is not waited for."""
        assert process.child is not None
        if process.role is Role.WORKER:
            return True
        ends = asyncio.get_running_loop().time() + within
        while not process.child.ended.is_set() and asyncio.get_running_loop().time() < ends:
            try:
                if (await self.http.get(f"http://127.0.0.1:{process.port}/readyz")).status_code == 200:
                    return True
            except httpx.HTTPError:
                pass
            await asyncio.sleep(0.05)
        return False

    async def keep_jwks(self) -> Path:
        """The gateway's public keys, as it publishes them, in a file for the checker."""
        path = self.layout.root / "gateway-jwks.json"
        path.write_bytes((await self.http.get(f"{self.front}/.well-known/jwks.json")).raise_for_status().content)
        return path

    async def run(self, *command: str) -> None:
        """``bandian …``. Raises ``RuntimeError`` where it fails."""
        code, said = await self._ended(*command)
        if code != 0:
            raise RuntimeError(f"bandian {' '.join(command)} failed: {said.strip()[-2000:]}")

    async def audit(self) -> tuple[int, str]:
        """``bandian audit`` against the database itself: its exit code and what it printed."""
        return await self._ended("audit", BANDIAN_DATABASE_URL=self.database_url)

    async def stop(self) -> None:
        """End what is left; SIGTERM first for the gateway, so that its graceful end is part of the proof."""
        for role in (Role.SERVE, Role.WORKER):  # the workers last: they sign what the gateways wrote at the end
            running = [
                process.child for process in self.processes if process.role is role and process.child is not None
            ]
            for child in running:
                child.signal(signal.SIGTERM)
            for child in running:
                try:
                    await asyncio.wait_for(child.ended.wait(), 30)
                except TimeoutError:
                    child.signal(signal.SIGKILL)
        for partner in self.partners.values():
            if partner.child is not None:
                partner.child.signal(signal.SIGKILL)
        for link in self.links.values():
            await link.stop()
        await self.http.aclose()

    async def _database_and_links(self) -> None:
        for role in (Role.SERVE, Role.WORKER):
            for number in range(1, self.pairs + 1):
                name = f"{role}-{number}"
                self.processes.append(GatewayProcess(name, role, Slot(self.layout.root / "slots" / name), free_port()))
        self._ports = {name: free_port() for name in ("utility", "departments")}
        serving = [process.port for process in self.processes if process.role is Role.SERVE]
        upstreams = {"front": serving, **{name: [port] for name, port in self._ports.items()}}
        if self.kind is DatabaseKind.POSTGRESQL:
            slot = Slot(self.layout.root / "slots" / "database")
            self.cluster = Cluster(self.layout.database / "cluster", slot, self.layout.logs / "database.log", self.shim)
            await self.cluster.create()
            upstreams["database"] = [self.cluster.port]
        for name, ports in upstreams.items():
            self.links[name] = Proxy(name, ports, random.Random(f"{self.seed}/{name}"))
            await self.links[name].start()

    async def _platform(self) -> str:
        data = ("--data-dir", str(self.layout.root / "platform"))
        return await self._mock("provincial_platform", *data, "--residents", str(self.residents))

    async def _identity(self) -> str:
        redirect = f"redirect_uri={self.front}/v1/identity/callback,jwks_uri={self.front}/.well-known/jwks.json"
        data = ("--data-dir", str(self.layout.root / "identity"), "--client", f"id=bandian,{redirect}")
        return await self._mock("identity_provider", *data, "--residents", str(self.residents))

    async def _mock(self, name: str, *arguments: str) -> str:
        out = self.layout.logs / f"{name}.ready"
        child = await self.launcher.start(f"mock_services.{name}.__main__", arguments, self.layout.log(name), out=out)
        while not child.ended.is_set():
            line = out.read_text("utf-8") if out.exists() else ""
            if line.endswith("\n"):
                return str(json.loads(line)["url"])
            await asyncio.sleep(0.05)
        raise RuntimeError(f"{name} did not start; see {self.layout.logs}")

    def _environment(self, platform: str, identity: str) -> dict[str, str]:
        own = self.layout.gateway
        access = json.loads((self.layout.root / "platform" / "access.json").read_text("utf-8"))
        source = {
            "code": "gd-platform",
            "url": platform,
            "region": REGION,
            "access_id": access["accessId"],
            "access_secret": access["secret"],
        }
        through = self.links.get("database")
        url = self.database_url if self.cluster is None or through is None else self.database_url.replace(
            str(self.cluster.port), str(through.port)
        )  # fmt: skip
        return {
            "BANDIAN_PUBLIC_URL": self.front,
            "BANDIAN_DATABASE_URL": url,
            "BANDIAN_KEY_DIR": str(own / "keys"),
            "BANDIAN_SECRETS_DIR": str(own / "secrets"),
            "BANDIAN_TRUST_DIR": str(own / "trust"),
            "BANDIAN_STATUS_ORIGINS": identity,
            "BANDIAN_SOURCES": json.dumps([source]),
            "BANDIAN_IDENTITY_PROVIDER": json.dumps({"issuer": identity, "client_id": "bandian"}),
            "BANDIAN_INSECURE_ENDPOINT_HOSTS": "127.0.0.1",
            "BANDIAN_EMBEDDED_WORKER": str(self.embedded).lower(),
            "BANDIAN_PARTNER_RATE_LIMIT": "1000000",
            **IMPATIENT,
        }

    def _partners(self) -> None:
        secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
        (self.layout.utility / "webhook-secret").write_text(secret, "utf-8")
        directory = self.layout.gateway / "secrets"
        directory.mkdir(mode=0o700, parents=True)
        (directory / SECRET_REF).touch(0o600)
        (directory / SECRET_REF).write_text(secret, "utf-8")
        utility = ["--port", str(self._ports["utility"]), "--data-dir", str(self.layout.utility)]
        departments = ["--port", str(self._ports["departments"]), "--data-dir", str(self.layout.departments)]
        self.partners = {
            "utility": Partner(
                "utility", "tests.prove.utility", [*utility, "--partner", UTILITY, "--issuer", self.front]
            ),
            "departments": Partner(
                "departments",
                "tests.prove.department",
                [*departments, "--gateway", self.front, "--region", CITY, *self._script()],
            ),
        }

    def _script(self) -> list[str]:
        return ["--seed", str(self.seed), "--most", str(self.most_of_a_permit)]

    def _roster(self) -> Path:
        utility = f"http://127.0.0.1:{self.links['utility'].port}/webhooks/bandian"
        grants = [{"kind": kind, "fields": fields} for kind, fields in AGREED_FIELDS.items()]
        agreement = {
            "purpose": "grid_connection",
            "grants": grants,
            "regions": [REGION],
            "valid_from": "2026-01-01",
            "valid_until": "2036-12-31",
            "clause": "第（七）条",
        }
        partners = [
            {
                "code": UTILITY,
                "name": "供电企业",
                "role": "utility",
                "regions": [REGION],
                "keys": [{"jwk": self.utility_key.public_jwk, "use": "any"}],
                "endpoints": [
                    {"channel": "webhook", "url": utility, "secret_ref": SECRET_REF, "status_url": f"{utility}/events"}
                ],
                "agreements": [agreement],
            }
        ]
        for prefix, name in DEPARTMENTS.items():
            code = f"{prefix}-{CITY}"
            key = SigningKey.load_or_create(self.layout.departments / f"{code}.pem")
            url = f"http://127.0.0.1:{self.links['departments'].port}/{code}/review-requests"
            partners.append(
                {
                    "code": code,
                    "name": name,
                    "role": "department",
                    "regions": [CITY],
                    "keys": [{"jwk": key.public_jwk, "use": "outcome"}],
                    "endpoints": [{"channel": "department", "url": url}],
                }
            )
        path = self.layout.root / "roster.json"
        path.write_text(json.dumps({"partners": partners}, ensure_ascii=False, indent=1), "utf-8")
        return path

    async def _ended(self, *command: str, **environment: str) -> tuple[int, str]:
        out = self.layout.logs / f"{command[0]}.out"
        log = self.layout.log(command[0])
        child = await self.release.start("gateway.cli", command, log, {**self.environment, **environment}, out)
        await child.ended.wait()
        return child.code or 0, out.read_text("utf-8", "replace") + log.read_text("utf-8", "replace")
