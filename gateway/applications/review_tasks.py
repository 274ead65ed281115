"""核查任务: a confirmed intake whose certificates do not plainly agree waits for an officer. Values only.

A task holds no personal data: which comparisons were unsure and why, never what was compared.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from gateway.applications.reconciliation.finding import ChosenFinding, ComparedValue, Finding, Outcome, Side

REVIEW_LIVES = timedelta(days=15)
"""How long a confirmed intake waits for an officer; then it expires like any other, and the applicant is told."""


class ReviewState(StrEnum):
    """Where a task stands. All but ``open`` are final; ``withdrawn`` is the applicant's own doing."""

    OPEN = "open"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"

    @property
    def chinese_title(self) -> str:
        """The state as people read it."""
        return _TITLES[self]


_TITLES = {
    ReviewState.OPEN: "待核查",
    ReviewState.ACCEPTED: "核查通过",
    ReviewState.REJECTED: "核查未通过",
    ReviewState.WITHDRAWN: "申请人已放弃",
    ReviewState.EXPIRED: "逾期未核查",
}


@dataclass(frozen=True)
class ReviewTask:
    """One task. ``findings`` are the unsure ones; ``officer`` is the person who settled it, ``settled_by`` the caller.

    ``record_id`` is the entry of its opening. ``application_id`` is there once it was accepted.
    """

    task_id: str
    intake_id: str
    holder_digest: str
    region: str
    customer_class: str
    opened_at: datetime
    expires_at: datetime
    findings: tuple[Finding, ...]
    record_id: str
    state: ReviewState = ReviewState.OPEN
    settled_at: datetime | None = None
    officer: str | None = None
    settled_by: str | None = None
    reason: str | None = None
    application_id: str | None = None


@dataclass(frozen=True)
class Settlement:
    """How a task ends. ``reason`` is told to the applicant."""

    state: ReviewState
    at: datetime
    officer: str | None = None
    settled_by: str | None = None
    reason: str | None = None
    application_id: str | None = None


@dataclass(frozen=True)
class Look:
    """An officer was shown compared values; the applicant sees it. ``fields`` are the names of what was shown."""

    task_id: str
    officer: str
    looked_by: str
    at: datetime
    fields: tuple[str, ...]
    record_id: str


@dataclass(frozen=True)
class LookedAt:
    """What an officer was shown, per finding, and the entry that says so."""

    task: ReviewTask
    shown: tuple[tuple[Finding, tuple[ComparedValue, ...]], ...]
    unavailable: tuple[str, ...]
    record_id: str


def finding_to_json(finding: Finding) -> dict[str, Any]:
    """For storage; ``finding_from_json`` reads it."""
    stored = {name: getattr(finding, name) for name in Finding.__slots__}
    return {**stored, "sides": list(finding.sides), "notes": list(finding.notes)}


def finding_from_json(stored: Mapping[str, Any]) -> Finding:
    """What ``finding_to_json`` wrote."""
    one, other = stored["sides"]
    return Finding(
        **{
            **stored,
            "outcome": Outcome(stored["outcome"]),
            "sides": (Side(one), Side(other)),
            "notes": tuple(stored["notes"]),
        }
    )


def chosen_to_json(chosen: ChosenFinding) -> dict[str, Any]:
    """For storage; ``chosen_from_json`` reads it."""
    return {"finding": finding_to_json(chosen.finding), "choices": dict(chosen.choices)}


def chosen_from_json(stored: Mapping[str, Any]) -> ChosenFinding:
    """What ``chosen_to_json`` wrote."""
    return ChosenFinding(finding_from_json(stored["finding"]), dict(stored["choices"]))
