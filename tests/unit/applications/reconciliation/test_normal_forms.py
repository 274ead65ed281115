"""Normal forms: what counts as the same, what does not, the same either way round, and no text that breaks them."""

from collections.abc import Callable
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.applications.reconciliation.finding import Outcome
from gateway.applications.reconciliation.normal_forms import (
    Address,
    CodeRelation,
    address_form,
    code_form,
    listed,
    name_form,
    places_apart,
    relate_codes,
)
from gateway.applications.reconciliation.places import relate_places
from gateway.applications.reconciliation.relations import Named, find_among, relate, relate_names
from schemas.identifiers import (
    make_resident_identity_number,
    make_unified_social_credit_code,
)
from schemas.regions import COUNTIES

USCC = make_unified_social_credit_code("91440101", "TDMA0001")
OTHER_USCC = make_unified_social_credit_code("91440101", "TDMA0002")
NUMBER = "11010519491231002X"
FORMER_NUMBER = "110105491231002"
OTHER_FORMER = "110105491231003"
REGISTRATION = "440101000012345"
PASSPORT = "E12345678"

TEXT = st.text(alphabet=st.characters(), max_size=40)
CODES = st.one_of(
    TEXT,
    st.sampled_from([USCC, OTHER_USCC, NUMBER, FORMER_NUMBER, OTHER_FORMER, REGISTRATION, PASSPORT, USCC[8:17], ""]),
    st.text(alphabet="0123456789X", min_size=15, max_size=18),
)
NAMES = st.one_of(
    TEXT, st.sampled_from(["示例有限公司", "示例（广州）有限公司", "示例(广州)有限公司", "买买提·艾力", ""])
)
NAMED = st.builds(Named, NAMES, st.one_of(st.none(), CODES), st.lists(NAMES, max_size=2).map(tuple))
PLACES = st.tuples(
    st.one_of(
        TEXT,
        st.builds(
            "".join,
            st.tuples(
                st.sampled_from(["", "广东省"]),
                st.sampled_from(["", "广州市", "深圳市", "东莞市"]),
                st.sampled_from(["", "天河区", "南山区", "城区"]),
                st.sampled_from(["", "示例路8号", "示例路８號", "示例路8号3栋"]),
            ),
        ),
    ),
    st.one_of(st.none(), st.sampled_from([*COUNTIES[:20], "440305001001", "110101"])),
)


class TestNames:
    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("示例（广州）有限公司", "示例(广州)有限公司"),
            ("示例有限公司", " 示例 有限公司\u3000"),
            ("买买提·艾力", "买买提•艾力"),
            ("ＡＢＣ科技", "ABC科技"),
            ("示例〔集团〕", "示例(集团)"),
        ],
    )
    def test_written_alike(self, one: str, other: str) -> None:
        assert name_form(one) == name_form(other)

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("示例有限公司", "示例有限责任公司"),
            ("示例有限公司", "示列有限公司"),
            ("ABC科技", "abc科技"),
            ("示例", "示例有限公司"),
            ("示例\u200b有限公司", "示例有限公司"),
        ],
    )
    def test_alike_is_not_the_same(self, one: str, other: str) -> None:
        assert name_form(one) != name_form(other)

    def test_a_list_is_taken_apart_as_people_write_it(self) -> None:
        assert listed("甲、乙，丙; 丁；") == ("甲", "乙", "丙", "丁")
        assert listed(None) == listed("、，") == ()

    @given(TEXT)
    def test_a_normal_form_is_its_own(self, text: str) -> None:
        assert name_form(name_form(text)) == name_form(text)
        assert code_form(code_form(text)) == code_form(text)


