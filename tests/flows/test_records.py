"""A proof as an applicant and the utility get it, over real HTTP, checked by the program of docs/records.md alone."""

import asyncio
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mock_services.demo.journeys.stage import HOME, until
from tests.support.province import LiveProvince

pytestmark = pytest.mark.asyncio(loop_scope="session")
DOCUMENT = Path(__file__).parents[2] / "docs" / "records.md"


def checked(directory: Path, proof: dict[str, Any], key: str) -> subprocess.CompletedProcess[str]:
    """What the program in the documentation says, run without the gateway's code."""
    (program,) = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text("utf-8"), re.S)
    (directory / "proof.json").write_text(json.dumps(proof))
    (directory / "check.py").write_text(program, "utf-8")
    command = [sys.executable, "-I", "check.py", key]
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)


async def test_an_applicant_proves_who_looked_without_the_gateway(province: LiveProvince, tmp_path: Path) -> None:
    gateway = province.province.gateway
    applicant = province.applicant("resident-ordinary")
    await applicant.verify("resident", "sms_otp")
    view = await applicant.begin("face-verified", HOME)
    submitted = await applicant.confirm(view["intake_id"])
    own = f"{gateway}/v1/applications/{submitted['application_id']}"
    session = {"authorization": f"Bearer {applicant.token}"}

    async def proved() -> Any:
        url = f"{own}/records/{submitted['record_id']}/proof"
        answer = await province.http.get(url, headers=session)
        return answer.json() if answer.status_code == 200 else None

    proof = await until(proved, "the entry is proved", 60)
    (key,) = (await province.http.get(f"{gateway}/.well-known/record-keys")).text.splitlines()
    said = await asyncio.to_thread(checked, tmp_path, proof, key)
    assert said.returncode == 0, said.stderr
    assert json.loads(said.stdout.removeprefix("proved: "))["subject"] == submitted["application_id"]
    for spoilt in (
        proof | {"sequence": proof["sequence"] + 1},
        proof | {"leaf": proof["super_leaf"]["leaf"]},
        proof | {"checkpoint": proof["checkpoint"].replace("\n", "\n1", 1)},
    ):
        assert (await asyncio.to_thread(checked, tmp_path, spoilt, key)).returncode != 0
    other = (await province.http.get(f"{own}x/records/{submitted['record_id']}/proof", headers=session)).json()
    assert other["check"] == "application.unknown"
