"""Tables and repositories of delivery: outbox, attempts, and the counters that number events without a gap."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    ForeignKey,
    Index,
    Integer,
    Row,
    Table,
    Text,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from adapters.storage.restorations import first_number
from adapters.storage.sealed import SealedJson, SealedText, seal_values
from adapters.storage.statements import Statements
from adapters.storage.tables import UtcInstant, metadata
from gateway.crypto.sealing import Sealer, StoredDataUnreadable
from gateway.delivery.cloud_events import encode_cloud_event
from gateway.delivery.ports import (
    Backlog,
    ChannelKind,
    ClaimedDelivery,
    DeliveryState,
    DeliveryView,
    Event,
    EventDraft,
    Receipt,
    Settlement,
)
from gateway.records.entries import digest

ASIDE_FOR = timedelta(minutes=10)
"""How long an event that cannot be opened is left before it is looked at again."""

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
    Column("body_sha256", Text),
    Index("uq_outbox_destination_position", "destination", "position", unique=True),
    Index("uq_outbox_destination_subject_sequence", "destination", "subject", "sequence", unique=True),
)

_is_dead = outbox.c.state == DeliveryState.DEAD.value
_is_pending = outbox.c.state == DeliveryState.PENDING.value
Index(
    "ix_outbox_due",
    outbox.c.next_attempt_at,
    outbox.c.position,
    sqlite_where=_is_pending,
    postgresql_where=_is_pending,
)
Index(
    "ix_outbox_undelivered",
    outbox.c.destination,
    outbox.c.subject,
    outbox.c.sequence,
    sqlite_where=_is_pending,
    postgresql_where=_is_pending,
)

_undigested = outbox.c.body_sha256.is_(None) & (outbox.c.channel != ChannelKind.DEPARTMENT.value)
Index(
    "ix_outbox_undigested",
    outbox.c.destination,
    outbox.c.position,
    sqlite_where=_undigested,
    postgresql_where=_undigested,
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
)


class BatchOutbox:
    """Events of the units that are about to be committed together; they are numbered just before the commit.

    Numbering last keeps the counters' rows locked for the length of one insert, and makes commit order the order of
    positions, so that a reader of the feed never passes over an event that is still to be committed.
    """

    def __init__(self, sealer: Sealer, source: str) -> None:
        """``source`` is the gateway's issuer: with it the body of an event is known when the event is numbered."""
        self._sealer = sealer
        self._source = source
        self.drafts: list[EventDraft] = []

    def append(self, draft: EventDraft) -> None:
        self.drafts.append(draft)

    def truncate(self, length: int) -> None:
        """Forget drafts beyond ``length``: those of a unit that failed."""
        del self.drafts[length:]

    def write(self, connection: Connection) -> None:
        """Number and store what was appended."""
        if not self.drafts:
            return
        wanted: dict[tuple[str, str], list[int]] = defaultdict(list)
        for index, draft in enumerate(self.drafts):
            wanted[(draft.destination, "")].append(index)
            wanted[(draft.destination, draft.subject)].append(index)
        positions, sequences = [0] * len(self.drafts), [0] * len(self.drafts)
        for (destination, subject), indices in sorted(wanted.items()):
            last = _advance_counter(connection, destination, subject, len(indices))
            numbers = sequences if subject else positions
            for number, index in enumerate(indices, last - len(indices) + 1):
                numbers[index] = number
        connection.execute(
            insert(outbox),
            [
                {
                    **seal_values(self._sealer, outbox, draft.__dict__, {}),
                    "channel": draft.channel.value,
                    "position": position,
                    "sequence": sequence,
                    "state": DeliveryState.PENDING.value,
                    "attempts": 0,
                    "next_attempt_at": draft.at,
                    "body_sha256": self._body_sha256(draft, position, sequence),
                }
                for draft, position, sequence in zip(self.drafts, positions, sequences, strict=True)
            ],
        )

    def _body_sha256(self, draft: EventDraft, position: int, sequence: int) -> str | None:
        """Of a CloudEvent's bytes, the same at every attempt. A review request is signed anew at each, and has none."""
        if draft.channel is ChannelKind.DEPARTMENT:
            return None
        event = Event(**draft.__dict__, position=position, sequence=sequence)
        return digest(encode_cloud_event(event, self._source))


class ReadOnlyOutbox:
    """Stands in for the outbox where a unit only reads."""

    def append(self, draft: EventDraft) -> None:
        raise RuntimeError(f"{draft.type} was to be sent from a unit of work that only reads")


def _advance_counter(connection: Connection, destination: str, subject: str, by: int) -> int:
    dialect_insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    statement = dialect_insert(outbox_counters).values(
        destination=destination, subject=subject, last=first_number() + by
    )
    advanced = statement.on_conflict_do_update(
        index_elements=[outbox_counters.c.destination, outbox_counters.c.subject],
        set_={"last": outbox_counters.c.last + by},
    ).returning(outbox_counters.c.last)
    return int(connection.execute(advanced).scalar_one())