class TestCodes:
    @pytest.mark.parametrize(
        ("one", "other", "relation"),
        [
            (USCC, USCC, CodeRelation.EQUAL),
            (USCC, f" {USCC.lower()}\u3000", CodeRelation.EQUAL),
            (NUMBER, NUMBER.lower(), CodeRelation.EQUAL),
            (NUMBER, FORMER_NUMBER, CodeRelation.HISTORIC),
            (NUMBER, OTHER_FORMER, CodeRelation.DIFFERENT),
            (USCC, USCC[8:17], CodeRelation.HISTORIC),
            (USCC, f"{USCC[8:16]}-{USCC[16]}", CodeRelation.HISTORIC),
            (USCC, OTHER_USCC[8:17], CodeRelation.DIFFERENT),
            (USCC, OTHER_USCC, CodeRelation.DIFFERENT),
            (USCC, NUMBER, CodeRelation.DIFFERENT),
            (USCC, REGISTRATION, CodeRelation.INCOMPARABLE),
            (USCC, FORMER_NUMBER, CodeRelation.INCOMPARABLE),
            (NUMBER, REGISTRATION, CodeRelation.INCOMPARABLE),
            (NUMBER, PASSPORT, CodeRelation.INCOMPARABLE),
            (NUMBER, NUMBER[:-1] + "1", CodeRelation.INCOMPARABLE),
            (USCC, USCC[:-1] + ("0" if USCC[-1] != "0" else "1"), CodeRelation.INCOMPARABLE),
            (NUMBER, "", CodeRelation.INCOMPARABLE),
            ("", "", CodeRelation.INCOMPARABLE),
            (PASSPORT, PASSPORT.lower(), CodeRelation.EQUAL),
            (REGISTRATION, REGISTRATION, CodeRelation.EQUAL),
        ],
    )
    def test_relations(self, one: str, other: str, relation: CodeRelation) -> None:
        assert relate_codes(one, other) is relation
        assert relate_codes(other, one) is relation

    @pytest.mark.parametrize(
        "code", ["4401**********0011", "440106XXXXXXXX0011", "440106●●●●●●●●0011", "无", "/", "0", "详见附记"]
    )
    def test_a_masked_number_or_a_remark_is_nobodys_even_where_both_have_it(self, code: str) -> None:
        assert relate_codes(code, code) is CodeRelation.INCOMPARABLE
        assert relate(Named("测试甲", code), Named("测试甲", code)).outcome is Outcome.UNSURE

    def test_only_plain_letters_have_capitals(self) -> None:
        assert relate_codes("\u0131 12345", "I 12345") is CodeRelation.INCOMPARABLE

    def test_a_centenarians_old_number_proves_nothing(self) -> None:
        number = make_resident_identity_number("110105", date(1949, 12, 31), 997)
        assert relate_codes(number, number[:6] + number[8:17]) is CodeRelation.INCOMPARABLE

    @given(CODES, CODES)
    def test_symmetric_and_equal_only_when_equal(self, one: str, other: str) -> None:
        relation = relate_codes(one, other)
        assert relation is relate_codes(other, one)
        if relation is CodeRelation.EQUAL:
            assert code_form(one) == code_form(other) != ""


