"""What the console calls rules: tables, matters, values and steps. Each part is a sentence that the catalogue says."""

from typing import Final

from gateway.applications.customer_classes import CustomerClass
from gateway.applications.stages import STAGE_TITLES
from gateway.oversight.public_rules import AREA_TITLES, BAND_TITLES
from gateway.oversight.rule_text import matter
from gateway.rule_rows.model import TABLE_TITLES, ExtendableTable, RowStatus, RowTerms
from gateway.rule_rows.preview import MODE_TITLES
from gateway.rule_rows.steps import RowStep
from gateway.rule_rows.tables import dated_row

STATUS: Final = {
    RowStatus.DRAFT: ("waiting", "待批准"),
    RowStatus.APPROVED: ("done", "已批准"),
    RowStatus.WITHDRAWN: ("todo", "已撤回"),
}
STEPS: Final = {
    RowStep.APPROVE: "批准本行",
    RowStep.WITHDRAW: "撤回本行",
    RowStep.PROPOSE_END: "提出截止日",
    RowStep.APPROVE_END: "批准截止日",
    RowStep.DROP_END: "放弃截止日",
}
CHOICES: Final = {
    "customer_class": [(each.value, each.chinese_title) for each in CustomerClass],
    "stage": [(each.value, title) for each, title in STAGE_TITLES.items()],
    "band": [(each.value, title) for each, title in BAND_TITLES.items()],
    "area": [(each.value, title) for each, title in AREA_TITLES.items()],
    "mode": [(each.value, title) for each, title in MODE_TITLES.items() if each.value != "full"],
    "is_working_day": [("yes", "工作日"), ("no", "休息日")],
}
TABLES: Final = [(each.value, title) for each, title in TABLE_TITLES.items()]
FIELDS: Final = {
    ExtendableTable.STAGE_LIMIT: ("customer_class", "stage", "working_days"),
    ExtendableTable.WHOLE_LIMIT: ("customer_class", "working_days"),
    ExtendableTable.JOINT_REVIEW_LIMIT: ("band", "working_days"),
    ExtendableTable.ZERO_INVESTMENT: ("area", "ceiling_kw"),
    ExtendableTable.REVIEW_MODE: ("mode", "permit", "max_voltage_v", "max_length_m"),
    ExtendableTable.CALENDAR: ("is_working_day",),
}
"""What a form asks for, beside region, days and basis."""


def matter_of(terms: RowTerms) -> list[str]:
    """What terms are about, in parts."""
    return matter(dated_row(terms))
