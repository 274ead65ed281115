"""Identifiers: the real values of the standards, and everything that only looks like one."""

from collections.abc import Callable
from contextlib import suppress
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from schemas import identifiers as ids
from schemas.identifiers import ECertificateIdentifier, IdentifierError

TODAY = date(2026, 11, 20)

REAL_USCC = ["91440300708461136T", "914403001922038216", "11370306MB2867521U", "11100000MB0143028R"]
REAL_ZZBS = [
    "1.2.156.3005.2.11100000000013338W011.11430000006122244L.20230000403.001.U",
    "1.2.156.3005.2.11100000000013338W011.11430000006122244L.20230000403.002.S",
    "1.2.156.3005.2.11100000000013338W009.11330105002500287C.2025052201.002.0",
    "1.2.156.3005.2.11100000MB03271699022.340100.000000016.001.9",
    "1.2.156.3005.2.11100000000013338W087.11370800MB28559184.37080001202411010001.001.3",
]
UNIT = "320311001021GB00233F00010013"
BLANKS_AND_WIDE = ["{}\n", " {}", "{}\u200b", "\ufeff{}"]


def reason_of(validate: Callable[[str], object], text: str) -> str:
    with pytest.raises(IdentifierError) as caught:
        validate(text)
    return caught.value.reason


def resident(text: str) -> ids.ResidentIdentity:
    return ids.parse_resident_identity_number(text, on=TODAY)


class TestUnifiedSocialCreditCode:
    @pytest.mark.parametrize("code", REAL_USCC)
    def test_real_codes(self, code: str) -> None:
        assert ids.validate_unified_social_credit_code(code) == code
        assert ids.make_unified_social_credit_code(code[:8], code[8:16]) == code

    def test_letters_among_the_first_eight(self) -> None:
        code = ids.make_unified_social_credit_code("N2440106", "MF123456")
        assert ids.validate_unified_social_credit_code(code) == code

    @pytest.mark.parametrize("frame", BLANKS_AND_WIDE)
    def test_only_the_canonical_form(self, frame: str) -> None:
        assert reason_of(ids.validate_unified_social_credit_code, frame.format(REAL_USCC[0])) == "shape"

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("91440300708461136t", "shape"),
            ("９1440300708461136T", "shape"),
            ("91440300708461136", "shape"),
            ("9144030070846113OT", "shape"),
            ("914403007084611360", "check"),
            ("91440300708461126T", "organisation-check"),
            ("", "shape"),
        ],
    )
    def test_refused(self, text: str, reason: str) -> None:
        assert reason_of(ids.validate_unified_social_credit_code, text) == reason

    @given(st.sampled_from(REAL_USCC), st.integers(0, 17), st.sampled_from(ids.USCC_ALPHABET))
    def test_any_single_wrong_character_is_caught(self, code: str, at: int, char: str) -> None:
        changed = code[:at] + char + code[at + 1 :]
        if changed != code:
            with pytest.raises(IdentifierError):
                ids.validate_unified_social_credit_code(changed)

    def test_pydantic_type_refuses_without_naming_the_rule_of_another(self) -> None:
        adapter = TypeAdapter(ids.UnifiedSocialCreditCode)
        assert adapter.validate_python(REAL_USCC[0]) == REAL_USCC[0]
        with pytest.raises(ValidationError, match="unified-social-credit-code: check"):
            adapter.validate_python("914403007084611360")


