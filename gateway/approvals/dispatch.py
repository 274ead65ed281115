"""What leaves with a review: the departments' requests, and the events that tell the utility how it changed."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from gateway.applications.rule_book import RulesNow
from gateway.approvals.deadlines import review_deadlines
from gateway.approvals.departments import Departments
from gateway.approvals.joint_review import Permit
from gateway.approvals.permit_states import review_status
from gateway.approvals.ports import KeptReview
from gateway.approvals.review_requests import GatewayNames, RequestWriter
from gateway.approvals.views import permit_summaries
from gateway.delivery.ports import ChannelKind, EventDraft, Outbox
from gateway.ids import MakeId
from schemas.events import EventType, ReviewChanged, ReviewOpened

Change = Literal["permits_added", "commitment_given"]


class Dispatch:
    """Writes to the outbox of the caller's unit of work."""

    def __init__(self, departments: Departments, rules: RulesNow, names: GatewayNames, make_id: MakeId) -> None:
        self._requests = RequestWriter(departments, names, make_id)
        self._rules = rules
        self._make_id = make_id

    def opened(self, outbox: Outbox, kept: KeptReview, at: datetime) -> None:
        """Every department is asked, and the utility told that the review is open."""
        self._send(outbox, kept, kept.review.permits, None, at)

    def changed(
        self, outbox: Outbox, kept: KeptReview, permits: Sequence[Permit], change: Change, at: datetime
    ) -> None:
        """The departments of ``permits`` are asked, and the utility told what changed."""
        self._send(outbox, kept, permits, change, at)

    def _send(
        self, outbox: Outbox, kept: KeptReview, permits: Sequence[Permit], change: Change | None, at: datetime
    ) -> None:
        deadlines = review_deadlines(kept.review, self._rules(), at)
        for draft in self._requests.drafts(kept, permits, deadlines, at):
            outbox.append(draft)
        data = ReviewOpened(
            review_id=kept.review.review_id,
            application_id=kept.application_id,
            permits=permit_summaries(kept.review, deadlines),
        )
        if change is not None:
            data = ReviewChanged(**data.__dict__, change=change, review_state=review_status(kept.review).value)
        outbox.append(
            EventDraft(
                self._make_id("evt"),
                kept.utility,
                ChannelKind.WEBHOOK,
                (EventType.REVIEW_OPENED if change is None else EventType.REVIEW_CHANGED).value,
                kept.application_id,
                at,
                data.model_dump(mode="json"),
            )
        )
