"""The compose file starts in an order that exists, and runs nothing as root, writable, unpinned or unwatched."""

import os
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from adapters.channels.signed_events import parse_secret
from gateway.settings import load_settings, read_secret
from mock_services.demo.roster import PROJECTS, SECRET_REF, UTILITY

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
SERVICES: dict[str, Any] = COMPOSE["services"]
ONE_SHOT = {name for name, service in SERVICES.items() if service.get("restart") == "no"}
BUILT = {"gateway", "mocks"}
each_service = pytest.mark.parametrize("name", SERVICES)


def test_the_file_is_what_compose_reads() -> None:
    command = [
        sys.executable,
        "-m",
        "check_jsonschema",
        "--builtin-schema",
        "vendor.compose-spec",
        "docker-compose.yml",
    ]
    checked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout


def test_the_full_set_is_there() -> None:
    expected = {"postgres", "nats", "migrate", "gateway", "worker"}
    expected |= {"provincial-platform", "identity-provider", "officer-provider", "departments", "utility"}
    expected.add("engineering-platform")
    assert expected <= SERVICES.keys()
    assert {"migrate", "secrets", "roster", "register", "trust-directory"} == ONE_SHOT


@each_service
def test_what_it_waits_for_exists_and_can_come_true(name: str) -> None:
    for other, wait in SERVICES[name].get("depends_on", {}).items():
        assert other in SERVICES
        expected = "service_completed_successfully" if other in ONE_SHOT else "service_healthy"
        assert wait["condition"] == expected


def test_nobody_waits_in_a_circle() -> None:
    waiting = {name: set(service.get("depends_on", {})) for name, service in SERVICES.items()}
    while ready := [name for name, others in waiting.items() if not others & waiting.keys()]:
        for name in ready:
            del waiting[name]
    assert waiting == {}


@each_service
def test_it_is_watched_unless_it_ends_by_itself(name: str) -> None:
    service = SERVICES[name]
    check = service.get("healthcheck", {})
    if name in ONE_SHOT:
        assert check == {"disable": True}
    elif "test" not in check:
        assert service["build"]["target"] in stages_with_health_check()


@each_service
def test_it_cannot_become_root_or_write_where_no_volume_is(name: str) -> None:
    service = SERVICES[name]
    user, _, group = service["user"].partition(":")
    assert int(user) > 0
    assert int(group) > 0
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert not service.get("privileged")


@each_service
def test_its_image_is_pinned(name: str) -> None:
    assert re.search(r":[0-9]+\.[0-9]+(\.[0-9]+)?(-[a-z0-9]+)?$", SERVICES[name]["image"])


@each_service
def test_its_volumes_are_declared(name: str) -> None:
    for volume in SERVICES[name].get("volumes", []):
        assert volume.split(":")[0] in COMPOSE["volumes"]


@each_service
def test_it_is_published_to_this_machine_alone(name: str) -> None:
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name].get("ports", []))


def test_no_secret_stands_in_the_file() -> None:
    for service in SERVICES.values():
        for variable, value in service.get("environment", {}).items():
            assert not re.search(r"(PASSWORD|SECRET|TOKEN)$", variable)
            assert 'access_secret"' not in str(value)


@pytest.mark.parametrize("name", ["migrate", "register", "gateway", "worker"])
def test_the_gateway_takes_its_settings(name: str) -> None:
    settings = load_settings(SERVICES[name]["environment"])
    hosts = [settings.base_url, *(source.url for source in settings.sources)]
    assert {re.split(r"[/:]+", url)[1] for url in hosts} <= SERVICES.keys()
    assert settings.insecure_endpoint_hosts == {"utility", "departments"}


def words_of(name: str) -> list[str]:
    """What a mock's service runs: ``[module, flag, …]``; of a shell script, the Python command in it."""
    command = SERVICES[name]["command"]
    if "entrypoint" not in SERVICES[name]:
        return [str(word) for word in command]
    found = re.search(r"exec python -m (.+)", command[0].replace("\\\n", " "), re.DOTALL)
    assert found is not None
    return shlex.split(found[1])


def options_of(name: str) -> dict[str, list[str]]:
    """Values of each ``--flag=value`` or ``--flag value``, in order."""
    given: dict[str, list[str]] = {}
    words = iter(words_of(name)[1:])
    for word in words:
        flag, equals, value = word.partition("=")
        assert flag.startswith("--"), word
        given.setdefault(flag, []).append(value if equals else next(words))
    return given


MOCKS = [
    *("provincial-platform", "identity-provider", "officer-provider", "departments", "engineering-platform", "utility"),
    *("roster", "trust-directory"),
]


@pytest.mark.parametrize("name", MOCKS)
def test_a_mock_knows_every_option_that_it_is_given(name: str) -> None:
    command = [sys.executable, "-m", words_of(name)[0], "--help"]
    helped = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert helped.returncode == 0, helped.stderr
    known = set(re.findall(r"--[a-z][a-z-]*", helped.stdout))
    assert options_of(name).keys() <= known


@pytest.mark.parametrize("name", ["migrate", "register", "gateway", "worker"])
def test_the_gateway_knows_each_command_that_it_is_given(name: str) -> None:
    words = [word for word in SERVICES[name]["command"] if not word.startswith("/")]
    helped = subprocess.run([sys.executable, "-m", "gateway.cli", *words, "--help"], cwd=ROOT, capture_output=True)
    assert helped.returncode == 0


