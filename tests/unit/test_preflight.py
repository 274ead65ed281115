"""What a start is refused for before anything serves: one sentence each, and never a value that may be secret."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from adapters.data_keys import open_data_keys
from adapters.key_directory import open_key_directory
from adapters.key_providers import open_provider
from gateway.crypto.aead import Algorithm
from gateway.preflight import refuse_bad_start
from gateway.settings import load_settings
from gateway.start_refusals import StartRefused
from tests.support.databases import Databases
from tests.support.storage import NOON

SOURCE = {"code": "gd", "url": "http://127.0.0.1:9", "region": "440000", "access_id": "b", "access_secret": "s"}


@pytest.fixture
def environment(tmp_path: Path, databases: Databases) -> dict[str, str]:
    """Settings of a gateway that starts."""
    return {
        "BANDIAN_DATABASE_URL": databases.sqlite(),
        "BANDIAN_KEY_DIR": str(tmp_path / "keys"),
        "BANDIAN_TRUST_DIR": str(tmp_path / "trust"),
        "BANDIAN_SECRETS_DIR": str(tmp_path / "secrets"),
    }


def test_a_gateway_on_its_own_may_start(environment: dict[str, str]) -> None:
    refuse_bad_start(load_settings(environment))


def exposed_keys(directory: Path) -> dict[str, str]:
    open_key_directory(directory / "keys", generate=True, on=NOON.date())
    (directory / "keys").chmod(0o755)
    return {}


def empty_trust(directory: Path) -> dict[str, str]:
    (directory / "trust").mkdir()
    return {"BANDIAN_SOURCES": json.dumps([SOURCE])}


def not_migrated(directory: Path) -> dict[str, str]:
    return {"BANDIAN_DATABASE_URL": f"sqlite:///{directory}/new.sqlite3"}


def made_keys(directory: Path) -> Path:
    """Signing keys are there; answers where the data keys belong."""
    open_key_directory(directory / "keys", generate=True, on=NOON.date())
    (directory / "keys" / "at-rest").mkdir(mode=0o700)
    return directory / "keys" / "at-rest"


def exposed_master(directory: Path) -> dict[str, str]:
    (made_keys(directory) / "master.key").write_text("ab" * 32)
    (directory / "keys" / "at-rest" / "master.key").chmod(0o644)
    return {}


def no_master(directory: Path) -> dict[str, str]:
    made_keys(directory)
    return {"BANDIAN_AT_REST_KEYS": "file:/nowhere/master.key", "BANDIAN_GENERATE_KEYS": "false"}


def another_master(directory: Path) -> dict[str, str]:
    provider = open_provider("env:K", {"K": "ab" * 32}.get, Algorithm.AES_256_GCM, generate=False)
    open_data_keys(made_keys(directory), provider, generate=True, on=NOON.date())
    return {"BANDIAN_AT_REST_KEYS": "env:BANDIAN_AT_REST_KEY", "BANDIAN_AT_REST_KEY": "cd" * 32}


def no_data_key(directory: Path) -> dict[str, str]:
    made_keys(directory)
    key = {"BANDIAN_AT_REST_KEYS": "env:BANDIAN_AT_REST_KEY", "BANDIAN_AT_REST_KEY": "cd" * 32}
    return {**key, "BANDIAN_GENERATE_KEYS": "false"}


BAD: dict[str, tuple[Callable[[Path], dict[str, str]], str]] = {
    "keys open to others": (exposed_keys, "run: chmod 0700"),
    "keys at a file": (lambda _: {"BANDIAN_KEY_DIR": __file__}, "key directory"),
    "no keys": (lambda _: {"BANDIAN_GENERATE_KEYS": "false"}, "There is no key directory"),
    "no trust directory": (lambda _: {"BANDIAN_SOURCES": json.dumps([SOURCE])}, "The trust directory has no anchors"),
    "empty trust directory": (empty_trust, "The trust directory has no anchors"),
    "no database": (lambda _: {"BANDIAN_DATABASE_URL": "postgresql://b:hunter2@127.0.0.1:9/b"}, "does not answer"),
    "not a database": (lambda _: {"BANDIAN_DATABASE_URL": f"sqlite:///{__file__}"}, "does not answer"),
    "no address": (lambda _: {"BANDIAN_DATABASE_URL": "postgresql://b@h:hunter2/b"}, "address cannot be read"),
    "not migrated": (not_migrated, "run: bandian migrate"),
    "no such department": (lambda _: {"BANDIAN_DEPARTMENTS": '{"mining": {}}'}, "no adapter: mining"),
    "no such option": (lambda _: {"BANDIAN_DEPARTMENTS": '{"water": {"colour": "hunter2"}}'}, "water.colour"),
    "no such kind": (lambda _: {"BANDIAN_TYPE_CODES": '{"licence": ["1"]}'}, "BANDIAN_TYPE_CODES"),
    "a source for no kind": (
        lambda _: {"BANDIAN_SOURCES": json.dumps([SOURCE | {"kinds": ["licence"]}])},
        "gd names a kind",
    ),
    "wrapping key open to others": (exposed_master, "chmod 0600"),
    "no wrapping key in the variable": (lambda _: {"BANDIAN_AT_REST_KEYS": "env:NOT_SET"}, "variable NOT_SET holds no"),
    "no wrapping key in the file": (no_master, "There is no wrapping key /nowhere/master.key"),
    "another wrapping key": (another_master, "BANDIAN_AT_REST_KEYS"),
    "no such provider": (lambda _: {"BANDIAN_AT_REST_KEYS": "kms:key-1"}, "must be one of"),
    "no data key": (no_data_key, "bandian keys init"),
    "no SM2 library": (lambda _: {"BANDIAN_SM2_LIBRARY": "/nowhere/libcrypto.so"}, "BANDIAN_SM2_LIBRARY"),
    "no place for the heartbeat": (lambda _: {"BANDIAN_HEARTBEAT_FILE": "/nowhere/beat"}, "BANDIAN_HEARTBEAT_FILE"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_work_is_refused_with_what_mends_it(name: str, environment: dict[str, str], tmp_path: Path) -> None:
    spoil, words = BAD[name]
    settings = load_settings(environment | spoil(tmp_path))
    with pytest.raises(StartRefused) as caught:
        refuse_bad_start(settings, lambda: NOON)
    said = str(caught.value)
    assert words in said
    assert "hunter2" not in said
    assert "\n" not in said


def test_a_library_without_sm4_is_told_at_start(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load_settings(environment | {"BANDIAN_AT_REST_ALGORITHM": "sm4-gcm"})
    refuse_bad_start(settings)
    monkeypatch.setattr(
        "gateway.bootstrap.foundation.is_available", lambda algorithm: algorithm is Algorithm.AES_256_GCM
    )
    with pytest.raises(StartRefused, match="BANDIAN_AT_REST_ALGORITHM=aes-256-gcm"):
        refuse_bad_start(settings)
