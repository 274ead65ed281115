"""What a row that officers add says, and how far it has come."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from gateway.applications.customer_classes import Area, CustomerClass
from gateway.applications.stages import Stage
from gateway.applications.time_limits import VoltageBand
from schemas.departments import ReviewMode


class ExtendableTable(StrEnum):
    """The tables that take rows. Stages, documents, disclosure and fees take none (第（六）条)."""

    STAGE_LIMIT = "stage_limit"
    WHOLE_LIMIT = "whole_limit"
    JOINT_REVIEW_LIMIT = "joint_review_limit"
    ZERO_INVESTMENT = "zero_investment"
    REVIEW_MODE = "review_mode"
    CALENDAR = "calendar"

    @property
    def chinese_title(self) -> str:
        """What officers call it."""
        return TABLE_TITLES[self]


TABLE_TITLES = {
    ExtendableTable.STAGE_LIMIT: "环节办理时限",
    ExtendableTable.WHOLE_LIMIT: "全过程办理时限",
    ExtendableTable.JOINT_REVIEW_LIMIT: "并联审批时限",
    ExtendableTable.ZERO_INVESTMENT: "“零投资”容量上限",
    ExtendableTable.REVIEW_MODE: "审批事项的办理方式",
    ExtendableTable.CALENDAR: "工作日历",
}


@dataclass(frozen=True)
class LegalBasis:
    """On what a row rests: the document's number, the clause in it, what it says there, and where it can be read."""

    document_number: str
    clause: str
    text: str
    link: str | None = None

    @property
    def cited(self) -> str:
        """Document and clause in one: what stands beside the rule wherever it is shown."""
        return self.document_number + self.clause


@dataclass(frozen=True, kw_only=True)
class RowTerms:
    """What a row says. ``region`` is a prefix of GB/T 2260 codes, empty for everywhere (the calendar alone).

    Both days are in force; ``effective_to`` None: until further notice. Which of the rest is given depends on the
    table: ``working_days`` are a limit, ``ceiling_kw`` kilowatts, the bounds volts and metres, and ``is_working_day``
    says of each day of a calendar row whether people work on it.
    """

    table: ExtendableTable
    region: str
    effective_from: date
    effective_to: date | None
    basis: LegalBasis
    customer_class: CustomerClass | None = None
    stage: Stage | None = None
    band: VoltageBand | None = None
    area: Area | None = None
    working_days: int | None = None
    ceiling_kw: int | None = None
    mode: ReviewMode | None = None
    permit: str | None = None
    max_voltage_v: int | None = None
    max_length_m: float | None = None
    is_working_day: bool | None = None


class RowStatus(StrEnum):
    """A draft counts for nothing; what is approved counts from its day on; what is withdrawn never did."""

    DRAFT = "draft"
    APPROVED = "approved"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, kw_only=True)
class ProposedEnd:
    """The last day that one person proposes for a row in force, and who did."""

    on: date
    by: str


@dataclass(frozen=True, kw_only=True)
class OperatorRow:
    """A row with its story. ``…_by`` are pseudonyms of officers; ``reason`` is why it was withdrawn."""

    row_id: str
    terms: RowTerms
    status: RowStatus
    drafted_by: str
    drafted_at: datetime
    approved_by: str | None = None
    approved_at: datetime | None = None
    withdrawn_by: str | None = None
    withdrawn_at: datetime | None = None
    reason: str | None = None
    proposed_end: ProposedEnd | None = None
    ended_by: tuple[str, str] | None = None
    """Who proposed and who approved the last day, where it was set after approval."""


def particulars(terms: RowTerms) -> dict[str, str | int | float | bool]:
    """What is particular to the table, by name; what is not given is left out."""
    names = (
        "customer_class",
        "stage",
        "band",
        "area",
        "working_days",
        "ceiling_kw",
        "mode",
        "permit",
        "max_voltage_v",
        "max_length_m",
        "is_working_day",
    )
    found = {name: getattr(terms, name) for name in names}
    return {
        name: value.value if hasattr(value, "value") else value for name, value in found.items() if value is not None
    }