def test_who_is_registered_is_who_takes_part() -> None:
    utility, roster = options_of("utility"), options_of("roster")
    assert utility["--partner"] == [UTILITY]
    assert roster["--region"] == options_of("departments")["--region"]
    projects = options_of("engineering-platform")
    assert projects["--partner"] == [PROJECTS]
    assert roster["--projects-url"] == projects["--public-url"] == ["http://engineering-platform:8080"]
    for other in ("utility", "departments"):
        assert roster[f"--{other}-url"] == options_of(other)["--public-url"] == [f"http://{other}:8080"]
    assert SERVICES["register"]["command"] == ["partners", "apply", *roster["--out"]]
    settings = load_settings(SERVICES["gateway"]["environment"])
    assert utility["--webhook-secret-file"] == [str(settings.secrets_dir / SECRET_REF)]
    (source,) = settings.sources
    assert source.access_id == options_of("provincial-platform")["--access-id"][0]
    written = [options_of(name)["--trust-dir"][0] for name in ("provincial-platform", "identity-provider")]
    assert options_of("trust-directory") == {"--from": written, "--out": [str(settings.trust_dir)]}
    assert settings.identity_provider is not None
    assert settings.status_origins == (settings.identity_provider.issuer,)


def mounted(name: str) -> dict[str, str]:
    """Volume by the place where it is mounted."""
    return {volume.split(":")[1]: volume.split(":")[0] for volume in SERVICES[name].get("volumes", [])}


def test_what_one_writes_another_finds_in_the_same_volume() -> None:
    for place, services in {
        "/run/bandian/webhooks": ["secrets", "utility", "gateway", "worker"],
        "/run/bandian/platform": ["secrets", "provincial-platform", "gateway", "worker"],
        "/run/bandian/postgres": ["secrets", "postgres"],
        "/run/bandian/database": ["secrets", "migrate", "register", "gateway", "worker"],
        "/var/lib/bandian/trust": ["trust-directory", "gateway", "worker"],
        "/var/lib/bandian/trust-parts": ["provincial-platform", "identity-provider", "trust-directory"],
        "/var/lib/bandian/keys": ["register", "gateway", "worker"],
        "/var/lib/bandian/roster": ["roster", "register"],
    }.items():
        assert len({mounted(name).get(place) for name in services}) == 1
        # An empty volume takes its owner from the image: the place must be there, and be the user's.
        assert f" {place}" in docker_stages()["gateway"]


def test_the_secrets_are_made_once_and_are_what_their_readers_take(tmp_path: Path) -> None:
    for name in ("database", "postgres", "platform", "webhooks"):
        (tmp_path / name).mkdir()
    script = SERVICES["secrets"]["command"][0].replace("$$", "$").replace("/run/bandian", str(tmp_path))
    entrypoint = SERVICES["secrets"]["entrypoint"]
    made = []
    for _ in range(2):
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        subprocess.run([*entrypoint, script], check=True, env={"PATH": path})
        made.append({path.name: path.read_text("utf-8") for path in tmp_path.glob("*/*")})
    assert made[0] == made[1]
    assert made[0].keys() == {"password", "postgres-password", "secret", SECRET_REF}
    assert made[0]["password"] == made[0]["postgres-password"]
    assert mounted("postgres").keys().isdisjoint({"/run/bandian/database", "/run/bandian/webhooks"})
    text = read_secret(tmp_path / "webhooks" / SECRET_REF)
    assert len(parse_secret(text)) == 32
    assert read_secret(tmp_path / "database" / "password")


def test_the_workers_health_is_the_age_of_its_heartbeat(tmp_path: Path) -> None:
    settings = load_settings(SERVICES["worker"]["environment"])
    check = SERVICES["worker"]["healthcheck"]["test"]
    beat = tmp_path / "heartbeat"
    command = [sys.executable, "-c", check[3].replace(str(settings.heartbeat_file), str(beat))]
    assert str(settings.heartbeat_file) in check[3]

    def healthy() -> bool:
        return subprocess.run(command, capture_output=True).returncode == 0

    assert not healthy()
    beat.touch()
    assert healthy()
    os.utime(beat, (time.time() - 60, time.time() - 60))
    assert not healthy()


def docker_stages() -> dict[str, str]:
    text = (ROOT / "Dockerfile").read_text("utf-8")
    parts = re.split(r"^FROM (\S+) AS (\w+)$", text, flags=re.MULTILINE)
    return {parts[at + 1]: parts[at + 2] for at in range(1, len(parts), 3)}


def stages_with_health_check() -> set[str]:
    return {name for name, body in docker_stages().items() if "\nHEALTHCHECK " in body}


def test_the_image_is_pinned_hashed_and_not_roots() -> None:
    text = (ROOT / "Dockerfile").read_text("utf-8")
    assert re.findall(r"^FROM (\S+)", text, re.MULTILINE)[0].startswith("python:3.13.")
    assert re.findall(r"install .*?-r (\S+)", text.replace("\\\n", " ")) == [
        "requirements-bootstrap.lock",
        "requirements.lock",
    ]
    assert text.count("--require-hashes") == 2
    assert "requirements-dev" not in text
    assert "\nUSER 10001:10001\n" in docker_stages()["gateway"]
    assert docker_stages().keys() >= BUILT


def test_what_is_shipped_holds_no_mock() -> None:
    stages = docker_stages()
    assert "mock_services" not in stages["build"] + stages["gateway"]


def test_everything_the_image_copies_reaches_the_builder() -> None:
    ignored = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    text = (ROOT / "Dockerfile").read_text("utf-8")
    for line in re.findall(r"^COPY (?!--from)(.+)$", text, re.MULTILINE):
        for source in line.split()[:-1]:
            assert (ROOT / source).exists()
            assert f"!{source}" in ignored or f"!{source}/" in ignored
