"""What somebody asks for, as a form says it: read field by field, each fault beside its field."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final

from pydantic import ValidationError

from gateway.portal.forms import Form
from schemas.applicant_api import DemandRequest
from schemas.identity import ApplicantKind
from schemas.regions import COUNTIES, REGION_NAMES

FIELDS: Final = (
    "region",
    "address",
    "area",
    "voltage",
    "other_kv",
    "capacity_kw",
    "source_count",
    "purpose",
    "small_and_micro",
)
VOLTAGES: Final[Mapping[ApplicantKind, tuple[str, ...]]] = {
    ApplicantKind.RESIDENT: ("220", "380"),
    ApplicantKind.ENTERPRISE: ("220", "380", "10000", "other"),
}
FAULTS: Final = {
    "region": "请选择用电地址所在的区县",
    "address": "用电地址请在200字以内，且不换行",
    "area": "请选择城市地区或农村地区",
    "voltage": "请选择供电电压",
    "other_kv": "请填写供电电压，例如 20（千伏）",
    "capacity_kw": "请填写需要多少千瓦，例如 8",
    "source_count": "请选择一路或两路电源",
    "purpose": "请用一句话说明用途，200字以内",
    "small_and_micro": "请选择是、否或不清楚",
}
_SMALL: Final = {"yes": True, "no": False, "unknown": None}
_FIELD_OF: Final = {"voltage_v": "voltage"}


@dataclass(frozen=True)
class Filled:
    """What was typed, and – where it is sound – what it asks for. ``errors``: (field, sentence)."""

    values: Mapping[str, str] = field(repr=False)
    errors: list[tuple[str, str]]
    demand: DemandRequest | None = field(default=None, repr=False)


def empty(kind: ApplicantKind) -> dict[str, str]:
    """The form as it is first shown."""
    resident = kind is ApplicantKind.RESIDENT
    preset = {"area": "urban", "source_count": "1", "small_and_micro": "unknown"}
    if resident:
        preset |= {"voltage": "220"}
    return dict.fromkeys(FIELDS, "") | preset


def read(form: Form, kind: ApplicantKind) -> Filled:
    """The form of somebody of ``kind``. Raises ``FormMalformed`` for what no form of ours sends."""
    values = empty(kind) | {name: form.text(name) for name in FIELDS if name in form.values}
    faults: set[str] = set()
    volts = _volts(values, kind, faults)
    asked = {
        "region": values["region"],
        "voltage_v": volts,
        "capacity_kw": _number(values["capacity_kw"]),
        "source_count": int(values["source_count"]) if values["source_count"] in ("1", "2") else None,
        "area": values["area"],
        "purpose": values["purpose"],
        "small_and_micro": None if kind is ApplicantKind.RESIDENT else _SMALL.get(values["small_and_micro"]),
        "address": values["address"] or None,
    }
    if values["small_and_micro"] not in _SMALL:
        faults.add("small_and_micro")
    if values["region"] not in REGION_NAMES:
        faults.add("region")
    try:
        demand = DemandRequest.model_validate(asked)
    except ValidationError as error:
        found = {str(each["loc"][0]) for each in error.errors(include_input=False, include_context=False)}
        faults |= {_FIELD_OF.get(name, name) for name in found if not (name == "voltage_v" and "other_kv" in faults)}
        demand = None
    errors: list[tuple[str, str]] = [(name, FAULTS[name]) for name in FIELDS if name in faults]
    return Filled(values, errors, None if errors else demand)


def _volts(values: Mapping[str, str], kind: ApplicantKind, faults: set[str]) -> int | None:
    chosen = values["voltage"]
    if chosen not in VOLTAGES[kind]:
        return None
    if chosen != "other":
        return int(chosen)
    kilovolts = _number(values["other_kv"])
    if kilovolts is None or not 0 < kilovolts <= 1000:
        faults.add("other_kv")
        return None
    return round(kilovolts * 1000)


def _number(typed: str) -> float | None:
    """A number as people type it (``1,250``, ``８``); None for what is none."""
    try:
        number = float(typed.replace(",", "").replace("，", ""))
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def counties() -> list[tuple[str, list[tuple[str, str]]]]:
    """For a list to choose from: each city with its counties (code, name)."""
    return [
        (REGION_NAMES[city + "00"], [(code, REGION_NAMES[code]) for code in codes])
        for city, codes in groupby(COUNTIES, key=lambda code: code[:4])
    ]
