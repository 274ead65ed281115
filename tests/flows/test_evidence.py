"""The evidence of an application: made by command and over HTTP, verified where nothing of the gateway is installed."""

import asyncio
import importlib.util
import shutil
import sys
import zipapp
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from gateway.evidence import verify_evidence
from gateway.evidence.verify_evidence import MANIFEST, read_archive
from mock_services.demo.applicant import Applicant
from mock_services.demo.journeys.stage import CHIP_PLANT, HOME, apply, same_outcomes, until
from tests.flows.test_privacy import personal_words
from tests.support.evidence import anew, contents
from tests.support.province import LiveProvince
from tests.support.raw_database import Needles

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]


@dataclass
class Evidence:
    """Bundles of one application that went all the way, and a machine without the gateway to look at them."""

    province: LiveProvince
    applicant: Applicant
    application_id: str
    directory: Path
    whole: bytes = b""
    redacted: bytes = b""

    async def verify(
        self, bundle: bytes, anchors: Path | None = None, lang: str = "en", form: str = "run_module('verify_evidence'"
    ) -> tuple[int, str]:
        """``verify-evidence`` with one folder and ``cryptography``, and nothing else that could be imported."""
        (self.directory / "bundle.zip").write_bytes(bundle)
        program = f"import sys, runpy; sys.path += [sys.argv.pop(1), '.']; runpy.{form}, run_name='__main__')"
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", "-c", program, str(self.directory / "lib"), "bundle.zip"),
            *("--anchors", str(anchors or self.directory / "anchors"), "--lang", lang),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            cwd=self.directory,
            env={"PYTHONUTF8": "1"},
        )
        printed, _ = await process.communicate()
        return process.returncode or 0, printed.decode()

    async def given(self, **query: str) -> bytes:
        """What the applicant gets over HTTP, once its entries are in a checkpoint."""

        async def ask() -> bytes | None:
            status, body = await self.over_http(self.applicant, **query)
            return body if status == 200 else None

        body: bytes = await until(ask, "the bundle is given")
        return body

    async def over_http(self, applicant: Applicant, **query: str) -> tuple[int, bytes]:
        url = f"{self.province.province.gateway}/v1/applications/{self.application_id}/evidence"
        headers = {"authorization": f"Bearer {applicant.token}"}
        response = await self.province.http.get(url, params=query, headers=headers)
        return response.status_code, response.content


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def evidence(province: LiveProvince, tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    stage, directory = province.stage(), tmp_path_factory.mktemp("auditor")
    applicant = stage.applicant("enterprise-dual-source")
    await applicant.verify("enterprise", "e_licence")
    application_id = await apply(stage, applicant, "one-certificate", CHIP_PLANT)
    progress = await stage.finished(applicant, application_id)
    await same_outcomes(stage, application_id, {each["summary"]["permit_id"] for each in progress["permits"]})
    made = Evidence(province, applicant, application_id, directory)
    folder = directory / "verify_evidence"
    shutil.copytree(Path(verify_evidence.__file__).parent, folder, ignore=shutil.ignore_patterns("__pycache__"))
    zipapp.create_archive(folder, directory / "verify-evidence.pyz")
    (directory / "lib").mkdir()
    for name in ("cryptography", "cffi", "_cffi_backend"):
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        found = Path(spec.origin).parent if spec.submodule_search_locations else Path(spec.origin)
        (directory / "lib" / found.name).symlink_to(found)
    for arguments in (
        ("evidence", application_id, "-o", str(directory / "whole.zip")),
        ("evidence-anchors", "-o", str(directory / "anchors")),
    ):
        code, printed = await province.command(*arguments)
        assert code == 0, printed
    made.whole = (directory / "whole.zip").read_bytes()
    made.redacted = await made.given(redacted="true")
    return made


async def test_everything_is_proved_where_nothing_of_the_gateway_is(evidence: Evidence) -> None:
    code, printed = await evidence.verify(evidence.whole)
    assert code == 0, printed
    assert printed.count("was valid at") >= 3
    assert printed.count("bears its signature") >= 5, "departments' own documents"
    assert printed.count("with this very content") >= 5, "the utility's receipts"
    assert "the identity assertion is" in printed
    assert "not proved 0, wrong 0" in printed
    for form in ("run_path('verify_evidence'", "run_path('verify-evidence.pyz'"):
        assert await evidence.verify(evidence.whole, form=form) == (code, printed), "however it is called"
    code, printed = await evidence.verify(evidence.whole, lang="zh")
    assert (code, "未能证明 0，错误 0" in printed) == (0, True)


async def test_a_redacted_one_verifies_and_names_nobody(evidence: Evidence) -> None:
    code, printed = await evidence.verify(evidence.redacted)
    assert code == 0, printed
    assert "of envelope left out" in printed
    needles = Needles(personal_words() | {CHIP_PLANT["purpose"]})
    assert {found for content in contents(evidence.whole) for found in needles.found_in(content)}, "they can be found"
    assert {found for content in contents(evidence.redacted) for found in needles.found_in(content)} == set()


async def test_the_applicant_gets_it_over_http_and_nobody_else_does(evidence: Evidence) -> None:
    code, printed = await evidence.verify(await evidence.given())
    assert code == 0, printed
    assert "evidence.bundled" in printed, "that it was given before is on record"
    stranger = evidence.province.applicant("enterprise-small")
    await stranger.verify("enterprise", "e_licence")
    assert (await evidence.over_http(stranger))[0] == 404


async def test_a_contract_that_was_signed_on_line_is_proved(evidence: Evidence) -> None:
    """Over HTTP, by the mock provider and the mock utility; offline, by a verifier that knows neither."""
    stage = evidence.province.stage()
    resident = stage.applicant("resident-historic-number")
    await resident.verify("resident", "face")
    demand = {**HOME, "region": "440103", "purpose": "演示电子合同"}
    application_id = await apply(stage, resident, "face-verified", demand)
    contract = await until(lambda: resident.contract(application_id), "a contract is sent")
    document = await resident.contract_document(application_id)
    await resident.sign(application_id, contract, "face")
    await stage.finished(resident, application_id)
    bundle = evidence.directory / "contract.zip"
    made = await evidence.province.command("evidence", application_id, "-o", str(bundle))
    assert made[0] == 0, made[1]
    whole = bundle.read_bytes()
    code, printed = await evidence.verify(whole)
    assert code != 1, printed
    about = [line for line in printed.splitlines() if contract["contract_id"] in line]
    assert len(about) == 4, printed
    assert all(line.startswith("✓") for line in about), about
    assert read_archive(whole)[f"contracts/{contract['sha256']}.txt"] == document
    at = whole.index(document) + len(document) // 2
    assert (await evidence.verify(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]))[0] == 1


