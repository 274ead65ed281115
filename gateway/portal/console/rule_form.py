"""The form of a rule row, read: what it says, or what is missing, field by field."""

from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any, Final
from urllib.parse import urlsplit

from gateway.applications.customer_classes import Area, CustomerClass
from gateway.applications.stages import Stage
from gateway.applications.time_limits import VoltageBand
from gateway.portal.console.rule_words import FIELDS
from gateway.portal.forms import Form
from gateway.rule_rows.errors import RuleRowRefused
from gateway.rule_rows.model import ExtendableTable, LegalBasis, RowTerms
from gateway.rule_rows.tables import region_prefix
from schemas.departments import ReviewMode

_ENUMS: Final[dict[str, type[StrEnum]]] = {
    "customer_class": CustomerClass,
    "stage": Stage,
    "band": VoltageBand,
    "area": Area,
    "mode": ReviewMode,
}
_NUMBERS: Final = ("working_days", "ceiling_kw", "max_voltage_v", "max_length_m")
_LONGEST: Final = {"document_number": 100, "clause": 60, "basis_text": 1000, "basis_link": 500, "permit": 64}
_FIELD_OF: Final = {
    "begins_too_early": "effective_from",
    "dates": "effective_to",
    "basis": "document_number",
    "bounds": "max_voltage_v",
    "loosens": "working_days",
    "local_row_worse": "region",
    "overlaps": "effective_from",
}


@dataclass
class RowForm:
    """``terms`` is None where something is missing; ``told`` is what was typed."""

    table: ExtendableTable | None
    told: dict[str, str]
    errors: list[tuple[str, str]] = field(default_factory=list)
    terms: RowTerms | None = None

    def field_of(self, refusal: RuleRowRefused) -> str:
        """The field that a refused row is mended at."""
        check = refusal.check.rpartition(".")[2]
        own = FIELDS[self.table] if self.table else ()
        wanted = {"subject": own[0] if own else "table"}.get(check) or _FIELD_OF.get(check, check)
        return "ceiling_kw" if wanted == "working_days" and "ceiling_kw" in own else wanted


def read_form(form: Form) -> RowForm:
    """What was sent. Raises ``FormMalformed``."""
    table = form.text("table")
    if table not in set(ExtendableTable):
        return RowForm(None, {}, [("table", "请选择要添加到哪个规则表")])
    own = FIELDS[ExtendableTable(table)]
    names = ("region", "effective_from", "effective_to", "document_number", "clause", "basis_text", "basis_link", *own)
    read = RowForm(ExtendableTable(table), {name: form.text(name) for name in names})
    particulars = {name: _particular(name, read) for name in own}
    begins, ends = _day("effective_from", read, "请填写起始日"), _day("effective_to", read)
    _check_texts(read)
    if not read.errors and begins is not None:
        basis = LegalBasis(
            read.told["document_number"], read.told["clause"], read.told["basis_text"], read.told["basis_link"] or None
        )
        read.terms = RowTerms(
            table=ExtendableTable(table),
            region=region_prefix(read.told["region"]),
            effective_from=begins,
            effective_to=ends,
            basis=basis,
            **particulars,
        )
    return read


def _particular(name: str, read: RowForm) -> Any:
    text = read.told[name]
    if name in _NUMBERS:
        if text.isascii() and text.isdigit() and len(text) <= 7:
            return float(text) if name == "max_length_m" else int(text)
        read.errors.append((name, "请填写整数"))
        return None
    if name == "permit":
        return text or None
    if name == "is_working_day":
        if text not in ("yes", "no"):
            read.errors.append((name, "请选择一项"))
        return text == "yes"
    if text not in set(_ENUMS[name]):
        read.errors.append((name, "请选择一项"))
        return None
    return _ENUMS[name](text)


def _day(name: str, read: RowForm, missing: str = "") -> date | None:
    text = read.told[name]
    if not text and not missing:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        read.errors.append((name, missing or "请填写日期，例如 2026-12-01"))
        return None


def _check_texts(read: RowForm) -> None:
    for name, longest in _LONGEST.items():
        if len(read.told.get(name, "")) > longest:
            read.errors.append((name, "内容过长，请缩短后再试"))
    for name, says in (
        ("document_number", "请写明文号"),
        ("clause", "请写明条款"),
        ("basis_text", "请写明条款原文或摘要"),
    ):
        if not read.told[name]:
            read.errors.append((name, says))
    link = read.told["basis_link"]
    if link and (urlsplit(link).scheme != "https" or not urlsplit(link).hostname):
        read.errors.append(("basis_link", "请填写以 https:// 开头的网址"))
