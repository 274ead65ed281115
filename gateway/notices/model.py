"""A notice: what happened, in codes alone. Words are found when it is shown or sent."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class NoticeKind(StrEnum):
    """What an applicant is told."""

    RECEIVED = "received"
    STAGE_STARTED = "stage_started"
    STAGE_COMPLETED = "stage_completed"
    STAGE_PAUSED = "stage_paused"
    STAGE_RESUMED = "stage_resumed"
    PERMIT_ACCEPTED = "permit_accepted"
    PERMIT_WAITS_ON_YOU = "permit_waits_on_you"
    PERMIT_PAUSED = "permit_paused"
    PERMIT_RESUMED = "permit_resumed"
    PERMIT_APPROVED = "permit_approved"
    PERMIT_REJECTED = "permit_rejected"
    PERMIT_REVOKED = "permit_revoked"
    PERMIT_SUPERSEDED = "permit_superseded"
    CERTIFICATE_CHANGED = "certificate_changed"
    DEADLINE_NEAR = "deadline_near"
    OVERDUE = "overdue"
    COMPLETED = "completed"
    WITHDRAWN = "withdrawn"
    ENDED = "ended"
    OUTAGE_PLANNED = "outage_planned"
    OUTAGE_FAULT = "outage_fault"
    OUTAGE_PROGRESS = "outage_progress"
    OUTAGE_RESTORED = "outage_restored"
    OUTAGE_CANCELLED = "outage_cancelled"


@dataclass(frozen=True)
class Notice:
    """One notice of ``application_id``. ``key`` names its fact: what has a notice already gets no second one.

    ``at`` is when the gateway heard of the fact (aware). ``facts`` are codes and times (``stage``, ``due_on``), never
    anything about a person.
    """

    key: str
    application_id: str
    kind: NoticeKind
    at: datetime
    facts: Mapping[str, str] = field(default_factory=dict)
