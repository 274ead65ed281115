"""What is asked every few seconds costs no more as tables grow: counted in steps of SQLite's machine."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from sqlalchemy import Connection, insert

from adapters.storage.applications import applications
from adapters.storage.deadline_looks import deadline_looks
from adapters.storage.deliveries import outbox
from adapters.storage.engine import create_database_engine
from adapters.storage.migrate import migrate
from adapters.storage.outbox import ReadOnlyOutbox
from adapters.storage.record_trees import record_checkpoints, record_super_leaves
from adapters.storage.records import ReadOnlyRecords, record_logs, record_seals
from adapters.storage.sealed import SealedValue
from adapters.storage.statements import Statements
from adapters.storage.unit_of_work import SqlUnitOfWork
from gateway.records.checkpoints import Checkpoint, sign_checkpoint
from tests.support.anchoring import LOG_SIGNER, ORIGIN
from tests.support.storage import AT_REST, NOON

UTILITY, LOG, RULES = "csg-guangzhou", "log", "rules:1"
ROWS = 3000
FEW_STEPS = ROWS
"""Reading a row takes several steps, so that this is not enough to read the whole of any table."""

ASKED: dict[str, Callable[[SqlUnitOfWork], object]] = {
    "what waits and what is dead": lambda tx: tx.deliveries.backlog(),
    "a clock that jumped": lambda tx: tx.deliveries.undo_clock_jump(NOON, NOON),
    "since when nothing is anchored": lambda tx: tx.super_log.unanchored_since(),
    "logs that moved": lambda tx: tx.super_log.moved(),
    "the checkpoint over a leaf": lambda tx: tx.super_log.checkpoint_covering(5),
    "the leaf over an entry": lambda tx: tx.super_log.leaf_covering(LOG, 5),
    "events without a digest": lambda tx: tx.day_book.undigested(10),
    "deadlines that are due": lambda tx: tx.deadline_looks.due(NOON, RULES, 50),
    "events of a day": lambda tx: tx.day_book.events(UTILITY, 5, 9, 10),
}


def test_what_is_asked_all_the_time_reads_no_table_from_end_to_end(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'gateway.db'}"
    migrate(url)
    engine = create_database_engine(url, pool_size=1)
    with engine.connect() as connection:
        _grow(connection)
        unit = SqlUnitOfWork(Statements(connection, AT_REST, savepoint=False), ReadOnlyRecords(), ReadOnlyOutbox())
        steps = {name: _steps(connection, ask, unit) for name, ask in ASKED.items()}
    engine.dispose()
    assert {name: count for name, count in steps.items() if count > FEW_STEPS} == {}


def _steps(connection: Connection, ask: Callable[[SqlUnitOfWork], object], unit: SqlUnitOfWork) -> int:
    hundreds = 0

    def count() -> int:
        nonlocal hundreds
        hundreds += 1
        return 0

    driver = connection.connection.dbapi_connection
    assert driver is not None
    driver.set_progress_handler(count, 100)
    ask(unit)
    driver.set_progress_handler(None, 0)
    return 100 * hundreds


def _grow(connection: Connection) -> None:
    numbers = range(1, ROWS + 1)
    event = {"destination": UTILITY, "channel": "webhook", "type": "test", "at": NOON, "data": SealedValue(b"")}
    done = {"state": "delivered", "attempts": 1, "settled_at": NOON, "body_sha256": "00", "body_form": 2}
    connection.execute(
        insert(outbox),
        [{**event, **done, "event_id": f"e{n}", "position": n, "subject": f"a{n}", "sequence": 1} for n in numbers],
    )
    log = {"log_id": LOG, "holder": "", "held_until": NOON, "peaks": b"", "last_seal_hash": b""}
    connection.execute(insert(record_logs).values(**log, size=ROWS, seals=ROWS))
    seal = {"log_id": LOG, "previous_hash": b"", "root": b"", "sealed_at": NOON, "key_id": "k", "signature": b""}
    connection.execute(
        insert(record_seals), [{**seal, "number": n, "first_sequence": n, "last_sequence": n} for n in numbers]
    )
    leaf = {"leaf_hash": b"", "leaf": b"", "log_id": LOG}
    connection.execute(
        insert(record_super_leaves), [{**leaf, "position": n - 1, "last": n, "number": n} for n in numbers]
    )
    note = str(sign_checkpoint(Checkpoint(ORIGIN, ROWS, bytes(32)), [LOG_SIGNER]))
    signed = {"root": b"", "signed_at": NOON, "note": note}
    connection.execute(insert(record_checkpoints), [{**signed, "size": n} for n in numbers])
    words = ("utility", "region", "customer_class", "intake", "applicant_kind", "holder_digest", "status")
    sealed = {"demand": SealedValue(b""), "lifecycle": SealedValue(b""), "derivation": {}, "documents": []}
    application = {**dict.fromkeys(words, "x"), **sealed, "received_at": NOON}
    connection.execute(insert(applications), [{**application, "application_id": f"a{n}"} for n in numbers])
    # One is due; the others are in the days to come.
    look = {"looked_by": RULES}
    connection.execute(
        insert(deadline_looks),
        [{**look, "application_id": f"a{n}", "look_at": NOON + timedelta(minutes=n - 1)} for n in numbers],
    )
