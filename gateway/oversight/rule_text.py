"""What rows of rules are about, in parts that every catalogue can say."""

from typing import Final

from gateway.applications.customer_classes import CeilingRow
from gateway.applications.dated_rows import DatedRow
from gateway.applications.time_limits import JointReviewLimitRow, StageLimitRow, WholeLimitRow
from gateway.approvals.review_modes import ReviewModeRow
from gateway.oversight.public_rules import AREA_TITLES, BAND_TITLES
from gateway.rule_rows.preview import MODE_TITLES
from gateway.rule_rows.tables import CalendarRow

ANY_PERMIT: Final = "全部审批事项"
EVERYWHERE: Final = "各地"


def matter(row: DatedRow) -> list[str]:
    """What a row is about, in parts."""
    match row:
        case StageLimitRow():
            return [row.customer_class.chinese_title, row.stage.chinese_title]
        case WholeLimitRow():
            return [row.customer_class.chinese_title]
        case JointReviewLimitRow():
            return [BAND_TITLES[row.band]]
        case CeilingRow():
            return [AREA_TITLES[row.area]]
        case ReviewModeRow():
            return [MODE_TITLES[row.mode], row.permit or ANY_PERMIT]
        case CalendarRow():
            return [EVERYWHERE]
    return []
