"""The AsyncAPI 3.0 description of events to utilities, over webhooks and NATS, from the models of the wire. Pure."""

from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from schemas.events import (
    EVENT_DATA,
    HEADER_ID,
    HEADER_SIGNATURE,
    HEADER_TIMESTAMP,
    CloudEvent,
    DeliveryReceipt,
    DeliveryRefusal,
    EventType,
)
from schemas.nats import HEADER_MESSAGE_ID, event_subjects, receipt_subject
from schemas.wire import MEDIA_CLOUDEVENT, MEDIA_JOSE

VERSION: Final = "3.0.0"
_SCHEMAS: Final = "#/components/schemas/"
_UTILITY: Final = "{utility}"
_SIGNED_BY: Final = (
    "Standard Webhooks: v1 is HMAC-SHA256 with the shared secret, v1a Ed25519 with a key of /.well-known/jwks.json, "
    "both over {webhook-id}.{webhook-timestamp}.{body}"
)


def describe_events(title: str, version: str, base_url: str, prefix: str) -> dict[str, Any]:
    """The document. ``base_url`` is where the gateway is reached, ``prefix`` the first part of NATS subjects.

    It names no server: a webhook goes to the address that the utility has registered, and which NATS server is used
    is between the two.
    """
    return {
        "asyncapi": VERSION,
        "id": "urn:bandian:events",
        "info": {
            "title": title,
            "version": version,
            "description": "Events to utilities (供电企业): CloudEvents 1.0 in structured JSON. An event is delivered "
            "once its receiver has signed a receipt for it; it may come again, and is known by its id. The same events "
            "over both channels.",
        },
        "defaultContentType": MEDIA_CLOUDEVENT,
        "channels": _channels(prefix),
        "operations": _operations(),
        "components": {
            "messages": {
                **{_name(each): _message(each) for each in EventType},
                "receipt": _receipt(),
                "refusal": _refusal(),
            },
            "schemas": _schemas(),
            "securitySchemes": {
                "dpop": {
                    "type": "http",
                    "scheme": "dpop",
                    "description": f"For the pull feed GET {base_url}/v1/events, which has the same events (RFC 9449)",
                }
            },
        },
    }


def _channels(prefix: str) -> dict[str, Any]:
    messages = {_name(each): _ref(f"messages/{_name(each)}") for each in EventType}
    receipt = {"receipt": _ref("messages/receipt")}
    parameters = {"utility": {"description": "The utility's code at the gateway", "examples": ["csg-guangzhou"]}}
    channels: dict[str, Any] = {
        "webhook": {
            "address": None,
            "title": "Webhook",
            "description": "POST to the address that the utility has registered; the 200 answer is the receipt.",
            "messages": messages | receipt,
            "bindings": {"http": {"bindingVersion": "0.3.0"}},
        },
        "receipts": {
            "address": receipt_subject(prefix, _UTILITY, "{event}"),
            "title": "NATS: receipts",
            "description": "Where the utility answers, before it acknowledges the message to the stream.",
            "parameters": parameters | {"event": {"description": "The event's id, a dot in it written as %2E"}},
            "messages": receipt | {"refusal": _ref("messages/refusal")},
        },
    }
    for each in EventType:
        subject = event_subjects(prefix, _UTILITY, each).removesuffix("*") + "{event}"
        channels[f"nats-{_name(each)}"] = {
            "address": subject,
            "title": f"NATS: {_name(each)}",
            "parameters": channels["receipts"]["parameters"],
            "messages": {_name(each): messages[_name(each)]},
        }
    return channels


def _operations() -> dict[str, Any]:
    operations: dict[str, Any] = {
        "push": {
            "action": "send",
            "channel": {"$ref": "#/channels/webhook"},
            "title": "The gateway pushes an event",
            "messages": [{"$ref": f"#/channels/webhook/messages/{_name(each)}"} for each in EventType],
            "bindings": {"http": {"method": "POST", "bindingVersion": "0.3.0"}},
            "reply": {
                "channel": {"$ref": "#/channels/webhook"},
                "messages": [{"$ref": "#/channels/webhook/messages/receipt"}],
            },
        }
    }
    for each in EventType:
        channel = f"nats-{_name(each)}"
        operations[f"publish-{_name(each)}"] = {
            "action": "send",
            "channel": {"$ref": f"#/channels/{channel}"},
            "title": f"The gateway publishes {_name(each)}",
            "messages": [{"$ref": f"#/channels/{channel}/messages/{_name(each)}"}],
            "reply": {
                "channel": {"$ref": "#/channels/receipts"},
                "messages": [{"$ref": f"#/channels/receipts/messages/{name}"} for name in ("receipt", "refusal")],
            },
        }
    return operations


def _message(event_type: EventType) -> dict[str, Any]:
    data = EVENT_DATA[event_type]
    return {
        "name": event_type.value,
        "title": _name(event_type),
        "summary": (data.__doc__ or "").strip().split("\n\n")[0].replace("``", ""),
        "contentType": MEDIA_CLOUDEVENT,
        "headers": _ref("schemas/EventHeaders"),
        "payload": {
            "allOf": [
                _ref("schemas/CloudEvent"),
                {"properties": {"type": {"const": event_type.value}, "data": _ref(f"schemas/{data.__name__}")}},
            ]
        },
    }


def _receipt() -> dict[str, Any]:
    return {
        "name": "delivery-receipt",
        "title": "Signed receipt",
        "summary": "A compact JWS (typ delivery-receipt+jwt) with the utility's registered key; its claims are "
        "DeliveryReceipt. Over NATS one that was signed before an event was replayed does not count, and whatever is "
        "not signed, such as a problem document, has the event sent again, whichever its status.",
        "contentType": MEDIA_JOSE,
        "payload": {"type": "string", "description": "Claims: #/components/schemas/DeliveryReceipt"},
    }


def _refusal() -> dict[str, Any]:
    return {
        "name": "delivery-refusal",
        "title": "Signed refusal",
        "summary": "Over NATS alone. A compact JWS (typ delivery-refusal+jwt) with the key of receipts; its claims are "
        "DeliveryRefusal. The event is given up: an operator of the gateway can send it again.",
        "contentType": MEDIA_JOSE,
        "payload": {"type": "string", "description": "Claims: #/components/schemas/DeliveryRefusal"},
    }


def _schemas() -> dict[str, Any]:
    models: list[type[BaseModel]] = [CloudEvent, DeliveryReceipt, DeliveryRefusal, *EVENT_DATA.values()]
    _, made = models_json_schema([(model, "serialization") for model in models], ref_template=_SCHEMAS + "{model}")
    text = {"type": "string"}
    headers = {
        HEADER_ID: {**text, "description": "The event's id"},
        HEADER_TIMESTAMP: {**text, "description": "Seconds since 1970, of this attempt"},
        HEADER_SIGNATURE: {**text, "description": _SIGNED_BY},
        HEADER_MESSAGE_ID: {**text, "description": "Over NATS alone: the event's id, for JetStream"},
    }
    required = [HEADER_ID, HEADER_TIMESTAMP, HEADER_SIGNATURE]
    return {**made["$defs"], "EventHeaders": {"type": "object", "properties": headers, "required": required}}


def _name(event_type: EventType) -> str:
    """``permit-outcome``, as in its subject."""
    return event_type.value.removeprefix("cn.bandian.").removesuffix(".v1").replace(".", "-")


def _ref(what: str) -> dict[str, str]:
    return {"$ref": f"#/components/{what}"}
