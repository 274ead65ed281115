"""Departments are found by their files; each reads its own words."""

import sys
import types
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import adapters.departments as package
from adapters.departments import DepartmentSettingsError, discover, planning, road
from gateway.approvals.departments import Departments
from gateway.approvals.errors import OutcomeUnreadable
from gateway.approvals.joint_review import Outcome
from gateway.approvals.ports import Department, HandlingStep
from mock_services.departments.dialects import Outcome as MockOutcome
from mock_services.departments.dialects import claims_of
from mock_services.departments.roster import departments_of
from schemas.departments import OutcomeKind
from schemas.project_exchange import HandlingStatus
from tests.support.approvals import planning_claims, road_claims
from tests.support.storage import NOON

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def test_every_department_that_the_mocks_play_is_spoken_with() -> None:
    departments = discover()
    for played in departments_of("440100"):
        department = departments.of_code(played.code)
        assert department is not None
        assert set(played.permits) == set(department.permits)


@pytest.mark.parametrize(
    "code", ["planning", "planning-", "planning-x", "planning-４４０１００", "-440100", "nothing-1"]
)
def test_a_code_without_prefix_or_region_is_nobodys(code: str) -> None:
    assert discover().of_code(code) is None


@pytest.mark.parametrize("kind", list(OutcomeKind))
def test_whatever_a_department_says_is_read_as_it_was_meant(kind: OutcomeKind) -> None:
    at = datetime(2026, 3, 2, 4, 5, 6, tzinfo=UTC)
    meant = MockOutcome("o2", "prm_1", "gateway", 2, kind, at, "说明", "o1", "文号", date(2027, 1, 1))
    for played in departments_of("440100"):
        department = discover().of_code(played.code)
        assert department is not None
        assert department.read_outcome(claims_of(played, meant)) == Outcome(
            "o2", "prm_1", 2, kind, at, "o1", "说明", "文号", date(2027, 1, 1)
        )


def test_every_status_of_the_exchange_is_read() -> None:
    for status in HandlingStatus:
        said = planning.DEPARTMENT.read_outcome(planning_claims("prm_1", 3, status.value, NOON))
        assert (said.permit_id, said.sequence) == ("prm_1", 3)
        assert isinstance(said, HandlingStep) == (status in (1, 8))


def refused_check(department: Department[Any], claims: dict[str, Any]) -> str | None:
    """The check that refused, or None; any other exception is a failure."""
    try:
        department.read_outcome(claims)
    except OutcomeUnreadable as error:
        return error.check
    return None


@given(member=st.sampled_from(["spsxslbm", "xh", "blzt", "blsj", "blyj", "pfwh", "pfwjyxqx", "x_tdjg"]), value=JSON)
def test_planning_reads_or_refuses_and_never_breaks(member: str, value: object) -> None:
    assert refused_check(planning.DEPARTMENT, planning_claims("prm_1", 1, 11, NOON) | {member: value}) in (
        None,
        f"outcome.{member}",
    )


@given(member=st.sampled_from(sorted(road_claims("p", 1, "approved", NOON))), value=JSON)
def test_the_own_words_are_read_or_refused_and_never_break(member: str, value: object) -> None:
    assert refused_check(road.DEPARTMENT, road_claims("p", 1, "approved", NOON) | {member: value}) in (
        None,
        f"outcome.{member}",
    )


def test_settings_are_laid_over_a_departments_own_and_nothing_else_is_taken() -> None:
    departments = discover({"road": {"audience": "urn:province", "max_age": "P3D"}})
    road_settings, water_settings = (departments.of_code(f"{name}-1").settings for name in ("road", "water"))  # type: ignore[union-attr]
    assert (road_settings.audience, road_settings.max_age.days) == ("urn:province", 3)
    assert water_settings.audience is None
    with pytest.raises(DepartmentSettingsError, match=r"road\.audiense"):
        discover({"road": {"audiense": "urn:province"}})
    with pytest.raises(DepartmentSettingsError, match="mining"):
        discover({"mining": {}})


def test_two_files_that_claim_one_prefix_stop_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="road"):
        Departments([road.DEPARTMENT, road.DEPARTMENT])
    empty = types.ModuleType("adapters.departments.empty")
    monkeypatch.setitem(sys.modules, "adapters.departments.empty", empty)
    found = [types.SimpleNamespace(name="empty")]
    monkeypatch.setattr(package.pkgutil, "iter_modules", lambda _path: found)
    with pytest.raises(ValueError, match="empty exports no DEPARTMENT"):
        discover()
