"""Every comparison over whole certificates: what agrees, what contradicts, what a person must look at."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.applications.reconciliation.comparison import Comparison
from gateway.applications.reconciliation.facts import AgentAuthority, Facts
from gateway.applications.reconciliation.finding import Judgement, Outcome, Side
from gateway.applications.reconciliation.normal_forms import listed, name_form
from gateway.applications.reconciliation.reconcile import compared_values, reconcile, reconcile_choices
from gateway.applications.reconciliation.registry import checked, discovered
from gateway.applications.reconciliation.relations import Named
from gateway.certificates.claims import ECertificateClaims
from gateway.certificates.verdicts import Verdict
from schemas.identity import ActingRole, ApplicantKind
from tests.support.reconciliation import (
    BOSS,
    CLERK,
    CODE,
    FORMER_NAME,
    NAME,
    OTHER_CODE,
    RESIDENT,
    STRANGER,
    UNIT,
    authority,
    card,
    facts,
    finding,
    home,
    licence,
    project,
    right,
)


def answer(of: Facts, slug: str) -> tuple[Outcome, str]:
    found = finding(of, slug)
    return found.outcome, found.reason


def test_everything_agrees() -> None:
    assert {each.comparison: (each.outcome, each.reason) for each in reconcile(facts())} == dict.fromkeys(
        ("address", "builder", "holder", "identity", "representative", "site"), (Outcome.CONSISTENT, "equal")
    )
    assert {each.comparison: each.outcome for each in reconcile(home())} == {
        "holder": Outcome.CONSISTENT,
        "identity": Outcome.CONSISTENT,
    }


def test_only_what_the_stage_asks_for_is_compared() -> None:
    low_voltage = facts(
        expected=frozenset({"business_licence", "property_certificate"}), certificates={"project_approval": None}
    )
    assert {each.comparison for each in reconcile(low_voltage)} == {"address", "holder", "identity", "representative"}


@pytest.mark.parametrize("missing", ["business_licence", "property_certificate", "project_approval"])
def test_what_was_not_fetched_is_not_compared_and_says_so(missing: str) -> None:
    found = reconcile(facts(certificates={missing: None}))
    untouched = {each.comparison for each in found if each.outcome is Outcome.CONSISTENT}
    rest = [each for each in found if each.comparison not in untouched]
    assert rest
    assert {(each.outcome, each.reason) for each in rest} == {(Outcome.NOT_COMPARED, "not_fetched")}
    assert all("未作比对" in each.says and each.remedy for each in rest)


class TestHolder:
    @pytest.mark.parametrize(
        ("changes", "outcome", "reason"),
        [
            ({"KZ_QLR": "示例(广州)有限公司"}, Outcome.CONSISTENT, "equal"),
            ({"KZ_QLR": "示例广州有限公司"}, Outcome.UNSURE, "name_differs"),
            ({"KZ_QLR": FORMER_NAME}, Outcome.UNSURE, "name_differs"),
            ({"KZ_QLRZJH": OTHER_CODE}, Outcome.CONTRADICTION, "other_holder"),
            ({"KZ_QLR": "他人", "KZ_QLRZJH": STRANGER}, Outcome.CONTRADICTION, "other_holder"),
            ({"KZ_QLRZJH": "440101000012345"}, Outcome.UNSURE, "number_not_comparable"),
            ({"KZ_QLRZJH": CODE[8:17]}, Outcome.CONSISTENT, "historic_number"),
            ({"KZ_QLR": None, "KZ_QLRZJH": None}, Outcome.CONSISTENT, "equal"),
            ({"KZ_QLRZJH": None}, Outcome.CONSISTENT, "equal"),
            ({"KZ_QLR": "他人", "KZ_QLRZJH": None}, Outcome.UNSURE, "holder_not_identified"),
            ({"KZ_QLR": f"{NAME}、他人", "KZ_QLRZJH": CODE}, Outcome.UNSURE, "owners_unreadable"),
            ({"CZZT": f"{NAME}、他人", "CZZTDM": CODE}, Outcome.UNSURE, "owners_unreadable"),
            ({"CZZT": "示例有限公司"}, Outcome.UNSURE, "name_differs"),
        ],
    )
    def test_the_register_and_the_licence(self, changes: dict[str, str | None], outcome: Outcome, reason: str) -> None:
        assert answer(facts(certificates={"property_certificate": right(**changes)}), "holder") == (outcome, reason)

    def test_a_renamed_company_is_the_same_where_its_licence_says_so(self) -> None:
        renamed = {"property_certificate": right(FORMER_NAME)}
        assert answer(facts(certificates=renamed), "holder") == (Outcome.UNSURE, "name_differs")
        shown = finding(
            facts(certificates={**renamed, "business_licence": licence(KZ_CYM=f"更早、{FORMER_NAME}")}), "holder"
        )
        assert (shown.outcome, shown.reason) == (Outcome.CONSISTENT, "former_name")
        assert "曾用名" in shown.notes[0]

    def test_a_co_owner_is_enough_and_it_is_said(self) -> None:
        several = right(f"{NAME}、他人", f"{CODE}、{STRANGER}")
        found = finding(facts(certificates={"property_certificate": several}), "holder")
        assert found.outcome is Outcome.CONSISTENT
        assert "共有" in found.notes[0]

    def test_a_historic_number_is_computed_exactly(self) -> None:
        former = RESIDENT[:6] + RESIDENT[8:17]
        found = finding(home(certificates={"property_certificate": right("陈安", former)}), "holder")
        assert (found.outcome, found.reason) == (Outcome.CONSISTENT, "historic_number")
        another = former[:-1] + str((int(former[-1]) + 1) % 10)
        assert answer(home(certificates={"property_certificate": right("陈安", another)}), "holder") == (
            Outcome.CONTRADICTION,
            "other_holder",
        )
        assert answer(home(certificates={"property_certificate": right("陈安安", former)}), "holder") == (
            Outcome.UNSURE,
            "name_differs",
        )

    def test_both_owners_are_named_and_no_value_of_either(self) -> None:
        told = str(reconcile(facts(certificates={"property_certificate": right("他人", OTHER_CODE)})))
        assert Side.BUSINESS_LICENCE.value in told
        assert Side.PROPERTY.value in told
        for value in (NAME, CODE, OTHER_CODE, "他人有", BOSS, "示例路", UNIT):
            assert value not in told


class TestIdentity:
    def test_who_was_verified_and_who_is_certified(self) -> None:
        assert answer(facts(holder=Named("示例有限公司", CODE)), "identity") == (Outcome.UNSURE, "name_differs")
        assert answer(facts(holder=Named(NAME, OTHER_CODE)), "identity") == (Outcome.CONTRADICTION, "other_holder")
        renamed = {"business_licence": licence(KZ_CYM=FORMER_NAME)}
        assert answer(facts(holder=Named(FORMER_NAME, CODE), certificates=renamed), "identity")[0] is Outcome.CONSISTENT


class TestProject:
    @pytest.mark.parametrize(
        ("changes", "outcome", "reason"),
        [
            ({"KZ_JSDW": NAME, "KZ_JSDWDM": CODE}, Outcome.CONSISTENT, "equal"),
            ({"KZ_JSDW": "别家有限公司", "KZ_JSDWDM": OTHER_CODE}, Outcome.CONTRADICTION, "other_holder"),
            ({"KZ_JSDW": "示例建设有限公司", "KZ_JSDWDM": CODE}, Outcome.UNSURE, "name_differs"),
            ({"KZ_JSDW": NAME}, Outcome.UNSURE, "number_missing"),
            ({"KZ_JSDWDM": CODE}, Outcome.UNSURE, "owners_unreadable"),
            ({"KZ_JSDW": f"{NAME}、他人", "KZ_JSDWDM": CODE}, Outcome.UNSURE, "owners_unreadable"),
            ({"KZ_JSDW": NAME, "KZ_JSDWDM": f"{CODE}、{OTHER_CODE}"}, Outcome.UNSURE, "owners_unreadable"),
            ({"CZZT": "示例新厂有限公司"}, Outcome.UNSURE, "name_differs"),
        ],
    )
    def test_the_builder(self, changes: dict[str, str], outcome: Outcome, reason: str) -> None:
        assert answer(facts(certificates={"project_approval": project(**changes)}), "builder") == (outcome, reason)

    @pytest.mark.parametrize(
        ("site", "outcome", "reason"),
        [
            ("广东省广州市天河区示例路8号", Outcome.CONSISTENT, "equal"),
            ("天河区示例路8号东侧地块", Outcome.UNSURE, "address_less_exact"),
            ("天河区别处路1号", Outcome.UNSURE, "address_differs"),
            ("深圳市南山区科技路1号", Outcome.CONTRADICTION, "other_place"),
            (None, Outcome.UNSURE, "address_missing"),
        ],
    )
    def test_the_site(self, site: str | None, outcome: Outcome, reason: str) -> None:
        assert answer(facts(certificates={"project_approval": project(KZ_JSDD=site)}), "site") == (outcome, reason)


class TestRepresentative:
    @pytest.mark.parametrize(
        ("person", "changes", "outcome", "reason"),
        [
            (Named("王一", STRANGER), {}, Outcome.CONTRADICTION, "other_representative"),
            (Named("王壹", BOSS), {}, Outcome.UNSURE, "name_differs"),
            (Named("王一", BOSS), {"KZ_FDDBRZJH": None}, Outcome.CONSISTENT, "equal"),
            (Named("李二", BOSS), {"KZ_FDDBRZJH": None}, Outcome.UNSURE, "representative_differs"),
            (Named("王一", BOSS), {"KZ_FDDBR": None}, Outcome.UNSURE, "representative_missing"),
            (Named("王一", BOSS), {"KZ_FDDBRZJH": BOSS[:6] + BOSS[8:17]}, Outcome.CONSISTENT, "historic_number"),
            (Named("王一", BOSS), {"KZ_FDDBRZJH": "护照"}, Outcome.UNSURE, "number_not_comparable"),
        ],
    )
    def test_who_acts_and_who_the_licence_names(
        self, person: Named, changes: dict[str, str | None], outcome: Outcome, reason: str
    ) -> None:
        of = facts(person=person, certificates={"business_licence": licence(**changes)})
        assert answer(of, "representative") == (outcome, reason)


class TestAgent:
    @pytest.mark.parametrize(
        ("given_authority", "outcome", "reason"),
        [
            (authority(), Outcome.CONSISTENT, "equal"),
            (None, Outcome.UNSURE, "authorisation_missing"),
            (authority(verdict=Verdict.INVALID, check="jose.expired"), Outcome.CONTRADICTION, "authorisation_expired"),
            (
                authority(verdict=Verdict.INVALID, check="jose.not_yet_valid"),
                Outcome.CONTRADICTION,
                "authorisation_not_yet",
            ),
            (authority(verdict=Verdict.INVALID, check="chain.revoked"), Outcome.CONTRADICTION, "signature_revoked"),
            (authority(verdict=Verdict.INVALID, check="anything"), Outcome.CONTRADICTION, "authorisation_invalid"),
            (authority(verdict=Verdict.INDETERMINATE), Outcome.UNSURE, "signature_unknown"),
            (AgentAuthority(Verdict.INDETERMINATE, "chain.no_anchor"), Outcome.UNSURE, "signature_unknown"),
            (authority(content={"matter": "用电过户"}), Outcome.CONTRADICTION, "other_matter"),
            (authority(content={"enterprise_code": OTHER_CODE}), Outcome.CONTRADICTION, "other_enterprise"),
            (authority(content={"agent_code": STRANGER}), Outcome.CONTRADICTION, "other_agent"),
            (authority(content={"agent_name": "李辦"}), Outcome.UNSURE, "agent_name_differs"),
            (authority(signer=Named("王一", STRANGER)), Outcome.CONTRADICTION, "other_representative"),
            (authority(signer=Named("李办", CLERK)), Outcome.CONTRADICTION, "other_representative"),
            (authority(signer=Named("王壹", BOSS)), Outcome.UNSURE, "name_differs"),
            (authority(signer=None), Outcome.UNSURE, "representative_missing"),
            (
                authority(verdict=Verdict.INDETERMINATE, content={"agent_code": STRANGER}),
                Outcome.CONTRADICTION,
                "other_agent",
            ),
            (
                authority(verdict=Verdict.INDETERMINATE, signer=Named("王一", STRANGER)),
                Outcome.CONTRADICTION,
                "other_representative",
            ),
        ],
    )
    def test_the_authorisation(self, given_authority: AgentAuthority | None, outcome: Outcome, reason: str) -> None:
        of = facts(role=ActingRole.AGENT, person=Named("李办", CLERK), authority=given_authority)
        assert answer(of, "agent") == (outcome, reason)
        assert "representative" not in {each.comparison for each in reconcile(of)}

    def test_a_namesake_of_the_representative_is_not_taken_for_them(self) -> None:
        without_number = {"business_licence": licence(KZ_FDDBRZJH=None)}
        of = facts(
            role=ActingRole.AGENT,
            person=Named("李办", CLERK),
            authority=authority(signer=Named("王一", STRANGER)),
            certificates=without_number,
        )
        assert answer(of, "agent") == (Outcome.UNSURE, "representative_number_missing")

    def test_a_representative_needs_none(self) -> None:
        assert "agent" not in {each.comparison for each in reconcile(facts())}


class TestChoices:
    CANDIDATES: Mapping[str, Mapping[str, ECertificateClaims]] = {
        "business_licence": {"L": licence()},
        "property_certificate": {"mine": right(), "theirs": right("他人", OTHER_CODE)},
        "project_approval": {"here": project(), "there": project(KZ_JSDD="深圳市南山区科技路1号")},
    }

    def test_each_combination_is_judged_and_applies_to_its_choice_alone(self) -> None:
        found = reconcile_choices(replace(facts(), certificates={}), self.CANDIDATES)
        holders = {
            each.choices["property_certificate"]: each.finding.outcome
            for each in found
            if each.finding.comparison == "holder"
        }
        assert holders == {"mine": Outcome.CONSISTENT, "theirs": Outcome.CONTRADICTION}
        sites = {
            tuple(sorted(each.choices.values())): each.finding.outcome
            for each in found
            if each.finding.comparison == "site"
        }
        assert sites == {
            ("here", "mine"): Outcome.CONSISTENT,
            ("here", "theirs"): Outcome.CONSISTENT,
            ("mine", "there"): Outcome.CONTRADICTION,
            ("theirs", "there"): Outcome.CONTRADICTION,
        }
        chosen = {"business_licence": "L", "property_certificate": "mine", "project_approval": "here"}
        assert {each.finding.outcome for each in found if each.applies(chosen)} == {Outcome.CONSISTENT}
        assert len([each for each in found if each.applies(chosen)]) == 6

    def test_a_choice_is_never_without_an_answer(self) -> None:
        found = reconcile_choices(replace(facts(), certificates={}), {**self.CANDIDATES, "project_approval": {}})
        answers = [each for each in found if each.finding.comparison in ("site", "builder")]
        assert {each.finding.outcome for each in answers} == {Outcome.NOT_COMPARED}
        chosen = {"business_licence": "L", "property_certificate": "theirs"}
        assert len([each for each in answers if each.applies(chosen)]) == 2


class TestShown:
    def test_an_officer_sees_what_was_compared_and_not_another_owners_number(self) -> None:
        several = right(f"{NAME}、他人", f"{CODE}、{STRANGER}", KZ_QLR=f"{NAME}、他人")
        of = facts(certificates={"property_certificate": several})
        shown = {value.value for value in compared_values(of, "holder")}
        assert {NAME, CODE, "他人"} <= shown
        assert STRANGER not in shown
        assert not any(STRANGER in repr(value) or NAME in repr(value) for value in compared_values(of, "holder"))

    @pytest.mark.parametrize("slug", [each.slug for each in discovered()])
    def test_every_comparison_shows_both_sides(self, slug: str) -> None:
        of = facts()
        if slug == "agent":
            of = facts(role=ActingRole.AGENT, person=Named("李办", CLERK), authority=authority())
        values = compared_values(of, slug)
        assert set(finding(of, slug).sides) <= {value.side for value in values}

    def test_what_is_not_there_is_not_shown(self) -> None:
        assert compared_values(facts(certificates={"property_certificate": None}), "holder") == ()
        assert compared_values(facts(), "agent") == ()
        assert compared_values(facts(), "nothing") == ()


class TestRegistry:
    def test_the_comparisons_are_found(self) -> None:
        assert [each.slug for each in discovered()] == [
            "address",
            "agent",
            "builder",
            "holder",
            "identity",
            "representative",
            "site",
        ]

    def test_a_slug_stands_once(self) -> None:
        (first, *_) = discovered()
        with pytest.raises(ValueError, match="two files"):
            checked([first, replace(first)])
        with pytest.raises(ValueError, match="COMPARISON"):
            checked([None])
        with pytest.raises(ValueError, match="slug"):
            replace(first, slug="Not A Slug")

    def test_every_reason_has_its_remedy(self) -> None:
        def judged(reason: str) -> Comparison:
            (first, *_) = discovered()
            return replace(first, judge=lambda _: Judgement(Outcome.UNSURE, reason))

        with pytest.raises(KeyError):
            judged("unheard_of").find(facts())


_TEXT = st.one_of(
    st.text(alphabet=st.characters(), max_size=25),
    st.sampled_from(
        [NAME, CODE, OTHER_CODE, RESIDENT, STRANGER, FORMER_NAME, "、", "天河区示例路8号", "440101000012345", ""]
    ),
)


@given(
    texts=st.lists(st.one_of(st.none(), _TEXT), min_size=16, max_size=16), resident=st.booleans(), agent=st.booleans()
)
def test_total_and_consistent_only_where_every_form_is_equal(
    texts: list[str | None], resident: bool, agent: bool
) -> None:
    """Whatever stands in the documents: no exception, and every reason has words."""
    it = iter(texts)

    def some() -> str:
        return next(it) or "x"

    certificates: dict[str, ECertificateClaims] = {
        "business_licence": licence().model_copy(
            update={"holder": some(), "holder_code": some(), "former_names": next(it), "legal_representative": next(it)}
        ),
        "resident_id": card().model_copy(update={"holder": some(), "holder_code": some()}),
        "property_certificate": right().model_copy(
            update={
                "holder": some(),
                "holder_code": some(),
                "owners": next(it),
                "owner_codes": next(it),
                "location": some(),
            }
        ),
        "project_approval": project().model_copy(
            update={"site": next(it), "builder": next(it), "builder_code": next(it)}
        ),
    }
    of = facts(
        applicant_kind=ApplicantKind.RESIDENT if resident else ApplicantKind.ENTERPRISE,
        role=None if resident else ActingRole.AGENT if agent else ActingRole.LEGAL_REPRESENTATIVE,
        certificates=certificates,
        expected=frozenset(certificates),
        holder=Named(some(), some()),
        authority=authority() if agent else None,
    )
    found = reconcile(of)
    assert found == reconcile(of)
    for each in found:
        assert each.says
        assert (each.remedy is None) == (each.outcome is Outcome.CONSISTENT)
        compared_values(of, each.comparison)
        if each.comparison == "holder" and each.outcome is Outcome.CONSISTENT:
            identity, owned = certificates[of.identity_document], certificates["property_certificate"]
            mine = {name_form(name) for name in (identity.holder, *listed(getattr(identity, "former_names", None)))}
            assert mine & set(map(name_form, listed(owned.holder)))
            assert mine & set(map(name_form, listed(owned.owners or owned.holder)))
