"""The compose file starts in an order that exists, and runs nothing as root, writable, unpinned or unwatched."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.settings import load_settings

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
    expected |= {"provincial-platform", "identity-provider", "departments", "utility"}
    assert expected <= SERVICES.keys()
    assert {"migrate", "secrets"} == ONE_SHOT


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


@pytest.mark.parametrize("name", ["migrate", "gateway", "worker"])
def test_the_gateway_takes_its_settings(name: str) -> None:
    settings = load_settings(SERVICES[name]["environment"])
    hosts = [settings.base_url, *(source.url for source in settings.sources)]
    assert {re.split(r"[/:]+", url)[1] for url in hosts} <= SERVICES.keys()


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
