"""What can be wrong with a question about durations."""

from dataclasses import dataclass

from gateway.errors import NotFound, Rejected


@dataclass(kw_only=True, eq=False)
class PeriodRefused(Rejected):
    """It is no month, runs backwards, or is too long."""

    kind = "oversight-period-refused"
    title = "统计期间不符合要求"


@dataclass(kw_only=True, eq=False)
class NotPublished(NotFound):
    """The month is not over for long enough, or lies before the rules. ``latest`` is the last one published."""

    kind = "performance-not-published"
    title = "该月数据尚未公布"

    latest: str
