"""Leads as they are told."""

from gateway.projects.model import Lead
from schemas.leads import LeadView


def lead_view(lead: Lead) -> LeadView:
    """``lead`` as its utility, and an officer, may see it."""
    return LeadView(
        lead_id=lead.lead_id,
        utility=lead.utility,
        platform=lead.platform,
        status=lead.status,
        version=lead.version,
        offered_at=lead.offered_at,
        changed_at=lead.changed_at,
        contacted_at=lead.contacted.counted_at if lead.contacted else None,
        connected_at=lead.connected.counted_at if lead.connected else None,
        retracted_at=lead.retracted_at,
        retraction=lead.retraction,
        project=lead.project,
    )
