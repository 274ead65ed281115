"""Purges that are to be confirmed to the gateway, and those that were."""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from mock_services.utility.store.rows import rows
from schemas.wire import format_instant

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS purges (
    application_id TEXT PRIMARY KEY, authorisation_id TEXT NOT NULL, purged_at TEXT NOT NULL, due_at REAL,
    attempts INTEGER NOT NULL DEFAULT 0, last_problem TEXT, confirmed_at TEXT
);
"""
TABLES: Final = ("purges",)
AFTER: Final = timedelta(milliseconds=500)
"""The withdrawal's own receipt is answered first."""


@dataclass(frozen=True)
class Purge:
    """What was obtained under an authorisation, and is gone since ``purged_at``."""

    application_id: str
    authorisation_id: str
    purged_at: datetime
    attempts: int


@dataclass(frozen=True)
class Purges:
    """Each method is one statement."""

    database: sqlite3.Connection

    def prepare(self) -> None:
        self.database.executescript(SCHEMA)

    def take(self, application_id: str, authorisation_id: str, at: datetime, *, confirmed_by_itself: bool) -> None:
        """Everything of an application was purged, in the event's own transaction."""
        due = (at + AFTER).timestamp() if confirmed_by_itself else None
        self.database.execute(
            "INSERT OR IGNORE INTO purges (application_id, authorisation_id, purged_at, due_at) VALUES (?, ?, ?, ?)",
            (application_id, authorisation_id, format_instant(at.astimezone(UTC)), due),
        )

    def find(self, application_id: str) -> Purge | None:
        return _one(rows(self.database, "SELECT * FROM purges WHERE application_id = ?", application_id))

    def due(self, at: datetime) -> list[Purge]:
        """What is to be confirmed now, longest waiting first."""
        asked = "SELECT * FROM purges WHERE due_at <= ? ORDER BY due_at LIMIT 20"
        return [_purge(row) for row in rows(self.database, asked, at.timestamp())]

    def confirmed(self, purge: Purge, heard_at: datetime) -> None:
        """The gateway took the receipt."""
        self.database.execute(
            "UPDATE purges SET confirmed_at = ?, due_at = NULL, last_problem = NULL WHERE application_id = ?",
            (format_instant(heard_at.astimezone(UTC)), purge.application_id),
        )

    def postponed(self, purge: Purge, until: datetime | None, problem: Mapping[str, Any]) -> None:
        """Try again at ``until``; None leaves it to somebody's hand."""
        self.database.execute(
            "UPDATE purges SET attempts = attempts + 1, due_at = ?, last_problem = ? WHERE application_id = ?",
            (until.timestamp() if until else None, json.dumps(problem, ensure_ascii=False), purge.application_id),
        )

    def all(self) -> list[dict[str, Any]]:
        """Every purge, in the order of the withdrawals."""
        return rows(self.database, "SELECT * FROM purges ORDER BY rowid")


def _one(found: list[dict[str, Any]]) -> Purge | None:
    return _purge(found[0]) if found else None


def _purge(row: Mapping[str, Any]) -> Purge:
    purged_at = datetime.fromisoformat(row["purged_at"])
    return Purge(row["application_id"], row["authorisation_id"], purged_at, row["attempts"])
