"""Which facts become a notice to the applicant: a table over what is recorded. Pure.

A fact reaches the record in the unit of work that makes it true, so a notice made from its entry is there exactly when
the fact is; and a fact that came twice was recorded once.
"""

from typing import Final

from gateway.applications.stages import STAGES
from gateway.notices.model import Notice, NoticeKind
from gateway.outages.rules import TOUCHES
from gateway.rechecks.model import ChangeKind
from gateway.rechecks.telling import CHANGED
from gateway.records.entries import RecordEntry
from schemas.departments import OutcomeKind

BY_ACTION: Final = {
    "application.submitted": NoticeKind.RECEIVED,
    "application.withdrawn": NoticeKind.WITHDRAWN,
    "application.ended": NoticeKind.ENDED,
    "stage.started": NoticeKind.STAGE_STARTED,
    "stage.completed": NoticeKind.STAGE_COMPLETED,
    "stage.paused": NoticeKind.STAGE_PAUSED,
    "stage.resumed": NoticeKind.STAGE_RESUMED,
}
"""An entry of this action says this and nothing else."""

BY_OUTCOME: Final = {
    OutcomeKind.ACCEPTED: NoticeKind.PERMIT_ACCEPTED,
    OutcomeKind.CORRECTION_REQUESTED: NoticeKind.PERMIT_WAITS_ON_YOU,
    OutcomeKind.CORRECTION_RECEIVED: NoticeKind.PERMIT_RESUMED,
    OutcomeKind.SPECIAL_PROCEDURE_STARTED: NoticeKind.PERMIT_PAUSED,
    OutcomeKind.SPECIAL_PROCEDURE_ENDED: NoticeKind.PERMIT_RESUMED,
    OutcomeKind.APPROVED: NoticeKind.PERMIT_APPROVED,
    OutcomeKind.REJECTED: NoticeKind.PERMIT_REJECTED,
    OutcomeKind.REVOKED: NoticeKind.PERMIT_REVOKED,
}
"""``outcome.received`` by what the department decided; one that stands in another's place says so instead."""

NOTHING_TO_DO: Final = frozenset({ChangeKind.NEW_VERSION, ChangeKind.REINSTATED})
"""Changes of a certificate after which the applicant need not act."""

LAST_STAGES: Final = frozenset(stages[-1].value for stages in STAGES.values())
"""With one of them the application is complete; none of them comes earlier in another class."""


def notice_of(entry: RecordEntry, record_id: str) -> Notice | None:
    """The notice that ``entry`` becomes, known by its ``record_id``; None where the applicant is told nothing."""
    kind = None if entry.result != "done" or entry.subject is None else _kind_of(entry)
    if kind is None or entry.subject is None:
        return None
    return Notice(record_id, entry.subject, kind, entry.at, _facts_of(entry))


def _kind_of(entry: RecordEntry) -> NoticeKind | None:
    if entry.action == "outcome.received":
        superseding = entry.facts.get("supersedes") is not None
        return (
            NoticeKind.PERMIT_SUPERSEDED if superseding else BY_OUTCOME[OutcomeKind(str(entry.facts["outcome_kind"]))]
        )
    if entry.action == TOUCHES:
        return NoticeKind(f"outage_{entry.facts['tells']}")
    if entry.action == CHANGED:
        return None if entry.facts["change"] in NOTHING_TO_DO else NoticeKind.CERTIFICATE_CHANGED
    if entry.action == "stage.completed" and entry.facts.get("stage") in LAST_STAGES:
        return NoticeKind.COMPLETED
    return BY_ACTION.get(entry.action)


def _facts_of(entry: RecordEntry) -> dict[str, str]:
    """Codes alone: a stage, a department. Which certificate changed is told on the page, to its owner only."""
    if entry.action == "outcome.received":
        return {"department": entry.actor, "outcome": str(entry.facts["outcome_kind"])}
    if entry.action == TOUCHES:
        times = {name: entry.facts[name] for name in ("begins_at", "expected_end_at")}
        return {name: str(at) for name, at in times.items() if at is not None}
    stage = entry.facts.get("stage") if entry.action.startswith("stage.") else None
    return {"stage": str(stage)} if stage is not None else {}
