"""Tables of delivery."""

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Float,
    ForeignKey,
    Index,
    Integer,
    ScalarSelect,
    Subquery,
    Table,
    Text,
    literal_column,
    select,
    text,
)

from adapters.storage.sealed import SealedJson, SealedText
from adapters.storage.tables import UtcInstant, metadata
from gateway.delivery.ports import DeliveryState

outbox_counters = Table(
    "outbox_counters",
    metadata,
    Column("destination", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("last", BigInteger, nullable=False),
)
"""The last number given: of a destination's positions (``subject`` is empty) and of each subject's sequences."""

outbox = Table(
    "outbox",
    metadata,
    Column("event_id", Text, primary_key=True),
    Column("destination", Text, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("subject", Text, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("channel", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("at", UtcInstant, nullable=False),
    Column("data", SealedJson, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    Column("first_attempt_at", UtcInstant),
    Column("next_attempt_at", UtcInstant),
    Column("lease_owner", Text),
    Column("lease_until", UtcInstant),
    Column("settled_at", UtcInstant),
    Column("last_reason", Text),
    Column("erased_at", UtcInstant),
    Column("unknown_since", UtcInstant),
    Column("scheduled_at", UtcInstant),
    Column("tried_for_s", Float),
    Column("body_form", Integer),
    Column("body_sha256", Text),
    Column("replayed_at", UtcInstant),
    Index("uq_outbox_destination_position", "destination", "position", unique=True),
    Index("uq_outbox_destination_subject_sequence", "destination", "subject", "sequence", unique=True),
)
"""``state`` is ``pending``, ``delivered`` or ``dead``. What is pending since an attempt without an answer has
``unknown_since``; the previous release, which knows no such state, delivers it as any other. ``scheduled_at`` is when
``next_attempt_at`` was set, ``tried_for_s`` counts seconds of trying; what that release wrote has neither.
"""


def _in(state: DeliveryState) -> ColumnElement[bool]:
    """Written out, so that a plan made for any parameters can rest on the indexes below."""
    return outbox.c.state == literal_column(f"'{state.value}'")


is_dead = _in(DeliveryState.DEAD)
is_pending = _in(DeliveryState.PENDING)
Index(
    "ix_outbox_destination_due",
    outbox.c.destination,
    outbox.c.next_attempt_at,
    outbox.c.position,
    sqlite_where=is_pending,
    postgresql_where=is_pending,
)
# What the release before claims by; it goes with the next one.
Index(
    "ix_outbox_due",
    outbox.c.next_attempt_at,
    outbox.c.position,
    sqlite_where=is_pending,
    postgresql_where=is_pending,
)
Index(
    "ix_outbox_undelivered",
    outbox.c.destination,
    outbox.c.subject,
    outbox.c.sequence,
    sqlite_where=is_pending,
    postgresql_where=is_pending,
)
Index("ix_outbox_dead", outbox.c.destination, sqlite_where=is_dead, postgresql_where=is_dead)
is_unknown = is_pending & outbox.c.unknown_since.is_not(None)
for _name, _state in (("pending", is_pending), ("unknown", is_unknown), ("dead", is_dead)):
    Index(
        f"ix_outbox_{_name}_by_id",
        outbox.c.destination,
        outbox.c.event_id,
        sqlite_where=_state,
        postgresql_where=_state,
    )


def destinations_with(state: ColumnElement[bool]) -> Subquery:
    """The receivers (``code``) with rows in ``state``: a probe of the index of that state for each."""

    def first(*beyond: ColumnElement[bool]) -> ScalarSelect[str]:
        # Ordered as that index alone is, so that nobody reads through what is in no such state.
        by_id = select(outbox.c.destination).where(state, *beyond).order_by(outbox.c.destination, outbox.c.event_id)
        return by_id.limit(1).scalar_subquery()

    found = select(first().label("code")).cte("found", recursive=True)
    following = select(first(outbox.c.destination > found.c.code)).where(found.c.code.is_not(None))
    found = found.union_all(following)
    return select(found.c.code).where(found.c.code.is_not(None)).subquery("receivers")


undigested = text("channel != 'department' AND (body_sha256 IS NULL OR (body_form IS NULL AND attempts > 0))")
"""Whose body's digest is not kept, or not the one of what the previous release sent first: a former form of body."""
Index(
    "ix_outbox_undigested",
    outbox.c.destination,
    outbox.c.position,
    sqlite_where=undigested,
    postgresql_where=undigested,
)

_has_data = outbox.c.erased_at.is_(None)
Index("ix_outbox_settled_at", outbox.c.settled_at, sqlite_where=_has_data, postgresql_where=_has_data)

delivery_attempts = Table(
    "delivery_attempts",
    metadata,
    Column("event_id", Text, ForeignKey("outbox.event_id"), primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("started_at", UtcInstant, nullable=False),
    Column("finished_at", UtcInstant, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("status", Integer),
    Column("receipt", SealedText),
    Column("outcome", Text),
)
"""An open attempt has ``outcome`` ``open`` and ends, as it stands there, when it began."""
