"""How a review looks to the applicant, and to officers."""

from collections.abc import Sequence

from gateway.applications.consistency import consistency_view
from gateway.applications.review_tasks import Look, LookedAt, ReviewState, ReviewTask
from schemas.applicant_api import AccessView, IntakeView, ReviewView, UnderReview
from schemas.operator_api import ComparedValueView, ComparisonShown, InspectionView, ReviewTaskView

CONSISTENCY_REVIEW = "consistency_review"
"""The purpose for which an officer sees compared values, and the name of that access."""
CLAUSE = "第（六）条"
NEXT_STEPS = {
    ReviewState.OPEN: "无需操作：核查通过后自动送达供电企业；也可放弃并重新发起",
    ReviewState.ACCEPTED: "无需操作：申请已送达供电企业，可查看进度",
    ReviewState.REJECTED: "请按理由处理后重新发起；为本次申请取得的材料已清除",
    ReviewState.WITHDRAWN: "已放弃，为本次申请取得的材料已清除；需要时可重新发起",
    ReviewState.EXPIRED: "逾期未能核查，为本次申请取得的材料已清除，请重新发起，或拨打12345（政务服务便民热线）反映",
}


def review_path(intake_id: str) -> str:
    """Where the applicant reads how the review of an intake stands."""
    return f"/v1/intakes/{intake_id}/review"


def review_view(task: ReviewTask, looks: Sequence[Look]) -> ReviewView:
    """For the applicant: why, how it ended, and who looked."""
    return ReviewView(
        review_task_id=task.task_id,
        intake_id=task.intake_id,
        status=task.state.value,
        says=task.state.chinese_title,
        opened_at=task.opened_at,
        expires_at=task.expires_at,
        unsure=[consistency_view(finding) for finding in task.findings],
        settled_at=task.settled_at,
        reason=task.reason,
        application_id=task.application_id,
        next_step=NEXT_STEPS[task.state],
        accesses=look_views(looks),
    )


def look_views(looks: Sequence[Look]) -> list[AccessView]:
    """谁看过我的信息: each time an officer was shown what was compared."""
    return [
        AccessView(
            at=look.at,
            who=look.looked_by,
            result="done",
            document=CONSISTENCY_REVIEW,
            purpose=CONSISTENCY_REVIEW,
            fields=list(look.fields),
            clause=CLAUSE,
            record_id=look.record_id,
        )
        for look in looks
    ]


def under_review(view: IntakeView, task: ReviewTask, looks: Sequence[Look]) -> IntakeView:
    """The intake as it was found, and that an officer looks at it."""
    return view.model_copy(update={"status": "under_review", "review": review_view(task, looks)})


def opened_view(task: ReviewTask) -> UnderReview:
    """The answer to the confirmation."""
    return UnderReview(
        review_task_id=task.task_id,
        href=review_path(task.intake_id),
        expires_at=task.expires_at,
        unsure=[consistency_view(finding) for finding in task.findings],
    )


def task_view(task: ReviewTask) -> ReviewTaskView:
    """For officers: no personal data."""
    return ReviewTaskView(
        review_task_id=task.task_id,
        state=task.state.value,
        region=task.region,
        customer_class=task.customer_class,
        opened_at=task.opened_at,
        expires_at=task.expires_at,
        unsure=[consistency_view(finding) for finding in task.findings],
        settled_at=task.settled_at,
        officer=task.officer,
        reason=task.reason,
        application_id=task.application_id,
        record_id=task.record_id,
    )


def inspection_view(looked: LookedAt) -> InspectionView:
    """What an officer was shown: personal data."""
    return InspectionView(
        task=task_view(looked.task),
        shown=[
            ComparisonShown(
                comparison=finding.comparison,
                title=finding.title,
                reason=finding.reason,
                values=[
                    ComparedValueView(document=value.side.value, label=value.label, value=value.value)
                    for value in values
                ],
            )
            for finding, values in looked.shown
        ],
        unavailable=list(looked.unavailable),
        record_id=looked.record_id,
    )
