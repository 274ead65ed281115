"""A push read: rows that no longer hold, steps out of order, codes that nobody knows, builders that are persons."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from gateway.projects.model import Said
from gateway.projects.reading import read_push
from schemas.identifiers import make_unified_social_credit_code
from schemas.leads import LeadPhase, LeadProject
from schemas.project_push import ProjectPush
from tests.support.projects import BUILDER, ITEM, PERSON, PHONE, PLANNING, STEP, claims

RESULT = {"spsxslbm": "item-1", "pfrq": "2026-03-01 00:00:00", "pfwh": "穗规〔2026〕1号", "pfwjbt": "批复"}


def read(**changes: Any) -> Said:
    return read_push(ProjectPush.model_validate({"iat": 1} | claims(1, **changes)))


def lead(**changes: Any) -> LeadProject:
    found = read(**changes).lead
    assert found is not None
    return found


def test_the_site_goes_before_the_office_that_registered_it() -> None:
    assert lead().region == "440106"
    for empty in (None, "", " "):
        assert lead(jsddxzqh=empty).region == "440100"


@pytest.mark.parametrize(
    ("changes", "phase"),
    [
        ({"xmspsxblxxb": []}, LeadPhase.REGISTERED),
        ({}, LeadPhase.UNDER_APPROVAL),
        ({"xmspsxpfwjxxb": [RESULT]}, LeadPhase.UNDER_APPROVAL),
        ({"jsgcghxkxxb": [PLANNING]}, LeadPhase.PLANNING_PERMITTED),
        ({"jsgcghxkxxb": [PLANNING | {"sjyxbs": 0}]}, LeadPhase.UNDER_APPROVAL),
        ({"xmspsxblxxb": [ITEM | {"sjyxbs": 0}]}, LeadPhase.REGISTERED),
    ],
)
def test_how_ripe_it_is(changes: dict[str, Any], phase: LeadPhase) -> None:
    assert lead(**changes).phase is phase


@given(st.permutations([(1, 9), (3, 10), (8, 11), (11, 12)]))
def test_the_last_step_by_time_counts_in_whatever_order_the_rows_are(order: list[tuple[int, int]]) -> None:
    steps = [STEP | {"blzt": code, "blsj": f"2026-03-01 {hour:02d}:00:00"} for code, hour in order]
    (item,) = lead(xmspsxblxxxxb=steps).items
    assert (item.status, item.status_code) == ("concluded_approved", 11)


def test_a_step_that_no_longer_holds_and_one_of_nobodys_leave_no_trace() -> None:
    steps = [STEP, STEP | {"blzt": 11, "blsj": "2026-03-02 09:00:00", "sjyxbs": 0}, STEP | {"spsxslbm": "another"}]
    assert [item.status for item in lead(xmspsxblxxxxb=steps).items] == ["accepted"]
    assert [item.status for item in lead(xmspsxblxxxxb=[]).items] == ["pending"]


def test_a_code_that_nobody_knows_is_a_finding() -> None:
    found = lead(xmspsxblxxxxb=[STEP | {"blzt": 77}])
    assert (found.items[0].status, found.items[0].status_code, found.findings) == ("other", 77, ["item-status"])


def test_an_organisation_is_named_and_a_person_is_not() -> None:
    assert lead().builder == BUILDER
    sole_trader = make_unified_social_credit_code("92440106", "12345678")
    for code in (sole_trader, "11010119900101001X", None):
        said = read(jsdw="张三", jsdwdm=code)
        assert said.lead is not None
        assert (said.lead.builder, said.lead.builder_code) == (None, None)
        assert said.lead.findings == ["builder-not-organisation"]
        assert said.contact.builder == "张三"
        assert "张三" not in said.lead.model_dump_json()


def test_whom_to_ask_is_who_deals_with_it_now() -> None:
    items = [ITEM, ITEM | {"spsxslbm": "b", "lxr": "测试乙"}, ITEM | {"spsxslbm": "c", "lxr": "测试丙", "sjyxbs": 0}]
    assert read(xmspsxblxxb=items).contact.name == "测试乙"
    silent = read(xmspsxblxxb=[ITEM | {"lxr": None, "lxrsjh": ""}]).contact
    assert (silent.name, silent.phone) == (None, None)
    assert PERSON not in repr(read())
    assert PHONE not in repr(read())


def test_days_may_carry_a_time_and_columns_may_be_empty() -> None:
    found = lead(nkgsj="2026-06-01 00:00:00", njcsj="", jsdd="  ", jzmj=None)
    assert (str(found.starts_on), found.completes_on, found.site) == ("2026-06-01", None, None)


def test_columns_that_are_not_read_are_let_by_and_a_withdrawn_project_tells_nothing() -> None:
    assert lead(lsh=77, dfsjzj="x", ztze=1.5)
    assert read(sjyxbs=0).lead is None


@pytest.mark.parametrize("version", [0, -1, 10**12 + 1, "x", None])
def test_a_version_counts_from_one(version: Any) -> None:
    with pytest.raises(ValidationError):
        ProjectPush.model_validate({"iat": 1} | claims(version))
