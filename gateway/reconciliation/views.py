"""Reports as operators see them."""

from collections import Counter

from gateway.reconciliation.ports import StoredReport
from schemas.reconciliation import ReportRequest, ReportView


def report_view(report: StoredReport, *, whole: bool = False) -> ReportView:
    """``report`` in short, or ``whole`` with each difference. What is under way is no difference that remains."""
    said = ReportRequest.model_validate(report.body)
    remaining = Counter(each.kind for each in said.differences if not each.healed and each.kind != "under_way")
    return ReportView(
        utility=report.utility,
        day=report.day,
        reported_at=report.reported_at,
        agrees=report.agrees,
        differences_total=said.differences_total,
        unhealed=dict(remaining),
        differences=said.differences if whole else [],
        record_id=report.record_id,
    )
