"""A change becomes an event for the utility and a record entry. Pure; neither holds a value of a certificate."""

from datetime import datetime

from gateway.applications.model import ApplicationDocument, GridConnectionApplication
from gateway.delivery.ports import ChannelKind, EventDraft
from gateway.rechecks.model import Change, Reason
from gateway.records.entries import RecordEntry
from schemas.events import CertificateChanged, EventType
from schemas.wire import format_instant

CHANGED, RECHECKED = "certificate.changed", "certificate.rechecked"


def change_event(
    event_id: str, application: GridConnectionApplication, change: Change, reason: Reason, at: datetime
) -> EventDraft:
    """What the utility is told, once for each change."""
    document = change.document
    data = CertificateChanged(
        application_id=application.application_id,
        kind=document.document,
        title=document.title,
        change=change.kind.value,
        verdict="invalid" if document.check else "valid",
        check=document.check,
        owner=change.owner.value if change.owner else None,
        remedy=change.remedy or None,
        as_of=document.as_of or at,
        found_by=reason.value,
        source=document.source,
        identifier_digest=document.identifier_digest,
        content_digest=document.content_digest,
    )
    return EventDraft(
        event_id,
        application.utility,
        ChannelKind.WEBHOOK,
        EventType.CERTIFICATE_CHANGED,
        application.application_id,
        at,
        data.model_dump(mode="json"),
    )


def change_entry(application_id: str, change: Change, reason: Reason, at: datetime) -> RecordEntry:
    """What the record keeps of a change."""
    document = change.document
    return RecordEntry(
        CHANGED,
        at,
        "gateway",
        application_id,
        facts={
            "kind": document.document,
            "change": change.kind.value,
            "check": document.check,
            "found_by": reason.value,
            "as_of": format_instant(document.as_of) if document.as_of else None,
            "source": document.source,
            "envelope_sha256": document.content_digest,
            "identifier_digest": document.identifier_digest,
        },
    )


def look_entry(application_id: str, document: ApplicationDocument, reason: Reason, at: datetime) -> RecordEntry:
    """What the record keeps of a look that found nothing new: the source was asked about somebody's certificate."""
    facts = {"kind": document.document, "found_by": reason.value, "check": document.check, "source": document.source}
    return RecordEntry(RECHECKED, at, "gateway", application_id, facts=facts)