class SqlDeliveryQueue:
    """``gateway.delivery.ports.DeliveryQueue``."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    def claim(
        self, owner: str, at: datetime, lease_until: datetime, limit: int, excluding: Collection[str]
    ) -> Sequence[ClaimedDelivery]:
        earlier = outbox.alias("earlier")
        due = (
            select(outbox.c.event_id)
            .where(
                _is_pending,
                outbox.c.next_attempt_at <= at,
                or_(outbox.c.lease_until.is_(None), outbox.c.lease_until < at),
                ~exists().where(
                    earlier.c.destination == outbox.c.destination,
                    earlier.c.subject == outbox.c.subject,
                    earlier.c.sequence < outbox.c.sequence,
                    earlier.c.state == DeliveryState.PENDING.value,
                ),
            )
            .order_by(outbox.c.next_attempt_at, outbox.c.position)
            .limit(limit)
            .with_for_update(skip_locked=True, of=outbox)
        )
        if excluding:
            due = due.where(outbox.c.destination.not_in(sorted(excluding)))
        rows = self._statements.execute(
            update(outbox)
            .where(outbox.c.event_id.in_(due))
            .values(
                lease_owner=owner,
                lease_until=lease_until,
                attempts=outbox.c.attempts + 1,
                first_attempt_at=func.coalesce(outbox.c.first_attempt_at, literal(at, UtcInstant())),
            )
            .returning(outbox)
        ).all()
        claims = []
        for row in rows:
            try:
                claims.append(ClaimedDelivery(self._event(row), row.attempts, row.first_attempt_at))
            except StoredDataUnreadable as error:
                self._put_aside(row.event_id, error.check, at)
        return sorted(claims, key=lambda claim: (claim.event.destination, claim.event.position))

    def settle(self, owner: str, settlement: Settlement) -> bool:
        settled = self._statements.execute(
            update(outbox)
            .where(
                outbox.c.event_id == settlement.event_id,
                outbox.c.lease_owner == owner,
                outbox.c.attempts == settlement.attempt,
                _is_pending,
            )
            .values(
                state=settlement.state.value,
                next_attempt_at=settlement.next_attempt_at,
                lease_owner=None,
                lease_until=None,
                settled_at=None if settlement.state is DeliveryState.PENDING else settlement.finished_at,
                last_reason=settlement.reason,
            )
        )
        if settled.rowcount != 1:
            return False
        attempt = {
            "event_id": settlement.event_id,
            "attempt": settlement.attempt,
            "started_at": settlement.started_at,
            "finished_at": settlement.finished_at,
            "state": settlement.state.value,
            "reason": settlement.reason,
            "status": settlement.status,
            "receipt": settlement.receipt.document if settlement.receipt else None,
        }
        sealed = self._statements.sealed(delivery_attempts, attempt)
        self._statements.execute(insert(delivery_attempts).values(**sealed))
        return True

    def feed(self, destination: str, after: int, limit: int) -> Sequence[Event]:
        rows = self._statements.execute(
            select(outbox)
            .where(outbox.c.destination == destination, outbox.c.position > after)
            .order_by(outbox.c.position)
            .limit(limit)
        )
        return [self._event(row) for row in rows]

    def find(self, event_id: str) -> DeliveryView | None:
        row = self._statements.execute(select(outbox).where(outbox.c.event_id == event_id)).one_or_none()
        if row is None:
            return None
        attempts = self._statements.execute(
            select(delivery_attempts)
            .where(delivery_attempts.c.event_id == event_id)
            .order_by(delivery_attempts.c.attempt)
        )
        return self._view(row, [self._settlement(attempt) for attempt in attempts])

    def list(self, destination: str | None, state: DeliveryState | None, limit: int) -> Sequence[DeliveryView]:
        query = select(outbox).order_by(outbox.c.at.desc(), outbox.c.position.desc()).limit(limit)
        if destination is not None:
            query = query.where(outbox.c.destination == destination)
        if state is not None:
            query = query.where(outbox.c.state == state.value)
        return [self._view(row, []) for row in self._statements.execute(query)]

    def replay(self, event_id: str, at: datetime) -> bool:
        replayed = self._statements.execute(
            update(outbox)
            .where(outbox.c.event_id == event_id, ~_is_pending)
            .values(
                state=DeliveryState.PENDING.value,
                next_attempt_at=at,
                first_attempt_at=None,
                settled_at=None,
                last_reason="replayed",
            )
        )
        return replayed.rowcount == 1

    def backlog(self) -> Backlog:
        oldest = self._statements.execute(select(func.min(outbox.c.at).label("at")).where(_is_pending)).one().at
        return Backlog(self._count(_is_pending), self._count(_is_dead), oldest)

    def _put_aside(self, event_id: str, reason: str, at: datetime) -> None:
        """What cannot be opened waits for somebody to mend it, and holds up nothing but its own application."""
        self._statements.execute(
            update(outbox)
            .where(outbox.c.event_id == event_id)
            .values(next_attempt_at=at + ASIDE_FOR, lease_owner=None, lease_until=None, last_reason=reason)
        )

    def _event(self, row: Row[tuple[object, ...]]) -> Event:
        return Event(
            row.event_id,
            row.destination,
            ChannelKind(row.channel),
            row.type,
            row.subject,
            row.sequence,
            row.position,
            row.at,
            self._statements.opened(outbox, row)["data"],
            row.erased_at is not None,
        )

    def _settlement(self, row: Row[tuple[object, ...]]) -> Settlement:
        receipt = self._statements.opened(delivery_attempts, row)["receipt"]
        return Settlement(
            row.event_id,
            row.attempt,
            row.started_at,
            row.finished_at,
            DeliveryState(row.state),
            row.reason,
            row.status,
            Receipt(receipt, row.reason == "duplicate") if receipt else None,
        )

    def _view(self, row: Row[tuple[object, ...]], history: Sequence[Settlement]) -> DeliveryView:
        return DeliveryView(
            self._event(row),
            DeliveryState(row.state),
            row.attempts,
            row.next_attempt_at,
            row.settled_at,
            row.last_reason,
            history,
        )

    def _count(self, condition: ColumnElement[bool]) -> dict[str, int]:
        rows = self._statements.execute(
            select(outbox.c.destination, func.count().label("events")).where(condition).group_by(outbox.c.destination)
        )
        return {row.destination: row.events for row in rows}
