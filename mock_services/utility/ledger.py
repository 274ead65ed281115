"""What reconciliation keeps in the utility's database: bodies as they are held, what was set aside, what was found."""

import contextlib
import hashlib
import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from schemas.reconciliation import ReportRequest
from schemas.wire import format_instant

CHINA = timedelta(hours=8)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS set_aside (
    event_id TEXT NOT NULL, set_aside_at TEXT NOT NULL, body_sha256 TEXT NOT NULL, body BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS reconciliations (day TEXT PRIMARY KEY, compared_at TEXT NOT NULL, report TEXT);
"""


@dataclass(frozen=True)
class Held:
    """An event as this utility holds it. The digest is taken anew from the stored body; ``on`` is its China date."""

    event_id: str
    position: int | None
    subject: str
    sequence: int
    body_sha256: str
    on: date

    def leaf(self) -> bytes:
        """The leaf of the gateway's tree (``schemas.reconciliation.DaySummary``)."""
        members = {
            "body_sha256": self.body_sha256,
            "event_id": self.event_id,
            "position": self.position,
            "sequence": self.sequence,
            "subject": self.subject,
            "v": 1,
        }
        return json.dumps(members, separators=(",", ":")).encode()


class Ledger:
    """Over the connection of the ``Store``; each method is one transaction."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._database.executescript(_SCHEMA)

    def clear(self) -> None:
        """Forget everything."""
        self._database.executescript("DELETE FROM set_aside; DELETE FROM reconciliations;")

    def held(self) -> list[Held]:
        """Every event, by position; those without one last. A body that is no JSON any more is still held."""
        rows = self._database.execute("SELECT event_id, application_id, sequence, received_at, body FROM events")
        found = [_held(dict(row)) for row in rows]
        return sorted(found, key=lambda each: (each.position is None, each.position or 0, each.event_id))

    def set_aside(self, event_ids: Iterable[str], at: datetime) -> None:
        """Make room for the gateway's copy of these events, and keep what was here. Effects stay as they are."""
        with self._database:
            self._database.execute("BEGIN IMMEDIATE")
            for event_id in event_ids:
                self._database.execute(
                    "INSERT INTO set_aside SELECT event_id, ?, body_sha256, body FROM events WHERE event_id = ?",
                    (format_instant(at), event_id),
                )
                _forget(self._database, event_id)

    def forget(self, event_ids: Iterable[str]) -> int:
        """Lose events and their effects, as a restored backup would; answers how many there were."""
        with self._database:
            self._database.execute("BEGIN IMMEDIATE")
            return sum(_forget(self._database, event_id) for event_id in event_ids)

    def tamper(self, event_id: str) -> bool:
        """Alter a stored body by one character and leave its stored digest as it was; False where there is none."""
        row = self._database.execute("SELECT body FROM events WHERE event_id = ?", (event_id,)).fetchone()
        if row is None:
            return False
        body = bytes(row["body"]).replace(b'"datacontenttype":"a', b'"datacontenttype":"b', 1)
        self._database.execute("UPDATE events SET body = ? WHERE event_id = ?", (body, event_id))
        return True

    def compared(self, day: date, at: datetime, report: ReportRequest | None) -> None:
        """Keep what a comparison found; without a report: nothing is to be compared up to here."""
        self._database.execute(
            "INSERT OR REPLACE INTO reconciliations VALUES (?, ?, ?)",
            (day.isoformat(), format_instant(at), report.model_dump_json() if report else None),
        )

    def last_compared(self) -> date | None:
        """The latest day that was compared, or begun from."""
        (latest,) = self._database.execute("SELECT max(day) FROM reconciliations").fetchone()
        return date.fromisoformat(latest) if latest else None

    def reports(self) -> list[dict[str, Any]]:
        """What was found, by day."""
        rows = self._database.execute("SELECT * FROM reconciliations WHERE report IS NOT NULL ORDER BY day")
        return [{**dict(row), "report": json.loads(row["report"])} for row in rows]


def _held(row: dict[str, Any]) -> Held:
    body = bytes(row["body"])
    try:
        said = json.loads(body)
    except ValueError:
        said = {}
    said = said if isinstance(said, dict) else {}
    position = said.get("position")
    told_at = datetime.fromisoformat(row["received_at"])
    with contextlib.suppress(KeyError, TypeError, ValueError):
        told_at = datetime.fromisoformat(said["time"])
    return Held(
        row["event_id"],
        position if type(position) is int else None,
        row["application_id"],
        row["sequence"],
        hashlib.sha256(body).hexdigest(),
        (told_at + CHINA).date(),
    )


def _forget(database: sqlite3.Connection, event_id: str) -> int:
    for table in ("outcomes", "certificate_changes"):
        database.execute(f"DELETE FROM {table} WHERE event_id = ?", (event_id,))  # noqa: S608 - names of ours
    return database.execute("DELETE FROM events WHERE event_id = ?", (event_id,)).rowcount
