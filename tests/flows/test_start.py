"""A bad start ends with exit code 1 and one sentence on standard error; a good one serves, by several processes too."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from adapters.listening import AddressUnavailable, listen
from mock_services.demo.processes import free_port
from tests.support.databases import Databases
from tests.support.partners import es256_key, public_jwk
from tests.support.tiny_server import Answer, Asked, tiny_server
from tests.support.waiting import eventually

ENDS_WITHIN = 90.0
"""Seconds; a start takes a few, and several times as much where others start beside it."""
PROVIDER_KEY = public_jwk(es256_key("provider"))
Environment = dict[str, str]


@pytest.fixture
def environment(tmp_path: Path, databases: Databases) -> Environment:
    """Settings of a gateway that starts."""
    return {
        "BANDIAN_PORT": str(free_port()),
        "BANDIAN_DATABASE_URL": databases.sqlite(),
        "BANDIAN_KEY_DIR": str(tmp_path / "keys"),
        "BANDIAN_TRUST_DIR": str(tmp_path / "trust"),
        "BANDIAN_SECRETS_DIR": str(tmp_path / "secrets"),
    }


def start(command: str, environment: Environment, **streams: Any) -> subprocess.Popen[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BANDIAN_")}
    return subprocess.Popen(
        [sys.executable, "-m", "gateway.cli", *command.split()],
        env=kept | environment,
        text=True,
        start_new_session=True,
        **(streams or {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}),
    )


def refusal(command: str, environment: Environment) -> str:
    """What it said, having ended as a refused start does."""
    process = start(command, environment)
    try:
        printed, said = process.communicate(timeout=ENDS_WITHIN)
    finally:
        process.kill()
    assert process.returncode == 1, printed + said
    assert "Traceback" not in printed + said
    assert said.count("\n") == 1, said
    return said


@contextlib.contextmanager
def running(command: str, environment: Environment, log: Path) -> Iterator[int]:
    """Started, and at the end told to stop: then it ends with 0. Its process id."""
    with log.open("w") as stream:
        process = start(command, environment, stdout=stream, stderr=stream)
    try:
        yield process.pid
        process.send_signal(signal.SIGTERM)
        assert process.wait(ENDS_WITHIN) == 0, log.read_text("utf-8")
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def serves(environment: Environment) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{environment['BANDIAN_PORT']}/readyz").status_code == 200
    except httpx.TransportError:
        return False


@pytest.mark.parametrize("command", ["serve", "worker"])
def test_a_start_that_cannot_work_is_refused_with_what_mends_it(
    command: str, environment: Environment, tmp_path: Path
) -> None:
    environment |= {"BANDIAN_DATABASE_URL": f"sqlite:///{tmp_path}/new.sqlite3"}
    said = refusal(command, environment)
    assert said == "The database does not have the schema of this version; run: bandian migrate\n"


def test_what_a_gateway_writes_is_its_users_alone(environment: Environment, tmp_path: Path) -> None:
    home = tmp_path / "new" / "var"
    environment |= {"BANDIAN_DATABASE_URL": f"sqlite:///{home}/bandian.sqlite3"}
    migrated = start("migrate", environment)
    migrated.communicate(timeout=ENDS_WITHIN)
    assert migrated.returncode == 0
    with running("serve", environment, tmp_path / "log"):
        eventually(lambda: serves(environment), seconds=ENDS_WITHIN)
        modes = {path.name: oct(path.stat().st_mode & 0o777) for path in home.iterdir()}
    assert modes.keys() >= {"bandian.sqlite3", "bandian.sqlite3-wal"}
    assert set(modes.values()) == {"0o600"}
    assert home.stat().st_mode & 0o777 == 0o700


def test_a_worker_can_be_watched(environment: Environment, tmp_path: Path) -> None:
    port = free_port()
    environment |= {"BANDIAN_WORKER_METRICS_PORT": str(port)}

    def watched() -> str | None:
        try:
            return httpx.get(f"http://127.0.0.1:{port}/metrics").text
        except httpx.TransportError:
            return None

    with running("worker", environment, tmp_path / "log"):
        shown = eventually(watched, seconds=ENDS_WITHIN)
        assert "bandian_database_up 1.0" in shown
        assert httpx.get(f"http://127.0.0.1:{port}/healthz").json() == {"status": "ok"}
        said = refusal("worker", environment)
        assert said.endswith("set another BANDIAN_WORKER_METRICS_PORT.\n")


@pytest.mark.parametrize("trusted", [False, True])
def test_a_forwarded_address_is_believed_of_a_trusted_proxy_alone(
    trusted: bool, environment: Environment, tmp_path: Path
) -> None:
    """The limit of the token endpoint counts addresses."""
    environment |= {"BANDIAN_TOKEN_RATE_LIMIT": "20"}
    environment |= {"BANDIAN_TRUSTED_PROXIES": "127.0.0.1"} if trusted else {}
    gateway = f"http://127.0.0.1:{environment['BANDIAN_PORT']}"
    with running("serve", environment, tmp_path / "log"), httpx.Client() as http:
        eventually(lambda: serves(environment), seconds=ENDS_WITHIN)
        statuses = [
            http.post(f"{gateway}/oauth/token", headers={"X-Forwarded-For": f"192.0.2.{number}"}).status_code
            for number in range(60)
        ]
    assert statuses[0] != 429
    assert (429 in statuses[20:]) is not trusted


def test_a_taken_port_is_told(environment: Environment) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        said = refusal("serve", environment | {"BANDIAN_PORT": str(port)})
    assert said == f"Port {port} is in use by another process; stop that one, or set another BANDIAN_PORT.\n"


@pytest.mark.parametrize("command", ["migrate", "partners list"])
def test_other_commands_tell_of_a_database_that_does_not_answer(command: str, environment: Environment) -> None:
    said = refusal(command, environment | {"BANDIAN_DATABASE_URL": "postgresql://b:hunter2@127.0.0.1:9/b"})
    assert said.startswith("The database of BANDIAN_DATABASE_URL does not answer")


@pytest.mark.parametrize("host", ["192.0.2.1", "nowhere.invalid"])
def test_an_address_of_another_machine_is_told(host: str) -> None:
    with pytest.raises(AddressUnavailable, match="BANDIAN_HOST"):
        listen(host, 0)


def test_a_worker_touches_its_heartbeat_while_it_gets_on_and_stops_cleanly(
    environment: Environment, tmp_path: Path
) -> None:
    beat = tmp_path / "heartbeat"
    with running("worker", environment | {"BANDIAN_HEARTBEAT_FILE": str(beat)}, tmp_path / "log"):
        eventually(beat.exists, seconds=ENDS_WITHIN)
        assert abs(time.time() - beat.stat().st_mtime) < ENDS_WITHIN


def test_two_processes_serve_and_each_writes_a_log_of_its_own(
    databases: Databases, environment: Environment, tmp_path: Path
) -> None:
    with databases.postgresql() as url, tiny_server(no_answer) as provider:
        provider.respond = lambda asked: discovery(provider.url, asked)
        environment |= {
            "BANDIAN_PROCESSES": "2",
            "BANDIAN_DATABASE_URL": url,
            "BANDIAN_IDENTITY_PROVIDER__ISSUER": provider.url,
        }
        gateway = f"http://127.0.0.1:{environment['BANDIAN_PORT']}"
        served, connected = running("serve", environment, tmp_path / "log"), psycopg.connect(url, autocommit=True)
        with served as supervisor, connected as database:
            eventually(lambda: serves(environment), seconds=ENDS_WITHIN)
            mapped = mapped_by_children(supervisor)
            assert len(mapped) >= 2
            assert not [maps for maps in mapped if "_greenlet" in maps]  # an extension that none of them needs

            def both_wrote() -> bool:
                asyncio.run(fail_sessions(gateway, 16))
                rows = database.execute("SELECT log_id FROM record_entries GROUP BY log_id").fetchall()
                return len(rows) == 2

            eventually(both_wrote, seconds=ENDS_WITHIN)
            holders = database.execute("SELECT count(DISTINCT holder) FROM record_logs").fetchone()
            assert holders == (2,)
        assert "2 本日志" in audited(environment)


def mapped_by_children(parent: int) -> list[str]:
    """Which files the processes that ``parent`` started have in memory, a text for each of them."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # gone meanwhile
            if int((process / "stat").read_text("utf-8").rpartition(")")[2].split()[1]) == parent:
                found.append((process / "maps").read_text("utf-8"))
    return found


