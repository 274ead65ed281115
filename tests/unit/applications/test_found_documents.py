"""What an applicant is told of each document: the next step, by who owns it, and nobody else's number."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from gateway.applications.model import IntakeKind
from gateway.certificates.errors import SourceDenied
from gateway.certificates.sources import SourceDirectory
from gateway.certificates.trust import TrustStore
from gateway.identity.model import VerifiedApplicant
from gateway.wording.catalogues import worded
from gateway.wording.phrases import Language
from schemas.identity import ActingRole
from schemas.status_lists import CertificateStatus
from tests.support.ecertificates import ENTERPRISE
from tests.support.licences import SHOP, LicencesRoom, an_applicant, licences_room, province

PERSON, OTHER_PERSON = an_applicant().person_code, "110101190001020013"
PROPERTY = "property_certificate"


@pytest.fixture
def room(database_url: str) -> Iterator[LicencesRoom]:
    with licences_room(database_url) as made:
        yield made
    province().statuses[:] = [0] * 16


async def found(room: LicencesRoom, name: str, applicant: VerifiedApplicant | None = None) -> Any:
    view = await room.intakes.begin(applicant or an_applicant(), IntakeKind.ONE_CERTIFICATE, SHOP)
    document = next(each for each in view.documents if each.document == name)
    if document.next_step:
        assert in_english(document.next_step), document.next_step
    return document


def in_english(step: str) -> bool:
    """Nothing of it is left in Chinese but the authority's own name and what English quotes."""
    said = worded(step, Language.ENGLISH)
    for own in (authority("business_licence"), authority(PROPERTY), "(容缺受理)"):
        said = said.replace(own, "")
    return not re.search("[\u4e00-\u9fff]", said)


def authority(kind: str) -> str:
    return str(province().metadata(kind)["ZZBFJG"])


async def test_one_that_may_prove_good_keeps_the_question_open(room: LicencesRoom) -> None:
    expired = province().envelope(PROPERTY, ZZYXQJZRQ="2025-01-01")
    unlisted = province().envelope(PROPERTY, payload={"status": None}, KZ_ZL="广州市示例路9号")
    room.source.hold(PROPERTY, expired, unlisted)
    document = await found(room, PROPERTY)
    assert sorted(each.verdict for each in document.certificates) == ["indeterminate", "invalid"]
    assert document.state == "unavailable"
    assert document.declarable


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"ZZYXQJZRQ": "2025-01-01"}, ("有效期", "换发")),
        ({"CZZTDM": "91440101TDMA000099"}, ("不属于",)),
    ],
    ids=["expired", "holder"],
)
async def test_what_is_the_applicants_names_what_and_where(
    room: LicencesRoom, changes: dict[str, str], words: tuple[str, ...]
) -> None:
    room.source.hold("business_licence", province().envelope(**changes))
    document = await found(room, "business_licence")
    assert document.state == "refused"
    for word in (*words, "营业执照", authority("business_licence")):
        assert word in document.next_step


@pytest.mark.parametrize(
    ("status", "word"), [(CertificateStatus.SUSPENDED, "恢复"), (CertificateStatus.INVALID, "重新申领")]
)
async def test_suspended_or_revoked_is_a_real_step(room: LicencesRoom, status: CertificateStatus, word: str) -> None:
    province().statuses[3] = status
    room.source.hold("business_licence", province().envelope(index=3))
    document = await found(room, "business_licence")
    assert document.state == "refused"
    assert word in document.next_step
    assert authority("business_licence") in document.next_step


async def test_what_is_the_governments_names_the_authority_to_turn_to(room: LicencesRoom) -> None:
    room.source.hold("business_licence", province().envelope(CZZTDMLXDM="111"))
    document = await found(room, "business_licence")
    assert document.certificates[0].failed_check.owner == "政府"
    assert f"联系{authority('business_licence')}" in document.next_step


async def test_a_stranger_that_nobody_configured_is_ours_to_mend_by_telephone(room: LicencesRoom) -> None:
    room.intakes._certificates._verifier = province().verifier(TrustStore.build([], []))
    document = await found(room, "business_licence")
    assert document.certificates[0].failed_check.check == "chain.no_anchor"
    assert document.state == "unavailable"
    assert "12345" in document.next_step
    assert "稍后" not in document.next_step


async def test_a_region_without_a_source_is_not_a_missing_certificate(room: LicencesRoom) -> None:
    room.intakes._certificates._sources = SourceDirectory([])
    document = await found(room, PROPERTY)
    assert (document.state, document.declarable) == ("unavailable", True)
    assert "12345" in document.next_step
    assert "未查到" not in document.next_step


async def test_a_source_that_refuses_us_is_not_the_applicants_to_wait_for(
    room: LicencesRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: Any) -> Any:
        raise SourceDenied(partner="gd-platform")

    monkeypatch.setattr(room.source, "find", refuse)
    document = await found(room, "business_licence")
    assert document.state == "unavailable"
    assert "12345" in document.next_step


async def test_joint_ownership_is_said_plainly_and_the_other_owners_number_is_not_shown(room: LicencesRoom) -> None:
    shared = province().envelope(
        PROPERTY,
        CZZT="示例有限公司、测试乙",
        CZZTDM=f"{ENTERPRISE}、{OTHER_PERSON}",
        KZ_QLR="示例有限公司、测试乙",
        KZ_QLRZJH=f"{ENTERPRISE}、{OTHER_PERSON}",
        KZ_GYQK="共同共有",
    )
    room.source.hold(PROPERTY, shared)
    document = await found(room, PROPERTY)
    (certificate,) = document.certificates
    assert document.state == "found"
    assert "共有" in certificate.notes[0]
    assert certificate.summary["权利人"] == "示例有限公司、测试乙"
    assert certificate.summary["权利人证件号"] == f"{ENTERPRISE}、110*************13"
    assert certificate.summary["持证主体代码"] == f"{ENTERPRISE}、110*************13"
    assert OTHER_PERSON not in document.model_dump_json()


async def test_the_representative_sees_their_own_number_and_an_agent_does_not(room: LicencesRoom) -> None:
    room.source.hold("business_licence", province().envelope(KZ_FDDBRZJH=PERSON))
    (own,) = (await found(room, "business_licence")).certificates
    assert own.summary["法定代表人证件号"] == PERSON
    agent = replace(an_applicant(), person_code=OTHER_PERSON, person_name="测试乙", role=ActingRole.AGENT)
    (seen,) = (await found(room, "business_licence", agent)).certificates
    assert seen.summary["法定代表人证件号"] == "110*************18"
    assert (seen.summary["法定代表人"], seen.summary["统一社会信用代码"]) == ("测试甲", ENTERPRISE)


async def test_a_number_that_stands_in_plain_text_is_masked_too(room: LicencesRoom) -> None:
    room.source.hold(PROPERTY, province().envelope(PROPERTY, KZ_GYQK=f"与{OTHER_PERSON}共有"))
    (certificate,) = (await found(room, PROPERTY)).certificates
    assert certificate.summary["共有情况"] == "与110*************13共有"
