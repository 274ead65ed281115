"""A rating, its reasons, and when a bad one is to be answered. Pure."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from gateway.applications.lifecycle import Lifecycle
from gateway.applications.working_days import WorkingCalendar, end_of_day
from gateway.clock import date_in_china
from gateway.errors import Owner
from gateway.ratings.errors import RatingMalformed, RatingNotOpen
from gateway.wording.phrases import Phrase
from schemas.ratings import RatingLevel, RatingTag

LEVELS: Final = {
    RatingLevel.VERY_SATISFIED: "非常满意",
    RatingLevel.SATISFIED: "满意",
    RatingLevel.BASICALLY_SATISFIED: "基本满意",
    RatingLevel.DISSATISFIED: "不满意",
    RatingLevel.VERY_DISSATISFIED: "非常不满意",
}
TAGS: Final = {
    RatingTag.QUICK: "办得快",
    RatingTag.CLEAR: "说得清楚",
    RatingTag.KIND: "态度好",
    RatingTag.NO_ERRANDS: "一次都没跑",
    RatingTag.SLOW: "办得慢",
    RatingTag.EXTRA_DOCUMENTS: "多要了材料",
    RatingTag.UNCLEAR: "没说清楚",
    RatingTag.UNKIND: "态度不好",
    RatingTag.REPEATED_ERRANDS: "多次往返",
    RatingTag.FEES: "收费有疑问",
}
GOOD: Final = frozenset({RatingTag.QUICK, RatingTag.CLEAR, RatingTag.KIND, RatingTag.NO_ERRANDS})
BAD_LEVELS: Final = frozenset({RatingLevel.DISSATISFIED, RatingLevel.VERY_DISSATISFIED})
_UPPER: Final = frozenset({RatingLevel.VERY_SATISFIED, RatingLevel.SATISFIED})


@dataclass(frozen=True, slots=True)
class RatingRules:
    """How many calendar days after its end a service may be rated, and working days until a bad rating is answered."""

    open_days: int
    answer_working_days: int


@dataclass(frozen=True)
class Rating:
    """What an applicant said; ``text`` and ``answer`` are None also once they were erased."""

    application_id: str
    utility: str
    region: str
    level: RatingLevel
    tags: tuple[RatingTag, ...]
    rated_at: datetime
    record_id: str
    text: str | None = field(default=None, repr=False)
    answer_by: datetime | None = None
    answer: str | None = field(default=None, repr=False)
    answered_at: datetime | None = None
    answered_by: str | None = None

    def overdue_at(self, now: datetime) -> bool:
        """Whether a bad rating waits for its answer longer than it should."""
        return self.answer_by is not None and self.answered_at is None and now > self.answer_by


def require_tags(level: RatingLevel, tags: Collection[RatingTag]) -> None:
    """Praise goes with no bad level, blame with no good one, none is named twice. Raises ``RatingMalformed``."""
    refused = (set(tags) & GOOD) if level in BAD_LEVELS else (set(tags) - GOOD) if level in _UPPER else set()
    if refused or len(set(tags)) != len(tags):
        raise RatingMalformed(check="rating.tags", owner=Owner.APPLICANT, remedy="请选择与评价等级相符的理由，每项一次")


def require_rateable(lifecycle: Lifecycle, rules: RatingRules, now: datetime) -> None:
    """Raises ``RatingNotOpen`` before the service has ended, and when that is too long ago."""
    ended = lifecycle.closed_at
    if ended is None:
        raise RatingNotOpen(check="rating.not_ended", owner=Owner.APPLICANT, remedy="服务结束后即可评价")
    if now > ended + timedelta(days=rules.open_days):
        raise RatingNotOpen(
            check="rating.over",
            owner=Owner.APPLICANT,
            remedy=Phrase("服务结束已过 {days} 天，不能再评价；有意见请拨打 95598 或 12398", days=rules.open_days),
        )


def answer_by(level: RatingLevel, calendar: WorkingCalendar, rules: RatingRules, now: datetime) -> datetime | None:
    """The end of the last working day on which a bad rating is to be answered; None for any other."""
    if level not in BAD_LEVELS:
        return None
    return end_of_day(calendar.add_working_days(date_in_china(now), rules.answer_working_days).due_on)