async def test_licences_on_ofd_are_proved_by_their_seals(evidence: Evidence) -> None:
    stage = evidence.province.stage()
    resident = stage.applicant("resident-two-owners")
    await resident.verify("resident", "face")
    application_id = await apply(stage, resident, "face-verified", {**HOME, "region": "440305"})
    bundle = evidence.directory / "ofd.zip"
    made = await evidence.province.command("evidence", application_id, "-o", str(bundle))
    assert made[0] == 0, made[1]
    code, printed = await evidence.verify(bundle.read_bytes())
    about = [line for line in printed.splitlines() if ".ofd]" in line]
    assert len(about) >= 2, printed
    assert all(line.startswith("✓") and "was valid at" in line for line in about), printed
    assert code != 1, printed


async def test_other_anchors_prove_nothing(evidence: Evidence, tmp_path: Path) -> None:
    shutil.copytree(evidence.directory / "anchors", tmp_path / "other")
    shutil.rmtree(tmp_path / "other" / "anchors")
    code, printed = await evidence.verify(evidence.whole, tmp_path / "other")
    assert (code, "no path leads to an anchor" in printed) == (2, True)
    (tmp_path / "other" / "gateway.jwks.json").write_text('{"keys": []}', "utf-8")
    code, printed = await evidence.verify(evidence.whole, tmp_path / "other")
    assert (code, "has no key of the gateway" in printed) == (2, True)


async def test_a_file_that_is_gone_or_changed_is_named(evidence: Evidence) -> None:
    files = read_archive(evidence.whole)
    receipt = next(name for name in files if name.endswith(".jws") and name.startswith("deliveries/"))
    for changes in ({receipt: None}, {receipt: files[receipt] + b" "}):
        code, printed = await evidence.verify(anew(evidence.whole, changes))
        assert (code, receipt in printed) == (1, True)
    at = evidence.whole.index(files[MANIFEST]) + 100
    code, printed = await evidence.verify(evidence.whole[:at] + b"!" + evidence.whole[at + 1 :])
    assert (code, MANIFEST in printed) == (1, True)