class TestResidentIdentityNumber:
    @pytest.mark.parametrize(
        ("region", "holder"),
        [
            ("440106", "citizen"),
            ("810000", "hk-mo-tw"),
            ("820000", "hk-mo-tw"),
            ("830000", "hk-mo-tw"),
            ("931156", "foreign"),
        ],
    )
    def test_holders(self, region: str, holder: str) -> None:
        number = ids.make_resident_identity_number(region, date(1903, 2, 28), 17)
        assert resident(number) == ids.ResidentIdentity(region, date(1903, 2, 28), 17, holder)
        assert resident(number).is_male

    def test_the_published_example(self) -> None:
        """GB 11643's own example number, which is nobody's."""
        assert ids.resident_check("11010519491231002") == "X"

    def test_born_today_and_tomorrow(self) -> None:
        assert resident(ids.make_resident_identity_number("440106", TODAY, 1)).born_on == TODAY
        tomorrow = ids.make_resident_identity_number("440106", date(2026, 11, 21), 1)
        assert reason_of(resident, tomorrow) == "born-in-future"
        assert TypeAdapter(ids.ResidentIdentityNumber).validate_python(tomorrow) == tomorrow

    @pytest.mark.parametrize("born", ["18991231", "19000229", "20261301", "20260431", "00000000"])
    def test_birth_dates_that_do_not_exist(self, born: str) -> None:
        body = f"440106{born}001"
        assert reason_of(resident, body + ids.resident_check(body)) == "birth-date"

    @given(st.dates(date(1900, 1, 1), TODAY), st.integers(0, 999), st.integers(0, 17), st.sampled_from("0123456789X"))
    def test_any_single_wrong_character_is_caught(self, born: date, sequence: int, at: int, char: str) -> None:
        number = ids.make_resident_identity_number("440305", born, sequence)
        assert resident(number).born_on == born
        changed = number[:at] + char + number[at + 1 :]
        if changed != number:
            with pytest.raises(IdentifierError):
                resident(changed)

    @pytest.mark.parametrize("frame", BLANKS_AND_WIDE)
    def test_only_the_canonical_form(self, frame: str) -> None:
        number = ids.make_resident_identity_number("440106", date(1901, 1, 1), 1)
        assert reason_of(resident, frame.format(number)) == "shape"

    def test_lower_case_x(self) -> None:
        assert reason_of(resident, "11010519491231002x") == "shape"

    def test_the_error_does_not_repeat_the_number(self) -> None:
        with pytest.raises(IdentifierError) as caught:
            resident("110105194912310021")
        assert "1101" not in str(caught.value)


class TestFormerResidentNumbers:
    """居民身份证编号 of 15 digits (GB 11643-1989) and what took their place (GB 11643-1999)."""

    @pytest.mark.parametrize(
        ("former", "number"),
        [
            ("110105491231002", "11010519491231002X"),
            ("340524800101001", "34052419800101001X"),
            ("440106010203011", "440106190102030119"),
        ],
    )
    def test_known_answers(self, former: str, number: str) -> None:
        assert ids.upgrade_resident_identity_number(former) == number
        assert ids.former_resident_identity_number(number) == former
        assert ids.same_resident_identity_number(former, number)
        assert ids.same_resident_identity_number(number, former)
        assert resident(number).born_on.year == 1900 + int(former[6:8])

    @pytest.mark.parametrize(
        ("former", "reason"),
        [
            ("11010549123100", "shape"),
            ("1101054912310020", "shape"),
            ("11010549123100X", "shape"),
            ("010105491231002", "shape"),
            ("１10105491231002", "shape"),
            ("110105491232002", "birth-date"),
            ("110105000229002", "birth-date"),
            ("110105491231996", "century"),
            ("110105491231999", "century"),
        ],
    )
    def test_what_is_none(self, former: str, reason: str) -> None:
        assert reason_of(ids.upgrade_resident_identity_number, former) == reason

    def test_who_can_have_had_none(self) -> None:
        for number in ("440524188001010014", "11010520491231002X", "110105194912310021", "", "11010519491231002x"):
            assert ids.former_resident_identity_number(number) is None
        young = ids.make_resident_identity_number("440106", date(2004, 5, 6), 1)
        assert ids.former_resident_identity_number(young) is None

    @given(st.text(max_size=20), st.text(max_size=20))
    def test_same_is_symmetric_and_raises_for_nothing(self, one: str, other: str) -> None:
        assert ids.same_resident_identity_number(one, other) is ids.same_resident_identity_number(other, one)
        assert ids.same_resident_identity_number(one, one)

    @given(st.dates(date(1900, 1, 1), date(1999, 12, 31)), st.integers(0, 999))
    def test_there_and_back(self, born: date, sequence: int) -> None:
        number = ids.make_resident_identity_number("440305", born, sequence)
        former = number[:6] + number[8:17]
        if sequence < 996:
            assert ids.upgrade_resident_identity_number(former) == number
        else:
            assert ids.former_resident_identity_number(number) is None
        assert ids.same_resident_identity_number(former, number) is (sequence < 996)


