"""Intakes on both databases: what is found, what is missing and what then, what is kept and what is not."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from gateway.applications.errors import (
    ApplicationUnknown,
    AuthorisationPeriodUnsound,
    DemandNotClassifiable,
    IntakeIncomplete,
    IntakeMismatch,
    IntakeUnknown,
    NoUtility,
    RegionMalformed,
    RegionTooWide,
)
from gateway.applications.model import IntakeKind
from gateway.applications.rule_book import published_rules
from gateway.applications.utilities import utilities_of
from gateway.authorisations.errors import AlreadyWithdrawn, AuthorisationMissing, AuthorisationUnknown
from gateway.licences.errors import SiteNotGiven
from gateway.licences.site import SiteService
from gateway.partners.model import PartnerStatus
from gateway.progress.service import ProgressService
from schemas.applicant_api import Confirmation, IntakeView
from schemas.ecertificates import TYPE_CODES
from schemas.identity import ApplicantKind, VerificationMethod
from tests.support.ecertificates import ENTERPRISE
from tests.support.licences import (
    AGREED,
    OTHER_UTILITY,
    PLANT,
    SECRETS,
    SHOP,
    UTILITY,
    LicencesRoom,
    a_utility,
    an_agreement,
    an_applicant,
    licences_room,
    province,
    utility_caller,
)

ONE = IntakeKind.ONE_CERTIFICATE
DECLARED = {"document": "property_certificate", "file_name": "房产证.pdf", "sha256": "cd" * 32}


@pytest.fixture
def room(database_url: str) -> Iterator[LicencesRoom]:
    with licences_room(database_url) as made:
        yield made


def confirmation(**changes: Any) -> Confirmation:
    return Confirmation.model_validate({"authorise": True, **changes})


def document(view: IntakeView, name: str) -> Any:
    return next(each for each in view.documents if each.document == name)


async def test_everything_is_found_shown_and_told_what_leaves(room: LicencesRoom) -> None:
    view = await room.intakes.begin(an_applicant(), ONE, SHOP)
    assert view.ready
    assert {each.document: each.state for each in view.documents} == {
        "business_licence": "found",
        "property_certificate": "found",
    }
    for each in view.documents:
        assert set(each.disclosed_fields) == AGREED[each.document]
        assert each.clause == "第（六）条"
        assert not each.declarable
    assert view.utilities == [UTILITY]
    shown = await room.intakes.show(an_applicant(), view.intake_id)
    assert shown.model_dump_json() == view.model_dump_json()
    assert len(await room.entries("intake.previewed")) == 1


async def test_confirmed_it_is_an_application_with_its_authorisation_and_event(room: LicencesRoom) -> None:
    made = await room.apply()
    stored = await room.transactions.read(lambda tx: tx.applications.find(made.application.application_id))
    assert stored == made.application
    authorisation = await room.transactions.read(
        lambda tx: tx.authorisations.of_application(made.application.application_id)
    )
    assert authorisation == made.authorisation
    assert authorisation.kinds == {"business_licence", "property_certificate"}
    (event,) = await room.transactions.read(lambda tx: list(tx.deliveries.feed(UTILITY, 0, 10)))
    assert event.subject == made.application.application_id
    assert not [secret for secret in SECRETS if secret in str(event.data)]
    assert len(await room.entries("application.submitted")) == 1
    assert len(await room.entries("authorisation.granted")) == 1


async def test_an_intake_is_confirmed_once(room: LicencesRoom) -> None:
    view = await room.intakes.begin(an_applicant(), ONE, SHOP)
    await room.intakes.confirm(an_applicant(), view.intake_id, confirmation())
    for again in (
        room.intakes.confirm(an_applicant(), view.intake_id, confirmation()),
        room.intakes.show(an_applicant(), view.intake_id),
        room.intakes.drop(an_applicant(), view.intake_id),
    ):
        with pytest.raises(IntakeUnknown):
            await again


async def test_another_holders_intake_does_not_exist(room: LicencesRoom) -> None:
    view = await room.intakes.begin(an_applicant(), ONE, SHOP)
    stranger = replace(an_applicant(), holder_digest="somebody-else")
    for attempt in (
        room.intakes.show(stranger, view.intake_id),
        room.intakes.drop(stranger, view.intake_id),
        room.intakes.confirm(stranger, view.intake_id, confirmation()),
    ):
        with pytest.raises(IntakeUnknown):
            await attempt
    assert await room.intakes.show(an_applicant(), view.intake_id)


async def test_walking_away_leaves_nothing(room: LicencesRoom) -> None:
    view = await room.intakes.begin(an_applicant(), ONE, SHOP)
    assert await room.copies("business_licence") == 1
    await room.intakes.drop(an_applicant(), view.intake_id)
    assert await room.copies("business_licence") == 0
    assert await room.copies("property_certificate") == 0
    with pytest.raises(IntakeUnknown):
        await room.intakes.show(an_applicant(), view.intake_id)
    assert len(await room.entries("intake.dropped")) == 1


async def test_walking_away_keeps_what_an_application_rests_on(room: LicencesRoom) -> None:
    await room.apply()
    view = await room.intakes.begin(an_applicant(), ONE, SHOP)
    await room.intakes.drop(an_applicant(), view.intake_id)
    assert await room.copies("business_licence") == 1


async def test_after_half_an_hour_it_is_gone_and_then_purged(room: LicencesRoom) -> None:
    view = await room.intakes.begin(an_applicant(), ONE, SHOP)
    room.clock.advance(minutes=29)
    assert await room.intakes.purge_expired() == 0
    assert await room.intakes.show(an_applicant(), view.intake_id)
    room.clock.advance(minutes=1)
    with pytest.raises(IntakeUnknown):
        await room.intakes.confirm(an_applicant(), view.intake_id, confirmation())
    assert await room.intakes.purge_expired() == 1
    assert await room.copies("business_licence") == 0
    assert await room.intakes.purge_expired() == 0
    assert [entry["actor"] for entry in await room.entries("intake.expired")] == ["gateway"]


async def test_a_source_that_is_down_is_a_next_step_and_a_declaration_may_stand_in(room: LicencesRoom) -> None:
    room.source.down = {TYPE_CODES["property_certificate"]}
    view = await room.intakes.begin(an_applicant(), ONE, SHOP)
    missing = document(view, "property_certificate")
    assert (missing.state, missing.declarable) == ("unavailable", True)
    assert "容缺" in missing.next_step
    assert not view.ready
    with pytest.raises(IntakeIncomplete) as caught:
        await room.intakes.confirm(an_applicant(), view.intake_id, confirmation())
    assert caught.value.documents == ("property_certificate",)
    made = await room.intakes.confirm(an_applicant(), view.intake_id, confirmation(declared=[DECLARED]))
    own = next(each for each in made.application.documents if each.document == "property_certificate")
    assert (own.verdict, own.content_digest, own.source) == (None, DECLARED["sha256"], None)
    (event,) = await room.transactions.read(lambda tx: list(tx.deliveries.feed(UTILITY, 0, 10)))
    assert {each["kind"]: each["verdict"] for each in event.data["documents"]} == {
        "business_licence": "valid",
        "property_certificate": "self_declared",
    }


async def test_what_no_register_holds_may_be_declared(room: LicencesRoom) -> None:
    room.source.hold("property_certificate")
    view = await room.intakes.begin(an_applicant(), ONE, SHOP)
    missing = document(view, "property_certificate")
    assert (missing.state, missing.declarable) == ("not_found", True)
    assert await room.intakes.confirm(an_applicant(), view.intake_id, confirmation(declared=[DECLARED]))


@pytest.mark.parametrize("trouble", ["down", "none", "invalid"])
async def test_who_applies_is_never_declared(room: LicencesRoom, trouble: str) -> None:
    if trouble == "down":
        room.source.down = {TYPE_CODES["business_licence"]}
    elif trouble == "none":
        room.source.hold("business_licence")
    else:
        room.source.hold("business_licence", province().envelope(ZZYXQJZRQ="2025-01-01"))
    view = await room.intakes.begin(an_applicant(), ONE, SHOP)
    licence = document(view, "business_licence")
    assert not licence.declarable
    assert licence.next_step
    declared = {**DECLARED, "document": "business_licence"}
    with pytest.raises(IntakeIncomplete) as caught:
        await room.intakes.confirm(an_applicant(), view.intake_id, confirmation(declared=[declared]))
    assert caught.value.documents == ("business_licence",)


async def test_an_invalid_certificate_cannot_be_declared_away(room: LicencesRoom) -> None:
    room.source.hold("property_certificate", province().envelope("property_certificate", ZZYXQJZRQ="2025-01-01"))
    view = await room.intakes.begin(an_applicant(), ONE, SHOP)
    refused = document(view, "property_certificate")
    assert (refused.state, refused.declarable) == ("refused", False)
    assert refused.certificates[0].failed_check is not None
    with pytest.raises(IntakeIncomplete):
        await room.intakes.confirm(an_applicant(), view.intake_id, confirmation(declared=[DECLARED]))


async def test_a_declaration_does_not_replace_what_was_found(room: LicencesRoom) -> None:
    made = await room.apply(declared=[DECLARED])
    verdicts = {each.document: each.verdict for each in made.application.documents}
    assert verdicts["property_certificate"] is not None
    assert None not in verdicts.values()


async def test_of_several_properties_the_applicant_chooses(room: LicencesRoom) -> None:
    room.source.hold(
        "property_certificate",
        province().envelope("property_certificate"),
        province().envelope("property_certificate", KZ_ZL="广州市示例路9号"),
    )
    view = await room.intakes.begin(an_applicant(), ONE, SHOP)
    several = document(view, "property_certificate")
    assert several.state == "choose"
    assert view.ready
    for choices in (
        {},
        {"property_certificate": "0000000000000000"},
        {"business_licence": several.certificates[1].choice},
    ):
        with pytest.raises(IntakeIncomplete):
            await room.intakes.confirm(an_applicant(), view.intake_id, confirmation(choices=choices))
    chosen = several.certificates[1].choice
    made = await room.intakes.confirm(
        an_applicant(), view.intake_id, confirmation(choices={"property_certificate": chosen})
    )
    own = next(each for each in made.application.documents if each.document == "property_certificate")
    assert own.content_digest is not None
    assert own.content_digest.startswith(chosen)


async def test_a_property_elsewhere_is_not_the_address(room: LicencesRoom) -> None:
    elsewhere = province().envelope("property_certificate", KZ_BDCDYH="440305011001GB00233F00010013")
    room.source.hold("property_certificate", elsewhere)
    view = await room.intakes.begin(an_applicant(), ONE, SHOP)
    assert document(view, "property_certificate").state == "not_found"


@pytest.mark.parametrize("days", [-1, 0, 367])
async def test_an_authorisation_begins_before_it_ends_and_lasts_a_year_at_most(room: LicencesRoom, days: int) -> None:
    view = await room.intakes.begin(an_applicant(), ONE, SHOP)
    until = room.clock() + timedelta(days=days)
    with pytest.raises(AuthorisationPeriodUnsound):
        await room.intakes.confirm(an_applicant(), view.intake_id, confirmation(authorised_until=until))
    naive = (room.clock() + timedelta(days=9)).replace(tzinfo=None)
    with pytest.raises(AuthorisationPeriodUnsound):
        await room.intakes.confirm(an_applicant(), view.intake_id, confirmation(authorised_until=naive))
    made = await room.intakes.confirm(an_applicant(), view.intake_id, confirmation())
    assert made.authorisation.until == room.clock() + timedelta(days=180)


async def test_of_two_utilities_the_applicant_chooses(room: LicencesRoom) -> None:
    room.partners.partners[OTHER_UTILITY] = a_utility(OTHER_UTILITY)
    room.partners.agreements[OTHER_UTILITY] = [an_agreement(OTHER_UTILITY, {"business_licence": {"number"}})]
    view = await room.intakes.begin(an_applicant(), ONE, SHOP)
    assert view.utilities == [OTHER_UTILITY, UTILITY]
    assert set(document(view, "business_licence").disclosed_fields) == {*AGREED["business_licence"], "number"}
    for utility in (None, "csg-nowhere"):
        with pytest.raises(NoUtility):
            await room.intakes.confirm(an_applicant(), view.intake_id, confirmation(utility=utility))
    made = await room.intakes.confirm(an_applicant(), view.intake_id, confirmation(utility=OTHER_UTILITY))
    assert (made.application.utility, made.authorisation.utility) == (OTHER_UTILITY, OTHER_UTILITY)
    with pytest.raises(Exception, match="application") as caught:
        await room.ask(made.application.application_id)
    assert caught.value.check == "application.unknown"


async def test_the_nearest_utility_serves_and_a_suspended_one_does_not(room: LicencesRoom) -> None:
    room.partners.partners["csg-province"] = a_utility("csg-province", "440000")
    room.partners.partners["csg-county"] = a_utility("csg-county", "440106")
    assert utilities_of(await room.partners.snapshot(), "440106") == ["csg-county"]
    assert utilities_of(await room.partners.snapshot(), "440105") == [UTILITY]
    assert utilities_of(await room.partners.snapshot(), "440605") == ["csg-province"]
    county = room.partners.partners["csg-county"]
    room.partners.partners["csg-county"] = replace(county, status=PartnerStatus.SUSPENDED)
    assert utilities_of(await room.partners.snapshot(), "440106") == [UTILITY]


async def test_where_nobody_serves_no_source_is_asked(room: LicencesRoom) -> None:
    with pytest.raises(NoUtility):
        await room.intakes.begin(an_applicant(), ONE, replace(SHOP, region="450103"))
    assert room.source.queries == []


async def test_a_utility_that_was_suspended_meanwhile_receives_nothing(room: LicencesRoom) -> None:
    view = await room.intakes.begin(an_applicant(), ONE, SHOP)
    room.partners.partners[UTILITY] = replace(a_utility(), status=PartnerStatus.SUSPENDED)
    with pytest.raises(NoUtility):
        await room.intakes.confirm(an_applicant(), view.intake_id, confirmation())
    assert await room.intakes.show(an_applicant(), view.intake_id)


async def test_the_way_in_fits_who_comes(room: LicencesRoom) -> None:
    resident = replace(an_applicant(), applicant_kind=ApplicantKind.RESIDENT, method=VerificationMethod.FACE, role=None)
    for applicant, way in ((resident, ONE), (an_applicant(), IntakeKind.FACE_VERIFIED)):
        with pytest.raises(IntakeMismatch):
            await room.intakes.begin(applicant, way, SHOP)
    assert room.source.queries == []


async def test_a_demand_that_fits_no_class_asks_no_source(room: LicencesRoom) -> None:
    with pytest.raises(DemandNotClassifiable):
        await room.intakes.begin(an_applicant(), ONE, replace(SHOP, voltage_v=3_000))
    assert room.source.queries == []


async def test_high_voltage_looks_for_the_project_approval_too(room: LicencesRoom) -> None:
    room.source.hold("project_approval")
    view = await room.intakes.begin(an_applicant(), ONE, PLANT)
    assert [each.document for each in view.documents] == [
        "business_licence",
        "property_certificate",
        "project_approval",
    ]
    assert {query.holder_code for query in room.source.queries} == {ENTERPRISE}
    assert {query.purpose.matter_name for query in room.source.queries} == {"用电报装"}


async def test_a_confirmation_that_was_refused_leaves_nothing(room: LicencesRoom) -> None:
    room.source.hold("property_certificate")
    view = await room.intakes.begin(an_applicant(), ONE, SHOP)
    with pytest.raises(IntakeIncomplete):
        await room.intakes.confirm(an_applicant(), view.intake_id, confirmation())
    assert await room.transactions.read(lambda tx: list(tx.deliveries.feed(UTILITY, 0, 10))) == []
    assert await room.transactions.read(lambda tx: tx.applications.of_holder(an_applicant().holder_digest, 9)) == []
    (refusal,) = await room.entries("application.submitted")
    assert (refusal["result"], refusal["subject"]) == ("refused", view.intake_id)
    assert refusal["facts"]["check"] == "intake.documents"
    assert await room.intakes.show(an_applicant(), view.intake_id)


async def test_refused_beginnings_and_droppings_are_recorded_too(room: LicencesRoom) -> None:
    with pytest.raises(RegionMalformed) as malformed:
        await room.intakes.begin(an_applicant(), ONE, replace(PLANT, region="000000"))
    with pytest.raises(RegionTooWide):
        await room.intakes.begin(an_applicant(), ONE, replace(PLANT, region="440100"))
    with pytest.raises(IntakeUnknown):
        await room.intakes.drop(an_applicant(), "int_made_up_440106199001011234")
    assert room.source.queries == []
    began = await room.entries("intake.previewed")
    assert [(each["result"], each["subject"]) for each in began] == [("refused", None)] * 2
    assert [each["facts"]["check"] for each in began] == ["region.unknown", "region.county"]
    assert malformed.value.record_id
    (dropped,) = await room.entries("intake.dropped")
    assert (dropped["result"], dropped["subject"]) == ("refused", None)


async def test_a_refused_withdrawal_of_an_authorisation_is_recorded(room: LicencesRoom) -> None:
    application_id = (await room.apply()).application.application_id
    holder = an_applicant().holder_digest
    await room.authorisations.withdraw(application_id, holder)
    with pytest.raises(AlreadyWithdrawn):
        await room.authorisations.withdraw(application_id, holder)
    with pytest.raises(AuthorisationUnknown):
        await room.authorisations.withdraw(application_id, "somebody-else")
    entries = await room.entries("authorisation.withdrawn")
    assert [(each["result"], each["subject"]) for each in entries] == [
        ("done", application_id),
        ("refused", application_id),
        ("refused", None),
    ]


async def test_the_address_is_told_to_the_authorised_utility_alone_and_the_applicant_sees_it(
    room: LicencesRoom,
) -> None:
    address = "天河区示例路2號"
    sites = SiteService(room.transactions, room.clock)
    view = await room.intakes.begin(an_applicant(), ONE, SHOP, address)
    made = await room.intakes.confirm(an_applicant(), view.intake_id, confirmation())
    application_id = made.application.application_id
    (event,) = await room.transactions.read(lambda tx: list(tx.deliveries.feed(UTILITY, 0, 10)))
    assert address not in str(event.data)
    told = await sites.tell(utility_caller(), application_id)
    assert (told.address, told.region) == (address, SHOP.region)
    with pytest.raises(ApplicationUnknown):
        await sites.tell(utility_caller(OTHER_UTILITY), application_id)
    await room.authorisations.withdraw(application_id, an_applicant().holder_digest)
    with pytest.raises(AuthorisationMissing):
        await sites.tell(utility_caller(), application_id)
    progress = await ProgressService(room.transactions, published_rules, room.clock).progress(
        application_id, an_applicant().holder_digest
    )
    assert [(each.document, each.result, each.fields) for each in progress.accesses] == [
        ("site_address", "done", ["address"]),
        ("site_address", "refused", []),
    ]
    entries = await room.entries("licence.disclosed")
    assert address not in str(entries)
    assert told.record_id


async def test_without_an_address_nothing_is_authorised_and_nothing_told(room: LicencesRoom) -> None:
    made = await room.apply()
    assert "site_address" not in made.authorisation.kinds
    with pytest.raises(SiteNotGiven):
        await SiteService(room.transactions, room.clock).tell(utility_caller(), made.application.application_id)
