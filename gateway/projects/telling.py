"""A lead's move becomes an event for its utility and a record entry. Pure; neither names a person."""

from datetime import datetime

from gateway.delivery.ports import ChannelKind, EventDraft
from gateway.projects.rules import Move, Step
from gateway.records.entries import Fact, RecordEntry
from schemas.events import EventType
from schemas.leads import LeadOffered, LeadRetracted


def event_of(event_id: str, step: Step, at: datetime) -> EventDraft:
    """What the utility is told; events of a lead reach it in their order."""
    lead = step.lead
    if step.move is Move.RETRACTED:
        assert lead.retraction is not None
        assert lead.retracted_at is not None
        data: LeadOffered | LeadRetracted = LeadRetracted(
            lead_id=lead.lead_id, version=lead.version, reason=lead.retraction, retracted_at=lead.retracted_at
        )
        kind = EventType.LEAD_RETRACTED
    else:
        data = LeadOffered(
            lead_id=lead.lead_id,
            version=lead.version,
            platform=lead.platform,
            project_version=lead.project_version,
            offered_at=lead.offered_at,
            project=lead.project,
        )
        kind = EventType.LEAD_OFFERED
    return EventDraft(
        event_id, lead.utility, ChannelKind.WEBHOOK, kind.value, lead.lead_id, at, data.model_dump(mode="json")
    )


def entry_of(step: Step, actor: str, at: datetime) -> RecordEntry:
    """What the record keeps of a move: ``lead.offered``, ``lead.changed``, ``lead.retracted``."""
    lead = step.lead
    facts: dict[str, Fact] = {
        "project": lead.project_id,
        "utility": lead.utility,
        "version": lead.version,
        "project_version": lead.project_version,
        "region": lead.project.region,
        "phase": lead.project.phase.value,
        "reason": lead.retraction.value if lead.retraction else None,
    }
    return RecordEntry(f"lead.{step.move.value}", at, actor, lead.lead_id, facts=facts)
