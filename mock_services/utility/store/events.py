"""Events as they came, each once; conformance tests beside them."""

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, Final

from mock_services.utility.store.rows import add_column, rows
from schemas.events import EPOCH, CloudEvent, follows
from schemas.wire import format_instant

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS events (
    event_id TEXT PRIMARY KEY, application_id TEXT NOT NULL, sequence INTEGER NOT NULL, type TEXT NOT NULL,
    received_at TEXT NOT NULL, body_sha256 TEXT NOT NULL, body BLOB NOT NULL, repeats INTEGER NOT NULL DEFAULT 0,
    position INTEGER
);
CREATE TABLE IF NOT EXISTS conformance_tests (event_id TEXT PRIMARY KEY, body_sha256 TEXT NOT NULL);
"""
TABLES: Final = ("events", "conformance_tests")
MOST_HOLES: Final = 100
_KNOWN: Final = (
    "SELECT event_id, application_id, sequence, position, type, received_at, body_sha256, repeats FROM events"
)


class EventChanged(Exception):
    """An event id came again with another body."""


@dataclass(frozen=True)
class Events:
    """Each method is one transaction."""

    database: sqlite3.Connection

    def prepare(self) -> None:
        self.database.executescript(SCHEMA)
        add_column(self.database, "events", "position", "INTEGER")

    def receive(
        self, event: CloudEvent, body: bytes, body_sha256: str, at: datetime, effect: Callable[[], None]
    ) -> bool:
        """Keep the event and its effect together; False if it was here before, and nothing was done.

        Raises ``EventChanged``.
        """
        with self.database:
            self.database.execute("BEGIN IMMEDIATE")
            known = self.database.execute("SELECT body_sha256 FROM events WHERE event_id = ?", (event.id,)).fetchone()
            if known is not None:
                if known["body_sha256"] != body_sha256:
                    raise EventChanged
                self.database.execute("UPDATE events SET repeats = repeats + 1 WHERE event_id = ?", (event.id,))
                return False
            received = (event.id, event.subject, event.sequence, event.type, format_instant(at), body_sha256, body)
            self.database.execute("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, 0, ?)", (*received, event.position))
            effect()
            return True

    def find(self, event_id: str) -> dict[str, Any] | None:
        """What is known of an event: when it came, its digest, how often it came again."""
        found = rows(self.database, f"{_KNOWN} WHERE event_id = ?", event_id)
        return found[0] if found else None

    def all(self) -> list[dict[str, Any]]:
        return rows(self.database, f"{_KNOWN} ORDER BY rowid")

    def holes(self) -> dict[str, Any]:
        """What the numbers inside the events say: positions and sequences that are missing, at most ``MOST_HOLES``
        each, and ``late`` events, which came after one of their application with a higher sequence.
        """
        held: dict[str, set[int]] = {}
        positions = set()
        late: list[str] = []
        last: dict[str, int] = {}
        for row in self.all():
            application_id, sequence = row["application_id"], row["sequence"]
            if sequence < last.get(application_id, 0):
                late.append(row["event_id"])
            last[application_id] = max(sequence, last.get(application_id, 0))
            held.setdefault(application_id, set()).add(sequence)
            if row["position"] is not None:
                positions.add(row["position"])
        missing = {application_id: _holes(sequences) for application_id, sequences in held.items()}
        return {
            "positions": _holes(positions),
            "sequences": {application_id: numbers for application_id, numbers in missing.items() if numbers},
            "late": late,
        }

    def receive_test(self, event_id: str, body_sha256: str) -> bool:
        """Keep that a conformance test came, beside all events; False where it had come. Raises ``EventChanged``."""
        known = self.test_digest(event_id)
        if known not in (None, body_sha256):
            raise EventChanged
        self.database.execute("INSERT OR IGNORE INTO conformance_tests VALUES (?, ?)", (event_id, body_sha256))
        return known is None

    def test_digest(self, event_id: str) -> str | None:
        """Digest of the body of a conformance test that came."""
        found = rows(self.database, "SELECT body_sha256 FROM conformance_tests WHERE event_id = ?", event_id)
        return found[0]["body_sha256"] if found else None


def _holes(numbers: set[int]) -> list[int]:
    """The first numbers that are missing below the highest, in each epoch from its first on."""
    return list(islice(_missing(sorted(numbers)), MOST_HOLES))


def _missing(numbers: list[int]) -> Iterator[int]:
    before = 0
    for number in numbers:
        if not follows(number, before):
            yield from range(max(before, number - number % EPOCH) + 1, number)
        before = number
