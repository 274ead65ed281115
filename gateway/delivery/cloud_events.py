"""An event as the receiver reads it: CloudEvents 1.0 in structured JSON (``schemas.events.CloudEvent``)."""

from typing import Any

import orjson

from gateway.delivery.ports import BODY_WITHOUT_POSITION, Event
from schemas.wire import format_instant


def cloud_event(event: Event, source: str) -> dict[str, Any]:
    """The members of a CloudEvent; ``source`` is the gateway's issuer. What was erased says so in place of its data."""
    return {
        "specversion": "1.0",
        "id": event.event_id,
        "source": source,
        "type": event.type,
        "subject": event.subject,
        "time": format_instant(event.at),
        "datacontenttype": "application/json",
        "sequence": event.sequence,
        "position": event.position,
        "data": {"erased": True} if event.erased else event.data,
    }


def encode_cloud_event(event: Event, source: str) -> bytes:
    """Its bytes, the same at every attempt: a receipt names their digest."""
    if event.body is not None:
        return event.body
    members = cloud_event(event, source)
    if event.body_form == BODY_WITHOUT_POSITION:
        del members["position"]
    return orjson.dumps(members)
