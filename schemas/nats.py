"""Subjects, streams and consumers of the NATS JetStream channel. ``prefix`` parts gateways that share a server.

    {prefix}.{utility}.events.{type}.{event id}     one message for an event, in the stream {PREFIX}_EVENTS
    {prefix}.{utility}.receipts.{event id}          the utility's answer to it, in the stream {PREFIX}_RECEIPTS

A utility pulls from the durable consumer of {PREFIX}_EVENTS that bears its code, publishes its answer, and only then
acknowledges the message. The answer is its signed receipt (``schemas.events.DeliveryReceipt``), its signed refusal
(``DeliveryRefusal``), or a problem document: whatever nobody signed has the event sent again, whichever its ``status``.
"""

from typing import Final

from schemas.events import EventType

HEADER_MESSAGE_ID: Final = "Nats-Msg-Id"
"""The event's id: what JetStream drops repetitions by, within its window."""
_TYPE_PREFIX: Final = "cn.bandian."


def events_stream(prefix: str) -> str:
    """The stream of events of every utility."""
    return f"{prefix.upper()}_EVENTS"


def receipts_stream(prefix: str) -> str:
    """The stream of what utilities answer."""
    return f"{prefix.upper()}_RECEIPTS"


def address(prefix: str, utility: str) -> str:
    """Under which subjects everything of ``utility`` lies."""
    return f"{prefix}.{utility}"


def events_of(prefix: str, utility: str) -> str:
    """Every event to ``utility``, as a filter."""
    return f"{address(prefix, utility)}.events.>"


def event_subject(prefix: str, utility: str, event_type: str, event_id: str) -> str:
    """Of one event: ``bandian.csg-guangzhou.events.permit-outcome.evt_…``."""
    kind = event_type.removeprefix(_TYPE_PREFIX).removesuffix(".v1").replace(".", "-")
    return f"{address(prefix, utility)}.events.{kind}.{_token(event_id)}"


def receipt_subject(prefix: str, utility: str, event_id: str) -> str:
    """Where ``utility`` answers for one event."""
    return f"{address(prefix, utility)}.receipts.{_token(event_id)}"


def event_subjects(prefix: str, utility: str, event_type: EventType) -> str:
    """Every event of one type, as a filter."""
    return event_subject(prefix, utility, event_type.value, "*")


def _token(event_id: str) -> str:
    """A dot would part it in two."""
    return event_id.replace(".", "%2E")
