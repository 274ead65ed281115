"""The synthetic province: valid, deterministic, and nobody's."""

from datetime import date

import pytest

from mock_services.personas import ENTERPRISES, RESIDENTS
from mock_services.population import IdentityOutcome, Population, Trouble, build_population
from mock_services.provincial_platform.certificates import records_of
from schemas import identifiers as ids
from schemas.ecertificates import TYPE_CODES, ECertificateMetadata
from schemas.regions import COUNTIES
from schemas.share_interface import VerifyResult

TODAY = date(2026, 11, 20)


@pytest.fixture(scope="module")
def province() -> Population:
    return build_population()


def test_default_size(province: Population) -> None:
    assert len(province.residents) == 2000
    assert len(province.enterprises) == 500
    assert len(province.properties) > 1500
    assert len(province.projects) > 20


def test_no_number_could_be_a_living_persons(province: Population) -> None:
    for number in province.residents:
        born_on = ids.parse_resident_identity_number(number, on=TODAY).born_on
        assert born_on < date(1906, 1, 1), "the oldest person alive in 2026 was born in 1909"
        assert (TODAY - born_on).days > 120 * 365


def test_no_telephone_or_organisation_code_could_be_real(province: Population) -> None:
    assert all(
        resident.phone.startswith("120") and len(resident.phone) == 11 for resident in province.residents.values()
    )
    assert all(code[8:10] == "TD" for code in province.enterprises)


def test_every_identifier_is_valid(province: Population) -> None:
    for number, resident in province.residents.items():
        parsed = ids.parse_resident_identity_number(number, on=TODAY)
        assert (parsed.region, parsed.born_on, "男" if parsed.is_male else "女") == (
            resident.region,
            resident.born_on,
            resident.sex,
        )
        assert resident.region in COUNTIES
    for code, enterprise in province.enterprises.items():
        assert ids.validate_unified_social_credit_code(code)[2:8] == enterprise.region
    for found in province.properties:
        assert ids.validate_property_unit_code(found.unit_code)[:6] == found.region
        assert ids.normalise_property_certificate_number(found.certificate_number) == found.certificate_number
    for project in province.projects:
        assert ids.validate_project_code(project.code) == project.code


def test_property_numbers_are_not_shared(province: Population) -> None:
    assert len({found.certificate_number for found in province.properties}) == len(province.properties)
    assert len({found.unit_code for found in province.properties}) == len(province.properties)


def test_every_certificate_is_well_formed_and_round_trips(province: Population) -> None:
    records = records_of(province)
    identifiers = {record.identifier for record in records}
    assert len(identifiers) == len(records)
    for record in records:
        assert ids.ECertificateIdentifier.parse(record.identifier).findings() == ()
        wire = record.metadata.model_dump(mode="json", by_alias=True)
        assert ECertificateMetadata.model_validate(wire) == record.metadata
        assert record.metadata.type_code == TYPE_CODES[record.kind]
    assert {record.kind for record in records} == set(TYPE_CODES)
    places = [(record.status_list, record.status_index) for record in records]
    assert len(set(places)) == len(places)


def test_the_same_seed_gives_the_same_province(province: Population) -> None:
    assert build_population() == province
    assert records_of(build_population()) == records_of(province)


def test_another_seed_gives_another() -> None:
    assert not set(build_population(40, 20, seed=1).residents) & set(build_population(40, 20, seed=2).residents)


def test_a_larger_province_begins_with_the_smaller_ones_people(province: Population) -> None:
    small = build_population(60, 30)
    assert list(province.residents)[:60] == list(small.residents)
    assert list(province.enterprises)[:30] == list(small.enterprises)
    assert small.personas == province.personas


def test_too_small_a_province_is_refused() -> None:
    with pytest.raises(ValueError, match="at least"):
        build_population(10, 500)