class TestOrganisationCodes:
    """组织机构代码 (GB 11714), which stands inside the 统一社会信用代码 that took its place."""

    @pytest.mark.parametrize(
        ("text", "code"), [("D2143569-X", "D2143569X"), ("70846113-6", "708461136"), ("708461136", "708461136")]
    )
    def test_known_answers(self, text: str, code: str) -> None:
        assert ids.normalise_organisation_code(text) == code

    def test_it_is_part_of_the_credit_code(self) -> None:
        assert "91440300708461136T"[8:17] == ids.normalise_organisation_code("70846113-6")

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("D2143569-0", "check"),
            ("D2143569 X", "shape"),
            ("d2143569-X", "shape"),
            ("D214356-X", "shape"),
            ("", "shape"),
        ],
    )
    def test_what_is_none(self, text: str, reason: str) -> None:
        assert reason_of(ids.normalise_organisation_code, text) == reason


class TestECertificateIdentifier:
    @pytest.mark.parametrize("text", REAL_ZZBS)
    def test_real_identifiers(self, text: str) -> None:
        parsed = ECertificateIdentifier.parse(text)
        assert str(parsed) == text
        assert parsed.findings() == ()
        assert ECertificateIdentifier.make(parsed.type_code, parsed.issuer, parsed.serial, parsed.version) == parsed

    def test_parts(self) -> None:
        parsed = ECertificateIdentifier.parse(REAL_ZZBS[3])
        assert (parsed.type_code, parsed.issuer, parsed.serial, parsed.version, parsed.check) == (
            "11100000MB03271699022",
            "340100",
            "000000016",
            "001",
            "9",
        )

    def test_a_wrong_check_character_is_told_and_not_fatal(self) -> None:
        parsed = ECertificateIdentifier.parse(REAL_ZZBS[0][:-1] + "V")
        assert [finding.kind for finding in parsed.findings()] == ["bad-check-character"]
        assert parsed.expected_check == "U"

    @pytest.mark.parametrize(
        "text",
        [
            REAL_ZZBS[0].replace("3005.2", "3005.3"),
            REAL_ZZBS[0].removesuffix(".U"),
            REAL_ZZBS[0] + ".0",
            REAL_ZZBS[0].lower(),
            REAL_ZZBS[0] + "\n",
            REAL_ZZBS[0].replace(".001.", ".1."),
            "",
        ],
    )
    def test_refused(self, text: str) -> None:
        assert reason_of(ECertificateIdentifier.parse, text) == "shape"

    @given(st.sampled_from(REAL_ZZBS), st.data())
    def test_any_single_wrong_character_is_found(self, text: str, data: st.DataObject) -> None:
        parsed = ECertificateIdentifier.parse(text)
        at = data.draw(st.integers(0, len(parsed.serial) - 1))
        char = data.draw(st.sampled_from("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
        serial = parsed.serial[:at] + char + parsed.serial[at + 1 :]
        changed = ECertificateIdentifier(parsed.type_code, parsed.issuer, serial, parsed.version, parsed.check)
        assert bool(changed.findings()) == (serial != parsed.serial)

    @given(st.text(alphabet="0123456789ABCXYZ.", max_size=90))
    def test_whatever_is_read_is_written_back(self, text: str) -> None:
        try:
            parsed = ECertificateIdentifier.parse(text)
        except IdentifierError:
            return
        assert str(parsed) == text


class TestPropertyIdentifiers:
    def test_the_sample_unit(self) -> None:
        assert ids.validate_property_unit_code(UNIT) == UNIT

    @pytest.mark.parametrize("at", [12, 13, 19])
    def test_the_letters_are_limited(self, at: int) -> None:
        assert reason_of(ids.validate_property_unit_code, UNIT[:at] + "K" + UNIT[at + 1 :]) == "shape"

    @pytest.mark.parametrize("text", [UNIT[:-1], UNIT + "0", UNIT.lower(), UNIT + "\n", "A" + UNIT[1:]])
    def test_other_shapes(self, text: str) -> None:
        assert reason_of(ids.validate_property_unit_code, text) == "shape"

    @pytest.mark.parametrize("text", ["苏(2017)海门市不动产权第0000183号", "沪(2017)浦字不动产权第015342号"])
    def test_real_certificate_numbers(self, text: str) -> None:
        assert ids.normalise_property_certificate_number(text) == text

    @pytest.mark.parametrize(
        "text",
        [
            "苏（2017）海门市不动产权第0000183号",
            " 苏 (２０１７) 海门市 不动产权第 0000183 号\n",
            "苏(2017)海门市\u3000不动产权第0000183号",
        ],
    )
    def test_written_forms_are_normalised(self, text: str) -> None:
        assert ids.normalise_property_certificate_number(text) == "苏(2017)海门市不动产权第0000183号"

    @pytest.mark.parametrize(
        "text",
        [
            "苏(2017)海门市不动产权第00183号",
            "苏(2017)海门市不动产证明第0000183号",
            "(2017)海门市不动产权第0000183号",
            "",
        ],
    )
    def test_other_certificates(self, text: str) -> None:
        assert reason_of(ids.normalise_property_certificate_number, text) == "shape"


class TestProjects:
    @pytest.mark.parametrize("code", ["2020-440100-44-03-012345", "2403-440305-04-01-123456"])
    def test_both_forms(self, code: str) -> None:
        assert len(code) == 24
        assert ids.validate_project_code(code) == code

    @pytest.mark.parametrize(
        ("code", "reason"),
        [
            ("2413-440305-04-01-123456", "date"),
            ("3613-440305-04-01-123456", "date"),
            ("2403-440305-04-01-12345", "shape"),
            ("240344030504-01-123456", "shape"),
            ("2403-440305-04-01-123456\n", "shape"),
        ],
    )
    def test_refused(self, code: str, reason: str) -> None:
        assert reason_of(ids.validate_project_code, code) == reason

    @pytest.mark.parametrize(
        ("text", "number"),
        [
            ("建字第440100202300123号", "建字第440100202300123号"),
            ("建字第 4401002024GG0123456 号", "建字第4401002024GG0123456号"),
            ("2024GG0123456", "建字第2024GG0123456号"),
            ("建字第４４０１００２０２３００１２３号", "建字第440100202300123号"),
        ],
    )
    def test_planning_permits_are_taken_loosely(self, text: str, number: str) -> None:
        assert ids.normalise_planning_permit_number(text) == number

    @pytest.mark.parametrize("text", ["地字第440100202300123号", "建字第号", "ABCDEFGHIJK", "1" * 40])
    def test_what_is_no_planning_permit(self, text: str) -> None:
        assert reason_of(ids.normalise_planning_permit_number, text) == "shape"


class TestRegions:
    @pytest.mark.parametrize("region", ["440106", "440106012", "440106012001"])
    def test_three_lengths(self, region: str) -> None:
        assert ids.validate_region(region) == region
        assert ids.region_levels(region) == ("440106", "440100", "440000")

    def test_levels_are_not_repeated(self) -> None:
        assert ids.region_levels("440100") == ("440100", "440000")
        assert ids.region_levels("440000") == ("440000",)

    @pytest.mark.parametrize("text", ["44", "4401", "4401061", "04010600", "44010６", "440106\n"])
    def test_refused(self, text: str) -> None:
        assert reason_of(ids.validate_region, text) == "shape"

    def test_an_unknown_region_is_only_a_warning(self) -> None:
        assert ids.region_findings("440106") == ()
        assert [f.kind for f in ids.region_findings("990000")] == ["unknown-region"]
        assert [f.kind for f in ids.region_findings("440199", known={"440106"})] == ["unknown-region"]
        assert ids.region_findings("440106012", known={"440106"}) == ()


@given(st.text(max_size=40))
def test_no_validator_fails_in_another_way(text: str) -> None:
    for validate in (
        ids.validate_unified_social_credit_code,
        resident,
        ECertificateIdentifier.parse,
        ids.validate_property_unit_code,
        ids.normalise_property_certificate_number,
        ids.validate_project_code,
        ids.normalise_planning_permit_number,
        ids.validate_region,
        ids.validate_certificate_type_code,
    ):
        with suppress(IdentifierError):
            validate(text)
