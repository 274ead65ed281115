"""`bandian explain` and the dry run in a running province: real processes, real sources, real status lists."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio

from adapters.httpx_client import HttpxClient
from adapters.provincial_platform import ProvincialPlatform
from gateway.certificates.ports import SourceQuery, UsePurpose
from mock_services.demo.journeys.stage import BAKERY, apply
from mock_services.demo.roster import UTILITY
from mock_services.population import DEFAULT_SEED, Population, build_population
from schemas.ecertificates import HOLDER_IS_ENTERPRISE, HOLDER_IS_RESIDENT, TYPE_CODES
from schemas.partner_api import LicenceExplanation
from tests.support.callers import Caller, key_of_mock
from tests.support.province import FEW, LiveProvince

pytestmark = pytest.mark.asyncio(loop_scope="session")
without_database = pytest.mark.parametrize("province", ["sqlite"], indirect=True, scope="package")
"""A file is judged without the database, whatever it is."""


def population() -> Population:
    return build_population(int(FEW[1]), int(FEW[3]), DEFAULT_SEED)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def application_id(province: LiveProvince) -> str:
    """An application that stays at its first stage."""
    stage = province.stage()
    applicant = stage.applicant("enterprise-small")
    await applicant.verify("enterprise", "e_licence")
    return await apply(stage, applicant, "one-certificate", {**BAKERY, "purpose": "演示人工"})


def explain_application(application_id: str, kind: str) -> tuple[str, ...]:
    return ("explain", "--application", application_id, "--kind", kind, "--utility", UTILITY)


async def test_an_operator_sees_each_check_of_a_request_and_nothing_that_a_certificate_says(
    province: LiveProvince, application_id: str
) -> None:
    code, printed = await province.command(*explain_application(application_id, "business_licence"))
    assert code == 0, printed
    lines = printed.splitlines()
    assert sum(" ✓ " in line for line in lines) == 21, printed
    assert any("会答复：有效（valid）" in line for line in lines)
    assert any("将提供：" in line and "执照在有效期内（valid_on）" in line for line in lines)
    assert any("证书吊销列表：新鲜" in line for line in lines)
    enterprise = population().personas["enterprise-small"].enterprise
    assert enterprise is not None
    assert not [word for word in (enterprise.name, enterprise.code, enterprise.address) if word in printed]
    assert "licence.explained" in printed


async def test_a_refusal_names_check_owner_remedy_and_clause(province: LiveProvince, application_id: str) -> None:
    code, printed = await province.command(*explain_application(application_id, "construction_qualification"))
    assert code == 1, printed
    (line,) = [line for line in printed.splitlines() if " ✗ " in line]
    assert "[requirements.document_not_allowed]" in line
    assert "供电企业：" in line
    assert "（第（六）条）" in line
    code, printed = await province.command(*explain_application("app_never", "business_licence"))
    assert code == 1, printed
    assert "[application.unknown]" in printed


async def test_the_dry_run_over_http_says_the_same(province: LiveProvince, application_id: str) -> None:
    gateway = province.province.gateway
    key = key_of_mock(province.province.directory / "utility" / "signing-key.pem")
    caller = await Caller(gateway, UTILITY, key).sign_in(province.http)
    body = {"application_id": application_id, "kind": "property_certificate", "purpose": "grid_connection"}
    path = "/v1/verified-licences/dry-run"
    answer = await province.http.post(gateway + path, json=body, headers=caller.headers("POST", path))
    told = LicenceExplanation.model_validate(answer.raise_for_status().json())
    assert (told.outcome, told.verdict) == ("answered", "valid")
    assert "owner_matches" in {each.name for each in told.given}
    reasons = {each.name: each.reason for each in told.withheld}
    assert (reasons["land_use"], reasons["owners"]) == ("not_required", "not_agreed")
    assert reasons["address_matches"] == "undecided", "the applicant wrote no address"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def platform(province: LiveProvince) -> AsyncIterator[ProvincialPlatform]:
    (source,) = json.loads(province.province.environment["BANDIAN_SOURCES"])
    http = HttpxClient()
    yield ProvincialPlatform(
        code=source["code"],
        base_url=source["url"],
        access_id=source["access_id"],
        access_secret=source["access_secret"],
        system_name="test",
        http=http,
    )
    await http.aclose()


async def file_of(platform: ProvincialPlatform, persona: str, kind: str, directory: Path) -> Path:
    """The e-certificate of a persona, as the platform issues it."""
    named = population().personas[persona]
    holder = named.enterprise.code if named.enterprise else named.person.id_number
    holder_type = HOLDER_IS_ENTERPRISE if named.enterprise else HOLDER_IS_RESIDENT
    query = SourceQuery(
        TYPE_CODES[kind], holder, holder_type, "440106", UsePurpose("用电报装", "grid_connection", "测试")
    )
    found, *_ = await platform.find(query, datetime.now(UTC))
    path = directory / f"{persona}-{kind}"
    path.write_bytes(found.envelope)
    return path


@pytest.mark.parametrize(
    ("persona", "kind", "code", "told"),
    [
        ("enterprise-small", "business_licence", 0, "形式 jws"),
        ("enterprise-agent", "business_licence", 0, "形式 ofd"),
        ("resident-ordinary", "property_certificate", 0, "不动产权证书（property_certificate）"),
        ("enterprise-revoked", "business_licence", 1, "[status.revoked] 政府："),
        ("enterprise-broken-signature", "business_licence", 1, "[envelope.signature] 政府："),
        ("enterprise-stale-status", "business_licence", 3, "[status.stale] 政府："),
    ],
)
@without_database
async def test_a_file_is_judged_step_by_step_with_live_evidence(
    province: LiveProvince,
    platform: ProvincialPlatform,
    tmp_path: Path,
    persona: str,
    kind: str,
    code: int,
    told: str,
) -> None:
    path = await file_of(platform, persona, kind, tmp_path)
    ended, printed = await province.command("explain", str(path))
    assert ended == code, printed
    assert told in printed
    named = population().personas[persona]
    assert named.person.name not in printed


@without_database
async def test_offline_nothing_is_fetched_and_it_is_said_what_is_missing(
    province: LiveProvince, platform: ProvincialPlatform, tmp_path: Path
) -> None:
    path = await file_of(platform, "enterprise-small", "business_licence", tmp_path)
    code, printed = await province.command("explain", str(path), "--offline")
    assert code == 3, printed
    assert "[chain.revocation_unknown]" in printed
    assert "[status.unavailable]" in printed
    assert "证照状态列表：未取得" in printed
    assert "未联网取证" in printed


@without_database
async def test_a_file_may_be_asked_whose_it_is_and_of_which_kind(
    province: LiveProvince, platform: ProvincialPlatform, tmp_path: Path
) -> None:
    path = await file_of(platform, "enterprise-small", "business_licence", tmp_path)
    code, printed = await province.command("explain", str(path), "--holder-code", "914403001922038216")
    assert (code, "[holder.mismatch] 申请人：" in printed) == (1, True), printed
    code, printed = await province.command("explain", str(path), "--kind", "resident_id")
    assert (code, "[issuer.other_kind]" in printed) == (1, True), printed
