"""How applications look on the wire."""

from gateway.applications.customer_classes import ClassDerivation
from gateway.applications.deadlines import StageDeadline, WholeDeadline
from gateway.applications.lifecycle import Lifecycle
from schemas import applicant_api, partner_api


def stage_view(deadline: StageDeadline, lifecycle: Lifecycle) -> partner_api.StageView:
    """One stage with its limit; its flags are those of all its steps."""
    progress, clock = deadline.progress, deadline.clock
    flags = {flag.value for step in lifecycle.steps if step.stage is progress.stage for flag in step.flags}
    return partner_api.StageView(
        stage=progress.stage.value,
        title=progress.stage.chinese_title,
        state=progress.status.value,
        started_at=progress.started_at,
        completed_at=progress.ended_at,
        deadline=partner_api.StageDeadline(
            limit_working_days=deadline.limit.working_days,
            used_working_days=clock.used_working_days if clock else None,
            clause=deadline.limit.clause,
            due_at=clock.due_at if clock else None,
            provisional=clock.provisional if clock else False,
            overdue=clock.over if clock else False,
        ),
        flags=sorted(flags),
        pauses=[
            partner_api.PauseView(from_at=pause.from_at, until_at=pause.until_at, reason=pause.reason)
            for pause in progress.pauses
        ],
    )


def whole_view(whole: WholeDeadline) -> partner_api.StageDeadline:
    """The limit of the whole; without a single due day where the stages' own days are summed."""
    return partner_api.StageDeadline(
        limit_working_days=whole.limit.working_days,
        used_working_days=whole.used_working_days,
        clause=whole.limit.clause,
        due_at=whole.clock.due_at if whole.clock else None,
        provisional=whole.provisional,
        overdue=whole.over,
    )


def class_view(derivation: ClassDerivation) -> applicant_api.ClassView:
    """The class, why, and by which clause."""
    return applicant_api.ClassView(
        customer_class=derivation.customer_class.value,
        title=derivation.customer_class.chinese_title,
        reason=derivation.reason,
        clause=derivation.clause,
    )
