"""What can be wrong with a question about a day."""

from dataclasses import dataclass

from gateway.errors import NotFound, Rejected


@dataclass(kw_only=True, eq=False)
class DaysRefused(Rejected):
    """The days asked for are too many, run backwards, or are still to come. ``most_days`` fit into one answer."""

    kind = "reconciliation-days-refused"
    title = "对账日期不符合要求"

    most_days: int


class ReportUnknown(NotFound):
    """The utility has not reported on that day."""

    kind = "reconciliation-report-unknown"
    title = "没有这一天的对账报告"
