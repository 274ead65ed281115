"""An event as the receiver reads it: CloudEvents 1.0 in structured JSON (``schemas.events.CloudEvent``)."""

from typing import Any

import orjson

from gateway.delivery.ports import BODY_WITHOUT_POSITION, Event
from schemas.wire import format_instant


def cloud_event(event: Event, source: str, data: orjson.Fragment | None = None) -> dict[str, Any]:
    """The members of a CloudEvent; ``source`` is the gateway's issuer. What was erased says so in place of its data.

    ``data`` is the event's, where somebody has written it out already.
    """
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
        "data": {"erased": True} if event.erased else event.data if data is None else data,
    }


def encode_cloud_event(event: Event, source: str, data: orjson.Fragment | None = None) -> bytes:
    """Its bytes, the same at every attempt: a receipt names their digest. ``data`` as in ``cloud_event``."""
    if event.body is not None:
        return event.body
    members = cloud_event(event, source, data)
    if event.body_form == BODY_WITHOUT_POSITION:
        del members["position"]
    return orjson.dumps(members)
