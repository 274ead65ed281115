"""设计单位 and 施工单位: named by the utility, bound to the application, and no way to look companies up."""

from typing import Any

import pytest

from gateway.licences.errors import HolderNotNamed, ThirdPartyRefused
from gateway.licences.third_parties import MOST_ASKED
from gateway.records.entries import digest
from schemas.identifiers import make_unified_social_credit_code
from tests.support.licences import PLANT, LicencesRoom, an_agreement, province, refused

DESIGNER = make_unified_social_credit_code("91440101", "TDMA0777")
DESIGN = {"CZZT": "测试设计院", "CZZTDM": DESIGNER, "KZ_ZZLB": "送变电工程", "KZ_ZZDJ": "乙级"}
KIND = "design_qualification"


def company(number: int) -> str:
    return make_unified_social_credit_code("91440101", f"TDMA08{number:02d}")


async def in_design_review(room: LicencesRoom) -> str:
    room.source.hold("project_approval")
    application_id = (
        await room.apply(
            PLANT, declared=[{"document": "project_approval", "file_name": "批复.pdf", "sha256": "ab" * 32}]
        )
    ).application.application_id
    room.source.hold("design_qualification", province().envelope("design_qualification", **DESIGN), holder=DESIGNER)
    await room.complete(application_id, "acceptance", "supply_plan")
    return application_id


async def test_a_third_partys_qualification_is_asked_for_by_its_holder(room: LicencesRoom) -> None:
    application_id = await in_design_review(room)
    answer = await room.ask(application_id, "design_qualification", holder_code=DESIGNER)
    assert answer.verdict == "valid"
    assert set(answer.fields) == {"name", "holder", "grade"}
    assert (answer.fields["holder"], answer.fields["grade"]) == ("测试设计院", "乙级")
    assert room.source.queries[-1].holder_code == DESIGNER


@pytest.mark.parametrize("holder_code", [None, "", "123", "91440101TDMA000777", "440106199001011234"])
async def test_a_third_party_must_be_named_rightly(room: LicencesRoom, holder_code: str | None) -> None:
    application_id = await in_design_review(room)
    error = await refused(
        room, HolderNotNamed, "licence.holder", application_id, "design_qualification", holder_code=holder_code
    )
    assert not holder_code or holder_code not in str(error)


async def test_whether_it_is_held_is_judged_for_the_third_party_and_not_for_the_applicant(room: LicencesRoom) -> None:
    application_id = await in_design_review(room)
    room.change_agreement(grants=an_agreement(agreed={KIND: {"name", "held_by"}}).grants)
    answer = await room.ask(application_id, KIND, holder_code=DESIGNER)
    assert answer.predicates == {"held_by": True}


async def test_the_record_names_the_third_party_by_a_keyed_digest_alone(room: LicencesRoom) -> None:
    application_id = await in_design_review(room)
    await room.ask(application_id, KIND, holder_code=DESIGNER)
    await room.ask(application_id, KIND, holder_code=DESIGNER)
    await refused(room, ThirdPartyRefused, "licence.third_party", application_id, KIND, holder_code=company(1))
    first, again, other = (
        entry["facts"]["holder_digest"] for entry in await room.entries("licence.disclosed") if entry["facts"]
    )
    assert first == again != other
    for code, told in ((DESIGNER, first), (company(1), other)):
        assert told not in {code, digest(code)}, "a plain hash of a code tells the code"


async def test_an_application_asks_for_few_third_parties_and_the_first_ones_stay(room: LicencesRoom) -> None:
    application_id = await in_design_review(room)
    await room.ask(application_id, KIND, holder_code=DESIGNER)
    for number in range(1, MOST_ASKED):
        room.source.hold(
            KIND, province().envelope(KIND, **DESIGN | {"CZZTDM": company(number)}), holder=company(number)
        )
        await room.ask(application_id, KIND, holder_code=company(number))
    asked, one_more = len(room.source.queries), company(MOST_ASKED)
    room.source.hold(KIND, province().envelope(KIND, **DESIGN | {"CZZTDM": one_more}), holder=one_more)
    await refused(room, ThirdPartyRefused, "licence.third_party", application_id, KIND, holder_code=one_more)
    assert len(room.source.queries) == asked, "the source was asked for a company too many"
    assert (await room.ask(application_id, KIND, holder_code=DESIGNER)).verdict == "valid"


async def test_asking_for_what_does_not_exist_counts_and_is_answered_like_any_other_refusal(
    room: LicencesRoom,
) -> None:
    application_id = await in_design_review(room)
    told = [
        await refused(room, ThirdPartyRefused, "licence.third_party", application_id, KIND, holder_code=company(number))
        for number in range(MOST_ASKED + 1)
    ]
    assert {(each.kind, each.remedy, each.clause, each.owner) for each in told} == {
        (told[0].kind, told[0].remedy, told[0].clause, told[0].owner)
    }
    await refused(room, ThirdPartyRefused, "licence.third_party", application_id, KIND, holder_code=DESIGNER)
    entries = await room.entries("licence.disclosed")
    assert {entry["subject"] for entry in entries} == {application_id}, "the applicant sees each attempt"


async def test_each_application_and_kind_has_its_own_few(room: LicencesRoom) -> None:
    def asked(application_id: str, kind: str) -> Any:
        return lambda tx: tx.asked_holders.of(application_id, kind)

    first, second = await in_design_review(room), await in_design_review(room)
    for application_id in (first, second):
        await room.ask(application_id, KIND, holder_code=DESIGNER)
        assert len(await room.transactions.read(asked(application_id, KIND))) == 1
        assert not await room.transactions.read(asked(application_id, "construction_qualification"))
