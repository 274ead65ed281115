"""Lighter modes exist by rows alone: dated, of a region, for short lines of low voltage."""

from datetime import date
from typing import Any

import pytest

from gateway.applications.dated_rows import RuleTableError
from gateway.approvals.errors import ReviewModeNotAllowed
from gateway.approvals.review_modes import ReviewModeRow, ReviewModes
from gateway.bootstrap.foundation import published_rules
from gateway.settings import Settings, SettingsError, load_settings
from schemas.departments import ConnectionLine, ReviewMode

ON = date(2026, 3, 2)
ROW: dict[str, Any] = {
    "mode": "exempt",
    "permit": "road_occupation",
    "max_voltage_v": 380,
    "max_length_m": 200,
    "clause": "某省办法第五条",
    "effective_from": "2026-01-01",
    "region": "44",
}


def line(voltage_v: int = 380, length_m: float = 200.0) -> ConnectionLine:
    return ConnectionLine(description="线路", voltage_v=voltage_v, length_m=length_m, from_point="甲", to_point="乙")


def modes(*rows: dict[str, Any]) -> ReviewModes:
    return ReviewModes(published_rules(Settings(review_modes=[ROW | row for row in rows])).modes)


def clause(
    of: ReviewModes, mode: str = "exempt", permit: str = "road_occupation", region: str = "440106", on: date = ON, **own
) -> str | None:
    try:
        return of.rule_for(ReviewMode(mode), permit, line(**own), region, on).clause
    except ReviewModeNotAllowed:
        return None


def test_without_rows_every_permit_is_reviewed_in_full_and_nothing_else() -> None:
    assert clause(ReviewModes(), "full", voltage_v=110_000, length_m=90_000) == "第（四）条"
    assert [clause(ReviewModes(), mode) for mode in ("commitment", "filing", "exempt")] == [None, None, None]


@pytest.mark.parametrize(
    ("asked", "allowed"),
    [
        ({}, True),
        ({"voltage_v": 10_000}, False),
        ({"length_m": 200.1}, False),
        ({"region": "450106"}, False),
        ({"permit": "river_works"}, False),
        ({"mode": "filing"}, False),
        ({"on": date(2025, 12, 31)}, False),
    ],
)
def test_a_row_holds_within_its_bounds_alone(asked: dict[str, Any], allowed: bool) -> None:
    assert clause(modes({}), **asked) == (ROW["clause"] if allowed else None)


def test_the_most_local_row_decides_alone_and_a_permits_own_goes_before_one_for_any() -> None:
    table = modes(
        {}, {"region": "4401", "max_length_m": 50, "clause": "市"}, {"permit": None, "clause": "通用", "region": ""}
    )
    assert clause(table, length_m=60) is None
    assert clause(table, length_m=50) == "市"
    assert clause(table, region="440300") == ROW["clause"]
    assert clause(table, permit="river_works") == "通用"


@pytest.mark.parametrize(
    "rows", [[{}, {}], [{"mode": "full"}], [{"effective_to": "2025-01-01"}], [{}, {"effective_to": "2026-06-01"}]]
)
def test_rows_that_contradict_each_other_stop_the_start(rows: list[dict[str, Any]]) -> None:
    with pytest.raises(SettingsError, match="BANDIAN_REVIEW_MODES"):
        modes(*rows)


@pytest.mark.parametrize("bounds", [{}, {"max_voltage_v": 380}, {"max_length_m": 200.0}, {"max_voltage_v": 0}])
def test_a_row_says_how_far_it_goes(bounds: dict[str, Any]) -> None:
    with pytest.raises(RuleTableError):
        ReviewModes([ReviewModeRow(ReviewMode.EXEMPT, clause="某", effective_from=ON, **bounds)])


def test_the_environment_says_it_in_json_and_a_row_without_basis_is_no_row() -> None:
    text = '[{"mode": "filing", "max_voltage_v": 380, "max_length_m": 200, "clause": "%s", "effective_from": "%s"}]'
    (row,) = load_settings({"BANDIAN_REVIEW_MODES": text % ("某条", "2026-01-01")}).review_modes
    assert (row.mode, row.permit, row.region, row.max_length_m) == (ReviewMode.FILING, None, "", 200)
    for broken in (text % ("", "2026-01-01"), text % ("某条", "2026-13-01"), "[{}]"):
        with pytest.raises(SettingsError, match="BANDIAN_REVIEW_MODES"):
            load_settings({"BANDIAN_REVIEW_MODES": broken})
