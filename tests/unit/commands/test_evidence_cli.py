"""What `bandian evidence-anchors` writes out of an installation's settings, and that the verifier reads it."""

import base64
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from adapters.storage.migrate import migrate
from gateway.cli import app
from gateway.evidence.verify_evidence import Anchors
from schemas.ecertificates import TYPE_CODES
from tests.support import x509_writer as x509


@pytest.fixture(autouse=True)
def _settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BANDIAN_DATABASE_URL", f"sqlite:///{tmp_path / 'gateway.sqlite3'}")
    monkeypatch.setenv("BANDIAN_KEY_DIR", str(tmp_path / "keys"))
    monkeypatch.setenv("BANDIAN_TRUST_DIR", str(tmp_path / "trust"))
    settings = {"url": "https://tsa.example", "anchors": str(tmp_path / "tsa.pem")}
    monkeypatch.setenv("BANDIAN_TIME_STAMPS", json.dumps(settings))
    monkeypatch.setenv("BANDIAN_TYPE_CODES", json.dumps({"project_approval": ["11440000MB2C8KP001001"]}))
    migrate(f"sqlite:///{tmp_path / 'gateway.sqlite3'}")


def exported(tmp_path: Path) -> Result:
    return CliRunner().invoke(app, ["evidence-anchors", "-o", str(tmp_path / "dir")])


def test_kinds_and_authorities_of_time_stamps(tmp_path: Path) -> None:
    root = x509.root("时间戳根")
    pem = base64.encodebytes(root.certificate)
    (tmp_path / "tsa.pem").write_bytes(b"-----BEGIN CERTIFICATE-----\n" + pem + b"-----END CERTIFICATE-----\n")
    made = exported(tmp_path)
    assert made.exit_code == 0, made.output
    anchors = Anchors.read(tmp_path / "dir")
    assert anchors.kinds is not None
    assert anchors.kinds["business_licence"] == {TYPE_CODES["business_licence"]}
    assert anchors.kinds["project_approval"] == {"11440000MB2C8KP001001"}
    assert [each.der for each in anchors.time_stamping] == [root.certificate]


def test_roots_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    made = exported(tmp_path)
    assert made.exit_code == 1
    assert "tsa.pem" in made.output
    assert "Traceback" not in made.output