class TestPersonas:
    def test_all_are_there(self, province: Population) -> None:
        assert set(province.personas) == {persona.slug for persona in (*RESIDENTS, *ENTERPRISES)}
        assert len(province.personas) == len(RESIDENTS) + len(ENTERPRISES)

    @pytest.mark.parametrize(
        ("slug", "face"),
        [
            ("resident-ordinary", IdentityOutcome.MATCH),
            ("resident-face-fails", IdentityOutcome.MISMATCH),
            ("resident-liveness-failed", IdentityOutcome.LIVENESS_FAILED),
            ("resident-locked", IdentityOutcome.LOCKED),
            ("resident-timeout", IdentityOutcome.TIME_OUT),
        ],
    )
    def test_a_failed_face_leaves_other_ways(self, province: Population, slug: str, face: IdentityOutcome) -> None:
        outcomes = province.personas[slug].outcomes
        assert outcomes["face"] is face
        assert outcomes["sms_otp"] is IdentityOutcome.MATCH
        assert outcomes["counter"] is IdentityOutcome.MATCH

    def test_what_they_own(self, province: Population) -> None:
        def owners(slug: str) -> list[int]:
            return [len(found.owners) for found in province.properties_of(province.personas[slug].holder_code)]

        assert owners("resident-ordinary") == [1]
        assert owners("resident-two-owners") == [2]
        assert owners("resident-no-property") == []
        (home,) = province.properties_of(province.personas["resident-co-owner"].holder_code)
        assert home.owners[0] is province.personas["resident-two-owners"].person
        assert (home.owners[1].name, home.owners[1]) == ("罗共济", province.personas["resident-co-owner"].person)
        assert owners("enterprise-small") == [1]

    def test_who_acts_for_an_enterprise(self, province: Population) -> None:
        small, by_agent = province.personas["enterprise-small"], province.personas["enterprise-agent"]
        assert small.enterprise is not None
        assert by_agent.enterprise is not None
        assert small.person == small.enterprise.representative
        assert by_agent.person in by_agent.enterprise.agents
        assert by_agent.person != by_agent.enterprise.representative
        assert province.persona_of(by_agent.person.id_number) is by_agent

    def test_troubles_show_in_the_records(self, province: Population) -> None:
        records = {
            record.found_under[0]: record for record in records_of(province) if record.kind == "business_licence"
        }

        def licence(slug: str):
            return records[province.personas[slug].holder_code]

        assert licence("enterprise-small").state is VerifyResult.VALID
        assert licence("enterprise-revoked").state is VerifyResult.INVALID
        assert licence("enterprise-suspended").state is VerifyResult.SUSPENDED
        assert licence("enterprise-expired").metadata.valid_until_on < TODAY
        wrong = licence("enterprise-wrong-holder")
        assert wrong.metadata.holder_code != wrong.found_under[0]
        assert licence("enterprise-stale-status").status_list != licence("enterprise-small").status_list
        assert {record.trouble for record in records.values()} == {None, *Trouble}

    def test_what_does_not_agree_stands_in_the_certificates(self, province: Population) -> None:
        records = [(record.found_under, record.kind, record.metadata) for record in records_of(province)]

        def held(slug: str, kind: str) -> ECertificateMetadata:
            code = province.personas[slug].holder_code
            return next(metadata for found, of_kind, metadata in records if code in found and of_kind == kind)

        resident = province.personas["resident-historic-number"]
        home = held("resident-historic-number", "property_certificate")
        assert len(home.holder_code) == 15
        assert ids.upgrade_resident_identity_number(home.holder_code) == resident.holder_code
        assert home.extensions["KZ_QLRZJH"] == home.holder_code
        for slug, stated in (("enterprise-renamed", True), ("enterprise-renamed-unproved", False)):
            licence, right = held(slug, "business_licence"), held(slug, "property_certificate")
            assert licence.holder_code == right.holder_code
            assert licence.holder != right.holder
            assert (licence.extensions.get("KZ_CYM") == right.holder) is stated
        builder = held("enterprise-other-builder", "project_approval")
        assert builder.holder_code != builder.extensions["KZ_JSDWDM"]
        assert "惠城区" in held("enterprise-other-site", "project_approval").extensions["KZ_JSDD"]
