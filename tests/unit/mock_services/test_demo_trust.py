"""One trust directory out of several, as an operator puts it together and as the gateway reads it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from adapters.trust_directory import read_trust_directory
from mock_services.authorities import AUTHORITIES
from mock_services.demo.trust import put_together
from mock_services.identity_provider.person_ca import OPERATOR_CODE, PersonCa
from mock_services.pki import ProvincialPki
from schemas.agent_authorisations import PERSONAL_SIGNATURE_DUTY

BASE = "https://platform.example"


@pytest.fixture
def parts(tmp_path: Path) -> list[Path]:
    ProvincialPki.build(BASE).write_trust(tmp_path / "platform")
    PersonCa.build(BASE).write_trust(tmp_path / "persons")
    return [tmp_path / "platform", tmp_path / "persons"]


def test_both_are_believed_each_for_its_own(parts: list[Path], tmp_path: Path) -> None:
    put_together(parts, tmp_path / "all")
    trust = read_trust_directory(tmp_path / "all")
    assert len(trust.anchors) >= 2
    duties = {issuer.authority_code: issuer.kinds for issuer in trust.issuers}
    assert duties[OPERATOR_CODE] == {PERSONAL_SIGNATURE_DUTY}
    assert {authority.code for authority in AUTHORITIES} <= duties.keys()
    assert not [code for code, kinds in duties.items() if code != OPERATOR_CODE and PERSONAL_SIGNATURE_DUTY in kinds]


def test_it_may_be_done_again_by_command(parts: list[Path], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mock_services.demo.trust", "--out", str(tmp_path / "all")]
    command += [f"--from={part}" for part in parts]
    for _ in range(2):
        assert subprocess.run(command, capture_output=True, text=True).returncode == 0
    assert len(json.loads((tmp_path / "all" / "issuers.json").read_text("utf-8"))) == len(AUTHORITIES) + 1
    (tmp_path / "persons" / "issuers.json").unlink()
    failed = subprocess.run(command, capture_output=True, text=True)
    assert failed.returncode == 1
    assert "issuers.json" in failed.stderr


def test_two_certificates_of_one_name_are_refused(parts: list[Path], tmp_path: Path) -> None:
    (parts[1] / "anchors" / "root.pem").write_text("another")
    with pytest.raises(ValueError, match=r"root\.pem"):
        put_together(parts, tmp_path / "all")
