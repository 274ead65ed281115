"""What is typed becomes a demand, or a sentence beside the field; never anything else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.portal.applicant.demand_form import FAULTS, FIELDS, counties, empty, read
from gateway.portal.forms import Form
from schemas.identity import ApplicantKind
from schemas.regions import COUNTIES

RESIDENT, ENTERPRISE = ApplicantKind.RESIDENT, ApplicantKind.ENTERPRISE
HOME = {"region": "440106", "voltage": "220", "capacity_kw": "8", "purpose": "住宅用电", "area": "urban"}


def form(**values: str) -> Form:
    return Form({name: [value] for name, value in values.items()}, "/apply/demand")


@pytest.mark.parametrize(
    ("typed", "kilowatts"), [("8", 8), ("８", 8), ("1,250", 1250), ("1，250.5", 1250.5), ("1e3", 1000)]
)
def test_a_home(typed: str, kilowatts: float) -> None:
    filled = read(form(**HOME | {"capacity_kw": typed}), RESIDENT)
    assert filled.errors == []
    assert filled.demand is not None
    assert (filled.demand.region, filled.demand.voltage_v, filled.demand.capacity_kw) == ("440106", 220, kilowatts)
    assert (filled.demand.address, filled.demand.small_and_micro) == (None, None)


@pytest.mark.parametrize(
    ("typed", "fields"),
    [
        ({"region": ""}, ["region"]),
        ({"region": "999999"}, ["region"]),
        ({"capacity_kw": "viele"}, ["capacity_kw"]),
        ({"capacity_kw": "nan"}, ["capacity_kw"]),
        ({"capacity_kw": "-1"}, ["capacity_kw"]),
        ({"purpose": ""}, ["purpose"]),
        ({"purpose": "x" * 201}, ["purpose"]),
        ({"voltage": "10000"}, ["voltage"]),
        ({"voltage": "", "area": "sea"}, ["area", "voltage"]),
        ({"address": "a\x00b"}, ["address"]),
    ],
)
def test_a_fault_stands_beside_its_field_and_what_was_typed_is_kept(typed: dict[str, str], fields: list[str]) -> None:
    filled = read(form(**HOME | typed), RESIDENT)
    assert filled.demand is None
    assert [name for name, _ in filled.errors] == fields
    assert all(filled.values[name] == value for name, value in typed.items())


@pytest.mark.parametrize(
    ("kilovolts", "volts"), [("20", 20_000), ("110", 110_000), ("0.4", 400), ("", None), ("x", None)]
)
def test_another_voltage_is_typed_in_kilovolts(kilovolts: str, volts: int | None) -> None:
    filled = read(form(**HOME | {"voltage": "other", "other_kv": kilovolts, "small_and_micro": "yes"}), ENTERPRISE)
    assert (filled.demand.voltage_v if filled.demand else None) == volts
    assert [name for name, _ in filled.errors] == ([] if volts else ["other_kv"])


def test_every_county_can_be_chosen_once() -> None:
    assert [code for _, own in counties() for code, _ in own] == list(COUNTIES)
    assert len({city for city, _ in counties()}) == len(counties())


@given(st.dictionaries(st.sampled_from(FIELDS), st.text(max_size=220)), st.sampled_from([RESIDENT, ENTERPRISE]))
def test_whatever_is_typed_is_a_demand_or_has_errors(values: dict[str, str], kind: ApplicantKind) -> None:
    filled = read(form(**values), kind)
    assert (filled.demand is None) == bool(filled.errors)
    assert all(FAULTS[name] == says for name, says in filled.errors)
    assert set(filled.values) == set(empty(kind))