def no_answer(_: Asked) -> Answer:
    return Answer(503)


def discovery(issuer: str, asked: Asked) -> Answer:
    names = ("authorization_endpoint", "token_endpoint", "jwks_uri")
    told: dict[str, Any] = {"issuer": issuer, **{name: f"{issuer}/{name}" for name in names}}
    return Answer(200, {"keys": [PROVIDER_KEY]} if asked.path == "/jwks_uri" else told)


async def fail_sessions(gateway: str, count: int) -> None:
    """Each opens a session and comes back with the provider's no, which is recorded: over a connection of its own."""

    async def fail_one() -> None:
        limits = httpx.Limits(max_keepalive_connections=0)
        async with httpx.AsyncClient(base_url=gateway, limits=limits, timeout=20) as http:
            body = {"applicant_kind": "resident", "method": "face"}
            opened = await http.post("/v1/verification-sessions", json=body)
            if opened.status_code == 429:
                return
            session = opened.raise_for_status().json()
            state = httpx.URL(session["authorization_url"]).params["state"]
            bearer = {"authorization": f"Bearer {session['session_token']}"}
            returned = {"state": state, "error": "access_denied", "error_description": "mismatch"}
            (await http.get("/v1/identity/callback", params=returned, headers=bearer)).raise_for_status()

    await asyncio.gather(*(fail_one() for _ in range(count)))


def audited(environment: Environment) -> str:
    process = start("audit", environment)
    printed, said = process.communicate(timeout=ENDS_WITHIN)
    assert process.returncode == 0, printed + said
    return printed
