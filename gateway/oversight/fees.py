"""What a connection may cost the applicant (第（十）条), as dated rows per customer class.

The regulation fixes a principle and no prices: the list of charges (收费项目目录清单) is the utility's own to publish
(第（十三）条), and the page says so.
"""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from gateway.applications.customer_classes import CustomerClass
from gateway.applications.dated_rows import DatedRow, RuleTable

CLAUSE = "第（十）条"
FROM = date(2020, 12, 31)
ZERO_INVESTMENT = "办电“零投资”：计量装置及以上工程由供电企业投资建设，不向用户收取费用。"
LISTED_CHARGES = "按供电企业公布的收费项目目录清单收取；供电企业不得以任何名义直接或通过关联企业向用户收取不合理费用。"


class FeePrinciple(StrEnum):
    """Who pays for the works up to and with the meter."""

    ZERO_INVESTMENT = "zero_investment"
    LISTED_CHARGES = "listed_charges"


@dataclass(frozen=True)
class FeeRow(DatedRow):
    """The principle for one class; ``says`` is the sentence for people."""

    customer_class: CustomerClass
    principle: FeePrinciple
    says: str


def _row(customer_class: CustomerClass, principle: FeePrinciple, says: str) -> FeeRow:
    return FeeRow(customer_class, principle, says, clause=CLAUSE, effective_from=FROM)


FEES = RuleTable(
    "fees",
    [
        *(
            _row(each, FeePrinciple.ZERO_INVESTMENT, ZERO_INVESTMENT)
            for each in (CustomerClass.RESIDENTIAL, CustomerClass.LV_ZERO)
        ),
        *(
            _row(each, FeePrinciple.LISTED_CHARGES, LISTED_CHARGES)
            for each in (CustomerClass.LV_ORDINARY, CustomerClass.HV_SINGLE, CustomerClass.HV_DUAL)
        ),
    ],
    key=lambda row: row.customer_class,
    # 第（九）条: what was free of investment stays so.
    may_narrow=lambda broad, local: (
        broad.principle is not FeePrinciple.ZERO_INVESTMENT or local.principle is broad.principle
    ),
)
