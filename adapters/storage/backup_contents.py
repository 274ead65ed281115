"""What a backup's manifest says of a database, and what a proof asks of a restored one."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import BigInteger, Column, Connection, LargeBinary, and_, func, literal, or_, select, type_coerce

from adapters.storage.deliveries import outbox, outbox_counters
from adapters.storage.engine import create_reading_engine
from adapters.storage.records import PAGE, record_seals
from adapters.storage.resealing import UNSEALED_KEY, SqlSealedRows, sealed_tables
from adapters.storage.schema_version import revision_of
from adapters.storage.sealed import AtRest, context_of, sealed_table
from adapters.storage.statements import Statements
from gateway.backups.manifest import Contents, DestinationCount
from gateway.backups.proof import NumberGap
from gateway.crypto.keyed_digest import MIN_KEY_BYTES, KeyedDigest
from gateway.crypto.sealing import FixedKeys, Sealer, StoredDataUnreadable
from gateway.records.log import Seal
from schemas.events import EPOCH

MOST_NAMED = 20
_WITHOUT_KEYS = AtRest(Sealer(FixedKeys(())), KeyedDigest(bytes(MIN_KEY_BYTES)))


def contents_of(connection: Connection) -> Contents:
    """Reads the whole database once for the ids of its data keys. Raises ``SQLAlchemyError``."""
    statements = Statements(connection, _WITHOUT_KEYS, savepoint=False)
    usage = SqlSealedRows(statements).usage()
    seal_keys = connection.execute(select(record_seals.c.key_id).distinct()).scalars()
    return Contents(
        revision_of(connection) or "",
        tuple(_heads(connection)),
        _counts(connection),
        tuple(sorted(usage.keys() - {UNSEALED_KEY})),
        tuple(sorted(seal_keys)),
    )


def _heads(connection: Connection) -> Sequence[Seal]:
    last = select(record_seals.c.log_id, func.max(record_seals.c.number).label("number")).group_by(
        record_seals.c.log_id
    )
    newest = last.subquery()
    rows = connection.execute(
        select(record_seals)
        .join(newest, and_(newest.c.log_id == record_seals.c.log_id, newest.c.number == record_seals.c.number))
        .order_by(record_seals.c.log_id)
    )
    return [Seal(**row._mapping) for row in rows]


def _counts(connection: Connection) -> Mapping[str, DestinationCount]:
    states: dict[str, dict[str, int]] = defaultdict(dict)
    last: Counter[str] = Counter()
    columns = (outbox.c.destination, outbox.c.state)
    query = select(*columns, func.count().label("events"), func.max(outbox.c.position).label("last")).group_by(*columns)
    for row in connection.execute(query):
        states[row.destination][row.state] = row.events
        last[row.destination] = max(last[row.destination], row.last)
    return {destination: DestinationCount(states[destination], last[destination]) for destination in sorted(states)}


def number_gaps(connection: Connection) -> Sequence[NumberGap]:
    """Positions and sequences that do not run 1, 2, 3 … in their epoch, ``MOST_NAMED`` of each at most."""
    return [*_gaps(connection, outbox.c.position, None), *_gaps(connection, outbox.c.sequence, outbox.c.subject)]


def _gaps(connection: Connection, number: Column[int], subject: Column[str] | None) -> Sequence[NumberGap]:
    step = literal(EPOCH, BigInteger())
    base = number - number % step
    of = [outbox.c.destination, *([subject] if subject is not None else [])]
    grouped = select(
        *of,
        base.label("base"),
        func.count().label("events"),
        func.min(number).label("first"),
        func.max(number).label("last"),
    ).group_by(*of, base)
    flawed = grouped.having(or_(func.min(number) % step != 1, func.max(number) % step != func.count())).limit(
        MOST_NAMED
    )
    return [
        NumberGap(
            row.destination,
            "" if subject is None else row.subject,
            row.base // EPOCH,
            row.events,
            row.first % EPOCH,
            row.last % EPOCH,
        )
        for row in connection.execute(flawed)
    ]


def counters_behind(connection: Connection) -> Sequence[str]:
    """Receivers for which a counter stands before a number that was given: it would be given again."""
    positions = select(outbox.c.destination, literal("").label("subject"), func.max(outbox.c.position).label("given"))
    sequences = select(outbox.c.destination, outbox.c.subject, func.max(outbox.c.sequence).label("given"))
    given = (
        positions.group_by(outbox.c.destination)
        .union_all(sequences.group_by(outbox.c.destination, outbox.c.subject))
        .subquery()
    )
    counter = and_(outbox_counters.c.destination == given.c.destination, outbox_counters.c.subject == given.c.subject)
    behind = (
        select(given.c.destination)
        .outerjoin(outbox_counters, counter)
        .where(or_(outbox_counters.c.last.is_(None), outbox_counters.c.last < given.c.given))
        .distinct()
        .order_by(given.c.destination)
    )
    return list(connection.execute(behind).scalars())


@dataclass
class Opened:
    """What present keys open. ``unreadable`` counts values by (table, check, id of the key that sealed them)."""

    values: int = 0
    unreadable: Counter[tuple[str, str, str]] = field(default_factory=Counter)


def open_everything(connection: Connection, sealer: Sealer) -> Opened:
    """Opens every sealed value, one after the other, and forgets it. Memory does not grow with the database."""
    opened = Opened()
    for table in sealed_tables():
        names = list(sealed_table(table).columns)
        keys = [table.c[name] for name in sealed_table(table).key]
        raw = [type_coerce(table.c[name], LargeBinary).label(name) for name in names]
        with connection.execute(select(*keys, *raw).execution_options(yield_per=PAGE)) as rows:
            for row in rows:
                for name in names:
                    if (value := row._mapping[name]) is None:
                        continue
                    opened.values += 1
                    try:
                        sealer.open(bytes(value), context_of(table, name, dict(row._mapping)))
                    except StoredDataUnreadable as error:
                        opened.unreadable[(table.name, error.check, error.key_id or "—")] += 1
    return opened


@dataclass(frozen=True)
class Examined:
    """A restored database, looked through; ``opened`` is None where no sealer was given."""

    contents: Contents
    gaps: Sequence[NumberGap]
    behind: Sequence[str]
    opened: Opened | None


def examine(database_url: str, sealer: Sealer | None) -> Examined:
    """Look through a database that is left as it is. Raises ``SQLAlchemyError``."""
    engine = create_reading_engine(database_url)
    try:
        with engine.connect() as connection:
            return Examined(
                contents_of(connection),
                number_gaps(connection),
                counters_behind(connection),
                None if sealer is None else open_everything(connection, sealer),
            )
    finally:
        engine.dispose()
