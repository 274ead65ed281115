"""The V3 exchange's words and ours: the mapping is total, times are China's clock."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.departments import OutcomeKind
from schemas.project_exchange import OUTCOME_OF_STATUS, STATUS_OF_OUTCOME, HandlingStatus, ProjectApprovalResult

RESULT = {
    "iss": "planning-440100",
    "aud": "https://gateway.example",
    "jti": "o-1",
    "iat": 1_795_413_909,
    "spsxslbm": "permit-1",
    "xh": 1,
    "blzt": 11,
    "blsj": "2026-11-23 14:05:09",
}


def test_every_outcome_has_a_status_and_comes_back_from_it() -> None:
    assert set(STATUS_OF_OUTCOME) == set(OutcomeKind)
    assert all(OUTCOME_OF_STATUS[STATUS_OF_OUTCOME[kind]] is kind for kind in OutcomeKind)


def test_every_status_has_its_line() -> None:
    assert set(OUTCOME_OF_STATUS) == set(HandlingStatus)
    steps = {status for status, kind in OUTCOME_OF_STATUS.items() if kind is None}
    assert steps == {HandlingStatus.RECEIVED, HandlingStatus.DEPARTMENT_STARTED}
    assert OUTCOME_OF_STATUS[HandlingStatus(4)] is OutcomeKind.REJECTED


def test_local_extensions_are_told_by_their_number_and_name() -> None:
    for status in HandlingStatus:
        assert status.name.startswith("X_") == (status >= 901)


def test_handling_time_is_chinas_clock() -> None:
    result = ProjectApprovalResult.model_validate(RESULT)
    assert result.blsj == datetime(2026, 11, 23, 6, 5, 9, tzinfo=UTC)
    assert result.model_dump(mode="json", exclude_none=True) == RESULT


@pytest.mark.parametrize("changes", [{"blzt": 2}, {"blzt": 999}, {"xh": 0}, {"blsj": "2026-11-23T14:05:09"}])
def test_what_the_exchange_does_not_know_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ProjectApprovalResult.model_validate({**RESULT, **changes})


@given(st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1)))  # noqa: DTZ001 - made aware below
def test_a_time_written_and_read_is_the_same_second(at: datetime) -> None:
    aware = at.replace(tzinfo=UTC, microsecond=0)
    written = ProjectApprovalResult.model_validate({**RESULT, "blsj": aware}).model_dump(mode="json")
    assert ProjectApprovalResult.model_validate(written).blsj == aware