class TestHolders:
    @pytest.mark.parametrize(
        ("other", "outcome", "reason"),
        [
            (Named("示例有限公司", USCC), Outcome.CONSISTENT, "equal"),
            (Named("示 例 有限公司", USCC), Outcome.CONSISTENT, "equal"),
            (Named("旧例有限公司", USCC), Outcome.CONSISTENT, "former_name"),
            (Named("示例有限责任公司", USCC), Outcome.UNSURE, "name_differs"),
            (Named("示例有限公司", USCC[8:17]), Outcome.CONSISTENT, "historic_number"),
            (Named("示例有限责任公司", USCC[8:17]), Outcome.UNSURE, "name_differs"),
            (Named("示例有限公司", REGISTRATION), Outcome.UNSURE, "number_not_comparable"),
            (Named("旧例有限公司", REGISTRATION), Outcome.UNSURE, "number_not_comparable"),
            (Named("他人有限公司", REGISTRATION), Outcome.UNSURE, "holder_not_identified"),
            (Named("示例有限公司", OTHER_USCC), Outcome.CONTRADICTION, "other_holder"),
            (Named("他人有限公司", OTHER_USCC), Outcome.CONTRADICTION, "other_holder"),
            (Named("示例有限公司", None), Outcome.UNSURE, "number_missing"),
            (Named("他人有限公司", None), Outcome.UNSURE, "holder_not_identified"),
            (Named("", USCC), Outcome.UNSURE, "name_differs"),
        ],
    )
    def test_the_table(self, other: Named, outcome: Outcome, reason: str) -> None:
        judged = relate(Named("示例有限公司", USCC, ("旧例有限公司",)), other)
        assert (judged.outcome, judged.reason) == (outcome, reason)

    @given(NAMED, NAMED)
    def test_symmetric_and_never_consistent_unless_the_forms_are_equal(self, one: Named, other: Named) -> None:
        judged = relate(one, other)
        assert judged == relate(other, one)
        if judged.outcome is Outcome.CONSISTENT:
            names = {name_form(one.name), *map(name_form, one.former)}
            assert name_form(other.name) in names or name_form(one.name) in map(name_form, other.former)
            short, long = sorted((code_form(one.code or ""), code_form(other.code or "")), key=len)
            assert short
            assert short in (long, long[6:8] and long[:6] + long[8:17], long[8:17])
        else:
            equal = name_form(one.name) == name_form(other.name) != ""
            assert not (equal and relate_codes(one.code or "", other.code or "") is CodeRelation.EQUAL)

    def test_names_of_which_nothing_is_left_are_nobodys_and_one_owner_is_no_co_owner(self) -> None:
        for nothing in ("", " ", "\u3000"):
            assert relate_names(Named(nothing), Named("")) == relate_names(Named(""), Named(nothing)) == "different"
        alone = Named("王一", "110101190001010018")
        assert find_among(alone, [alone]).notes == ()
        assert find_among(alone, [alone, Named("李办")]).notes == ("co_owner",)

    @given(NAMED, st.lists(NAMED, max_size=3))
    def test_among_several_the_best_counts_and_none_is_unsure(self, holder: Named, owners: list[Named]) -> None:
        judged = find_among(holder, owners)
        outcomes = [relate(holder, owner).outcome for owner in owners]
        if Outcome.CONSISTENT in outcomes:
            assert judged.outcome is Outcome.CONSISTENT
            assert ("co_owner" in judged.notes) == (len(owners) > 1)
        elif Outcome.UNSURE in outcomes or not owners:
            assert judged.outcome is Outcome.UNSURE
        else:
            assert judged.outcome is Outcome.CONTRADICTION

    @given(NAMED, NAMED)
    def test_names_relate_both_ways(self, one: Named, other: Named) -> None:
        assert relate_names(one, other) == relate_names(other, one)


