"""Every rule that a region's own rows may change, as one immutable whole: what an application is judged by.

The tables of this package are the nation's and the province's as they were published. Rows that officers add
(``gateway/rule_rows``) make another book; nobody changes one. Whoever judges asks for the book once, and uses it for
the whole of that judgement.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256

from gateway.applications.customer_classes import ZERO_INVESTMENT_CEILINGS, CeilingRow
from gateway.applications.dated_rows import RuleTable
from gateway.applications.time_limits import (
    JOINT_REVIEW_LIMITS,
    STAGE_LIMITS,
    WHOLE_PROCESS_LIMITS,
    JointReviewLimitRow,
    StageLimitRow,
    WholeLimitRow,
)
from gateway.applications.working_days import WorkingCalendar


@dataclass(frozen=True)
class RuleBook:
    """The limits, the ceilings of 零投资 and the working calendar; as published where nothing else is given."""

    calendar: WorkingCalendar = field(default_factory=WorkingCalendar)
    stage_limits: RuleTable[StageLimitRow] = STAGE_LIMITS
    whole_limits: RuleTable[WholeLimitRow] = WHOLE_PROCESS_LIMITS
    joint_review_limits: RuleTable[JointReviewLimitRow] = JOINT_REVIEW_LIMITS
    ceilings: RuleTable[CeilingRow] = ZERO_INVESTMENT_CEILINGS

    def deadlines_basis(self) -> str:
        """A name of everything that due days of stages rest on: the same where no due day can differ."""
        rows = sorted(map(repr, self.stage_limits.rows))
        return sha256("\n".join((self.calendar.basis(), *rows)).encode()).hexdigest()[:32]


RulesNow = Callable[[], RuleBook]
"""Answers the book in force. Raises ``RulesNotAtHand`` where this process does not know it."""

PUBLISHED: RuleBook = RuleBook()


def published_rules() -> RuleBook:
    """The rules as published, without a row that anybody added."""
    return PUBLISHED
