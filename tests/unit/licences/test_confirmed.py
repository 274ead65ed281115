"""What the applicant confirmed is what the utility is given: those bytes, or a newer version of the same."""

from typing import Any

from gateway.applications.model import IntakeKind
from gateway.licences.errors import ConfirmedCertificateGone
from mock_services.authorities import AUTHORITY_OF_KIND
from schemas.applicant_api import Confirmation
from schemas.ecertificates import TYPE_CODES
from schemas.identifiers import ECertificateIdentifier
from tests.support.licences import SHOP, LicencesRoom, an_applicant, province, refused

KIND = "property_certificate"


def a_property(number: int, **changes: str) -> bytes:
    unit = f"440106011001GB00233F0001{number:04d}"
    return province().envelope(
        "property_certificate",
        index=number,
        ZZBS=changes.pop("ZZBS", identifier(number)),
        KZ_BDCDYH=unit,
        KZ_ZL=f"广州市示例路{number}号",
        **changes,
    )


def identifier(number: int, version: str = "001", kind: str = KIND) -> str:
    serial = f"2026000{number:04d}"
    return str(ECertificateIdentifier.make(TYPE_CODES[kind], AUTHORITY_OF_KIND[kind].code, serial, version))


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


async def gone(room: LicencesRoom, application_id: str, kind: str = KIND) -> None:
    await refused(room, ConfirmedCertificateGone, "licence.confirmed_certificate", application_id, kind)


async def test_a_newer_version_under_the_same_identifier_stands_for_it_and_an_older_one_does_not(
    room: LicencesRoom,
) -> None:
    room.source.hold(KIND, a_property(4, ZZBS=identifier(4, "002")))
    application_id = (await room.apply()).application.application_id
    room.clock.advance(days=1)
    for version, given in (("003", True), ("001", False)):
        room.clock.advance(days=1)
        room.source.hold(KIND, a_property(3), a_property(4, ZZBS=identifier(4, version), KZ_YT="商业"))
        if given:
            assert (await room.ask(application_id, KIND)).fields["location"] == "广州市示例路4号"
        else:
            await gone(room, application_id)


async def test_of_several_newer_versions_the_newest_is_given(room: LicencesRoom) -> None:
    room.source.hold(KIND, a_property(4))
    application_id = (await room.apply()).application.application_id
    room.clock.advance(days=1)
    newer = [province().envelope(KIND, index=4, ZZBS=identifier(4, v), KZ_ZL=f"第{v}版") for v in ("003", "002")]
    room.source.hold(KIND, *newer)
    assert (await room.ask(application_id, KIND)).fields["location"] == "第003版"


async def declared(room: LicencesRoom) -> str:
    room.source.hold(KIND)
    upload: list[dict[str, Any]] = [{"document": KIND, "file_name": "房产证.pdf", "sha256": "ab" * 32}]
    return (await room.apply(declared=upload)).application.application_id


async def test_what_was_registered_after_a_declaration_was_never_shown_and_is_not_given(room: LicencesRoom) -> None:
    application_id = await declared(room)
    room.clock.advance(days=1)
    room.source.hold(KIND, a_property(3))
    await gone(room, application_id)


async def test_what_lies_in_another_county_is_not_given_and_not_in_the_way(room: LicencesRoom) -> None:
    elsewhere = province().envelope(
        KIND, index=5, ZZBS=identifier(5), KZ_BDCDYH="440305011001GB00233F00010005", KZ_ZL="深圳市示例路5号"
    )
    application_id = await declared(room)
    room.clock.advance(days=1)
    room.source.hold(KIND, elsewhere)
    await gone(room, application_id)
    room.clock.advance(days=1)
    room.source.hold(KIND, a_property(3), elsewhere)
    application_id = (await room.apply()).application.application_id
    assert (await room.ask(application_id, KIND)).fields["location"] == "广州市示例路3号"


async def test_of_an_identity_document_a_holder_has_one_and_a_newer_one_is_it(room: LicencesRoom) -> None:
    application_id = (await room.apply()).application.application_id
    room.clock.advance(days=2)
    kind = "business_licence"
    room.source.hold(kind, province().envelope(ZZBS=identifier(9, kind=kind), ZZBH="TEST0002"))
    assert (await room.ask(application_id, kind)).verdict == "valid"
    room.clock.advance(days=2)
    room.source.hold(
        kind,
        province().envelope(ZZBS=identifier(8, kind=kind)),
        province().envelope(ZZBS=identifier(7, kind=kind)),
    )
    await gone(room, application_id, kind)


async def test_what_cannot_be_verified_is_told_as_such_and_nothing_of_it_is_given(room: LicencesRoom) -> None:
    application_id = (await room.apply()).application.application_id
    room.clock.advance(days=1)
    room.source.hold(KIND, province().envelope(KIND, holder=province().pki.rogue))
    answer = await room.ask(application_id, KIND)
    assert (answer.verdict, answer.fields, answer.predicates) == ("indeterminate", {}, {})
    room.clock.advance(days=4)
    room.source.hold(KIND, a_property(5, ZZYXQJZRQ="2026-11-24"))
    await gone(room, application_id)