class TestAddresses:
    @pytest.mark.parametrize(
        "text",
        [
            "广东省广州市天河区示例路8号",
            "广州市天河区示例路8号",
            "天河区示例路８號",
            "示例路8号",
            " 广东省 天河区 示例路 8号 ",
            "广州市示例路8号",
        ],
    )
    def test_written_in_full_or_not(self, text: str) -> None:
        assert address_form(text, "440106") == Address("440106", "示例路8号")
        assert address_form(text, "440106001002") == Address("440106", "示例路8号")

    def test_the_text_knows_better_than_its_document(self) -> None:
        assert address_form("深圳市南山区示例路8号", "440106").place == "440305"
        assert address_form("南山区示例路8号", "440106").place == "440305"
        assert address_form("深圳市示例路8号", "440106").place == "440300"
        assert address_form("东莞市示例路8号", None).place == "441900"
        assert address_form("示例路8号", None).place is None
        assert address_form("城区示例路8号", "440106") == Address("440106", "城区示例路8号")
        assert address_form("汕尾市城区示例路8号", None) == Address("441502", "示例路8号")

    @pytest.mark.parametrize(
        ("one", "other", "outcome", "reason"),
        [
            (("天河区示例路8号", "440106"), ("广东省广州市天河区示例路8号", "440106"), Outcome.CONSISTENT, "equal"),
            (("示例路8号", "440106"), ("示例路9号", "440106"), Outcome.UNSURE, "address_differs"),
            (("示例路8号", "440106"), ("示例路8号3栋502房", "440106"), Outcome.UNSURE, "address_less_exact"),
            (("示例路8号", "440106"), ("南山区示例路8号", "440106"), Outcome.UNSURE, "county_differs"),
            (("示例路8号", "440106"), ("南山区别处路1号", "440305"), Outcome.CONTRADICTION, "other_place"),
            (("示例路8号", None), ("别处路1号", "440305"), Outcome.UNSURE, "address_differs"),
            (("示例路8号", None), ("示例路8号", "440305"), Outcome.UNSURE, "address_less_exact"),
            (("深圳市示例路8号", None), ("南山区别处路1号", None), Outcome.UNSURE, "address_differs"),
            (("", "440106"), ("示例路8号", "440106"), Outcome.UNSURE, "address_missing"),
            (("天河区", "440106"), ("天河区", "440106"), Outcome.UNSURE, "address_missing"),
            (("示例路8号", None), ("示例路8号", None), Outcome.UNSURE, "address_less_exact"),
            (("示例路8号1 101", "440106"), ("示例路8号1101", "440106"), Outcome.UNSURE, "address_differs"),
            (("示例路8号A 1", "440106"), ("示例路8号A\u30001", "440106"), Outcome.CONSISTENT, "equal"),
            (("示例路 8 号", "440106"), ("示例路8号", "440106"), Outcome.CONSISTENT, "equal"),
            (("示例路8²号", "440106"), ("示例路82号", "440106"), Outcome.UNSURE, "address_differs"),
            (("示例路8½号", "440106"), ("示例路81⁄2号", "440106"), Outcome.UNSURE, "address_differs"),
            (("荔湾区示例路8号", "440106"), ("荔湾区示例路8号", "440106"), Outcome.UNSURE, "county_differs"),
            (("佛山市示例路8号", "440106001"), ("佛山市示例路8号", "440106"), Outcome.UNSURE, "county_differs"),
        ],
    )
    def test_the_table(
        self, one: tuple[str, str | None], other: tuple[str, str | None], outcome: Outcome, reason: str
    ) -> None:
        assert (relate_places(one, other).outcome, relate_places(one, other).reason) == (outcome, reason)

    @given(PLACES, PLACES)
    def test_symmetric_and_never_consistent_unless_the_forms_are_equal(
        self, one: tuple[str, str | None], other: tuple[str, str | None]
    ) -> None:
        judged = relate_places(one, other)
        assert judged == relate_places(other, one)
        same = address_form(*one) == address_form(*other) and address_form(*one).known
        whole = address_form(*one).place and not any(
            places_apart(address_form(text, region).place, region and region[:6]) for text, region in (one, other)
        )
        assert (judged.outcome is Outcome.CONSISTENT) == bool(same and whole)

    @pytest.mark.parametrize(
        ("one", "other", "apart"),
        [
            ("440106", "440106", False),
            ("440106", "440100", False),
            ("440000", "440106", False),
            ("440106", "440105", True),
            ("440300", "440106", True),
            (None, "440106", False),
        ],
    )
    def test_places_apart(self, one: str | None, other: str | None, apart: bool) -> None:
        assert places_apart(one, other) is places_apart(other, one) is apart


@pytest.mark.parametrize("form", [name_form, code_form, listed, lambda text: address_form(text, "440106")])
@given(text=TEXT)
def test_no_text_breaks_a_form(form: Callable[[str], object], text: str) -> None:
    form(text)
