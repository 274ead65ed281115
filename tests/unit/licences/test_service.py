"""Verified licences on both databases: each refusal by its check, recorded; and no field beyond the agreement."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import delete

from adapters.storage.authorisations import authorisations
from gateway.applications.errors import ApplicationUnknown, DocumentNotAllowed
from gateway.applications.lifecycle import Lifecycle, StageAction, StageEvent, apply
from gateway.applications.model import IntakeKind
from gateway.authorisations.errors import AuthorisationMissing
from gateway.certificates.errors import NoECertificate
from gateway.errors import GatewayError
from gateway.licences.errors import ConfirmedCertificateGone, HolderNotAllowed, HolderNotNamed, NoOpenStage
from gateway.partners.errors import AgreementRefused
from gateway.partners.model import AgreementStatus, PartnerStatus
from mock_services.pki import AUTHORITY_OF_KIND
from schemas.applicant_api import Confirmation
from schemas.ecertificates import TYPE_CODES
from schemas.identifiers import ECertificateIdentifier, make_unified_social_credit_code
from tests.support.licences import (
    AGREED,
    OTHER_UTILITY,
    PLANT,
    SHOP,
    UTILITY,
    LicencesRoom,
    a_utility,
    an_agreement,
    an_applicant,
    licences_room,
    province,
)

DESIGNER = make_unified_social_credit_code("91440101", "TDMA0777")
DESIGN = {"CZZT": "测试设计院", "CZZTDM": DESIGNER, "KZ_ZZLB": "送变电工程", "KZ_ZZDJ": "乙级"}


@pytest.fixture
def room(database_url: str) -> Iterator[LicencesRoom]:
    with licences_room(database_url) as made:
        yield made


async def submitted(room: LicencesRoom) -> str:
    return (await room.apply()).application.application_id


async def refused(room: LicencesRoom, error: type[GatewayError], check: str, *args: Any, **wanted: Any) -> GatewayError:
    """Ask; the refusal is that error with that check, and it is in the record."""
    before = len(await room.entries("licence.disclosed"))
    with pytest.raises(error) as caught:
        await room.ask(*args, **wanted)
    assert caught.value.check == check
    entries = await room.entries("licence.disclosed")
    assert len(entries) == before + 1
    recorded = [entry for entry in entries if entry["result"] == "refused"][-1]
    assert recorded["facts"]["check"] == check
    assert recorded["facts"]["clause"] == caught.value.clause
    assert recorded["actor"] == wanted.get("caller", UTILITY)
    return caught.value


async def test_what_is_agreed_is_given_and_the_rest_is_named_as_withheld(room: LicencesRoom) -> None:
    answer = await room.ask(await submitted(room))
    assert answer.verdict == "valid"
    given = {*answer.fields, *answer.predicates}
    assert given == AGREED["business_licence"]
    assert {each.field for each in answer.withheld}.isdisjoint(given)
    assert "legal_representative" in {each.field for each in answer.withheld}
    (entry,) = await room.entries("licence.disclosed")
    assert set(entry["facts"]["fields"]) == given
    assert answer.record_id.endswith("-4"), "previewed, authorised, submitted, disclosed"


@pytest.mark.parametrize("fields", [["name"], ["holder", "valid_on"], ["valid_on"]])
async def test_what_is_asked_for_narrows_it(room: LicencesRoom, fields: list[str]) -> None:
    answer = await room.ask(await submitted(room), fields=fields)
    assert {*answer.fields, *answer.predicates} == set(fields)


async def test_a_region_may_agree_to_more_and_never_more_than_the_kind_discloses(room: LicencesRoom) -> None:
    application_id = await submitted(room)
    room.change_agreement(grants=an_agreement(agreed={"business_licence": {"name", "nothing_of_the_kind"}}).grants)
    answer = await room.ask(application_id)
    assert {*answer.fields, *answer.predicates} == {"name"}


async def test_an_application_of_another_utility_does_not_exist_for_this_one(room: LicencesRoom) -> None:
    application_id = await submitted(room)
    room.partners.partners[OTHER_UTILITY] = a_utility(OTHER_UTILITY)
    room.partners.agreements[OTHER_UTILITY] = [an_agreement(OTHER_UTILITY)]
    theirs = await refused(room, ApplicationUnknown, "application.unknown", application_id, caller=OTHER_UTILITY)
    none = await refused(room, ApplicationUnknown, "application.unknown", "app_9999", caller=OTHER_UTILITY)
    assert str(theirs) == str(none)
    assert {entry["subject"] for entry in await room.entries("licence.disclosed")} == {None}
    assert room.source.queries
    assert await room.ask(application_id)


async def test_a_closed_application_gives_nothing_more(room: LicencesRoom) -> None:
    application_id = await submitted(room)
    await room.complete(application_id, "sign_up", "construction")
    await refused(room, NoOpenStage, "licence.closed", application_id)


async def test_an_ended_application_gives_nothing_more(room: LicencesRoom) -> None:
    made = (await room.apply()).application
    ended = apply(
        Lifecycle(made.customer_class, made.received_at),
        StageEvent(StageAction.ENDED, room.clock(), reason="用户撤回"),
        room.clock(),
    )
    await room.transactions.write(lambda tx: tx.applications.put_lifecycle(made.application_id, ended))
    await refused(room, NoOpenStage, "licence.closed", made.application_id)


@pytest.mark.parametrize("kind", ["resident_id", "project_approval", "design_qualification", "no_such_kind"])
async def test_a_document_that_the_table_does_not_allow_is_refused_by_its_clause(room: LicencesRoom, kind: str) -> None:
    application_id = await submitted(room)
    asked = len(room.source.queries)
    error = await refused(room, DocumentNotAllowed, "requirements.document_not_allowed", application_id, kind)
    assert error.clause == "第（六）条"
    assert len(room.source.queries) == asked, "a source was asked for what may not be had"


async def test_a_document_of_an_earlier_stage_is_not_asked_for_again(room: LicencesRoom) -> None:
    application_id = await submitted(room)
    await room.complete(application_id, "sign_up")
    await refused(room, DocumentNotAllowed, "requirements.document_not_allowed", application_id)


async def test_a_withdrawn_authorisation_ends_it_at_once(room: LicencesRoom) -> None:
    application_id = await submitted(room)
    await room.ask(application_id)
    await room.authorisations.withdraw(application_id, an_applicant().holder_digest)
    await refused(room, AuthorisationMissing, "authorisation.withdrawn", application_id)


async def test_an_expired_authorisation_is_none(room: LicencesRoom) -> None:
    until = room.clock() + timedelta(days=1)
    application_id = (await room.apply(authorised_until=until)).application.application_id
    room.clock.at = until - timedelta(seconds=1)
    assert (await room.ask(application_id)).verdict == "valid"
    room.clock.at = until
    await refused(room, AuthorisationMissing, "authorisation.expired", application_id)


@pytest.mark.parametrize(
    ("changes", "check"),
    [
        ({"kinds": frozenset({"property_certificate"})}, "authorisation.kind"),
        ({"purposes": frozenset({"marketing"})}, "authorisation.purpose"),
        ({"utility": OTHER_UTILITY}, "authorisation.absent"),
    ],
)
async def test_an_authorisation_covers_utility_kind_and_purpose(
    room: LicencesRoom, changes: dict[str, Any], check: str
) -> None:
    made = await room.apply()
    narrower = replace(made.authorisation, **changes)

    def swap(tx: Any) -> None:
        tx.authorisations._statements.execute(delete(authorisations))
        tx.authorisations.add(narrower)

    await room.transactions.write(swap)
    await refused(room, AuthorisationMissing, check, made.application.application_id)


async def test_another_purpose_than_authorised_is_refused(room: LicencesRoom) -> None:
    application_id = await submitted(room)
    room.partners.agreements[UTILITY].append(an_agreement(purpose="marketing", agreement_id="agreement-2"))
    await refused(room, AuthorisationMissing, "authorisation.purpose", application_id, purpose="marketing")


@pytest.mark.parametrize(
    ("changes", "dimension"),
    [
        ({"status": AgreementStatus.ENDED}, "partner"),
        ({"status": AgreementStatus.DRAFT}, "partner"),
        ({"valid_from": date(2027, 1, 1)}, "dates"),
        ({"valid_until": date(2026, 11, 22)}, "dates"),
        ({"purpose": "something_else"}, "purpose"),
        ({"grants": an_agreement(agreed={"property_certificate": {"name"}}).grants}, "kind"),
        ({"regions": ("440300",)}, "region"),
        ({"stages": frozenset({"construction"})}, "stage"),
    ],
)
async def test_each_dimension_of_the_agreement_is_a_refusal(
    room: LicencesRoom, changes: dict[str, Any], dimension: str
) -> None:
    application_id = await submitted(room)
    room.change_agreement(**changes)
    asked = len(room.source.queries)
    await refused(room, AgreementRefused, f"agreement.{dimension}", application_id)
    assert len(room.source.queries) == asked


@pytest.mark.parametrize("fields", [["legal_representative"], ["name", "registered_address"], []])
async def test_a_field_beyond_the_agreement_refuses_the_whole_request(room: LicencesRoom, fields: list[str]) -> None:
    await refused(room, AgreementRefused, "agreement.fields", await submitted(room), fields=fields)


async def test_a_suspended_utility_has_no_agreement(room: LicencesRoom) -> None:
    application_id = await submitted(room)
    room.partners.partners[UTILITY] = replace(a_utility(), status=PartnerStatus.SUSPENDED)
    await refused(room, AgreementRefused, "agreement.partner", application_id)


async def test_the_last_day_of_an_agreement_counts_in_china(room: LicencesRoom) -> None:
    application_id = await submitted(room)
    room.change_agreement(valid_until=date(2026, 11, 23))
    room.clock.at = room.clock().replace(hour=15, minute=59)
    assert (await room.ask(application_id)).verdict == "valid"
    room.clock.at = room.clock().replace(hour=16, minute=0)
    await refused(room, AgreementRefused, "agreement.dates", application_id)


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


async def test_nobody_elses_licence_can_be_asked_for(room: LicencesRoom) -> None:
    application_id = await submitted(room)
    asked = len(room.source.queries)
    await refused(room, HolderNotAllowed, "licence.holder", application_id, holder_code=DESIGNER)
    assert len(room.source.queries) == asked


async def test_a_certificate_that_turned_bad_is_an_answer_without_fields(room: LicencesRoom) -> None:
    application_id = await submitted(room)
    room.clock.advance(days=8)
    room.source.hold("business_licence", province().envelope(ZZYXQJZRQ="2026-11-25"))
    answer = await room.ask(application_id)
    assert answer.verdict == "invalid"
    assert answer.fields == {}
    assert answer.failed_check is not None
    (entry,) = await room.entries("licence.disclosed")
    assert (entry["facts"]["verdict"], entry["facts"]["fields"]) == ("invalid", [])


async def test_a_source_that_is_down_leaves_the_copy_and_then_it_cannot_be_known(room: LicencesRoom) -> None:
    application_id = await submitted(room)
    room.clock.advance(hours=1)
    room.source.down = {query.type_code for query in room.source.queries}
    assert (await room.ask(application_id)).verdict == "valid"
    await room.transactions.write(lambda tx: tx.certificate_copies.forget(an_applicant().holder_code))
    answer = await room.ask(application_id)
    assert (answer.verdict, answer.fields) == ("indeterminate", {})
    assert answer.failed_check is not None
    assert answer.failed_check.check == "http.timeout"
    assert [basis.state for basis in answer.basis] == ["missing"]


async def test_nothing_found_is_a_refusal_and_recorded(room: LicencesRoom) -> None:
    application_id = await submitted(room)
    await room.transactions.write(lambda tx: tx.certificate_copies.forget(an_applicant().holder_code))
    room.source.hold("business_licence")
    with pytest.raises(NoECertificate):
        await room.ask(application_id)
    (entry,) = await room.entries("licence.disclosed")
    assert entry["result"] == "refused"


def a_property(number: int, **changes: str) -> bytes:
    unit = f"440106011001GB00233F0001{number:04d}"
    return province().envelope(
        "property_certificate",
        index=number,
        ZZBS=changes.pop("ZZBS", PROPERTY_IDENTIFIERS[number]),
        KZ_BDCDYH=unit,
        KZ_ZL=f"广州市示例路{number}号",
        **changes,
    )


def _identifier(number: int) -> str:
    kind = "property_certificate"
    return str(ECertificateIdentifier.make(TYPE_CODES[kind], AUTHORITY_OF_KIND[kind].code, f"2026000{number:04d}"))


PROPERTY_IDENTIFIERS = {number: _identifier(number) for number in (3, 4, 5)}


async def applied_for_second_of(room: LicencesRoom, *numbers: int) -> str:
    """An application for the second of these properties."""
    room.source.hold("property_certificate", *(a_property(number) for number in numbers))
    view = await room.intakes.begin(an_applicant(), IntakeKind.ONE_CERTIFICATE, SHOP)
    found = next(each for each in view.documents if each.document == "property_certificate")
    chosen = next(each.choice for each in found.certificates if f"示例路{numbers[1]}号" in str(each.summary))
    confirmation = Confirmation(authorise=True, choices={"property_certificate": chosen})
    return (await room.intakes.confirm(an_applicant(), view.intake_id, confirmation)).application.application_id


async def test_of_several_properties_the_confirmed_one_is_given(room: LicencesRoom) -> None:
    application_id = await applied_for_second_of(room, 3, 4)
    answer = await room.ask(application_id, "property_certificate")
    assert answer.fields["location"] == "广州市示例路4号"


async def test_a_newer_version_of_the_confirmed_property_stands_for_it(room: LicencesRoom) -> None:
    application_id = await applied_for_second_of(room, 3, 4)
    room.clock.advance(days=1)
    room.source.hold("property_certificate", a_property(3), a_property(4, KZ_YT="商业"))
    answer = await room.ask(application_id, "property_certificate")
    assert answer.fields["location"] == "广州市示例路4号"


async def test_where_the_confirmed_property_is_gone_none_of_the_others_is_guessed(room: LicencesRoom) -> None:
    application_id = await applied_for_second_of(room, 3, 4)
    room.clock.advance(days=1)
    room.source.hold("property_certificate", a_property(3), a_property(5))
    await refused(
        room, ConfirmedCertificateGone, "licence.confirmed_certificate", application_id, "property_certificate"
    )


async def test_where_the_confirmed_property_is_gone_the_one_that_is_left_is_not_taken_for_it(
    room: LicencesRoom,
) -> None:
    application_id = await applied_for_second_of(room, 3, 4)
    room.clock.advance(days=1)
    room.source.hold("property_certificate", a_property(3))
    await refused(
        room, ConfirmedCertificateGone, "licence.confirmed_certificate", application_id, "property_certificate"
    )
