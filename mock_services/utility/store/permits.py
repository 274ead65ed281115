"""Joint reviews, and what departments decided in them."""

import json
import sqlite3
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from mock_services.utility.store.rows import rows
from schemas.events import CloudEvent, PermitOutcome, ReviewOpened
from schemas.wire import format_instant

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS reviews (
    review_id TEXT PRIMARY KEY, application_id TEXT NOT NULL, permits TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS outcomes (
    outcome_id TEXT PRIMARY KEY, application_id TEXT NOT NULL, review_id TEXT NOT NULL, permit_id TEXT NOT NULL,
    department TEXT NOT NULL, sequence INTEGER NOT NULL, outcome TEXT NOT NULL, supersedes TEXT,
    permit_state TEXT NOT NULL, review_state TEXT NOT NULL, signed_outcome TEXT NOT NULL, signature TEXT NOT NULL,
    event_id TEXT NOT NULL REFERENCES events, received_at TEXT NOT NULL
);
"""
TABLES: Final = ("outcomes", "reviews")


@dataclass(frozen=True)
class Permits:
    """What is taken is taken in its event's own transaction."""

    database: sqlite3.Connection

    def prepare(self) -> None:
        self.database.executescript(SCHEMA)

    def take_review(self, review: ReviewOpened) -> None:
        permits = json.dumps([permit.model_dump(mode="json") for permit in review.permits])
        values = (review.review_id, review.application_id, permits)
        self.database.execute("INSERT OR REPLACE INTO reviews VALUES (?, ?, ?)", values)

    def take_outcome(self, outcome: PermitOutcome, event: CloudEvent, signature: str, at: datetime) -> None:
        """``signature`` – ``verified`` or ``unknown_key``."""
        self.database.execute(
            "INSERT OR IGNORE INTO outcomes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                outcome.outcome_id,
                event.subject,
                outcome.review_id,
                outcome.permit_id,
                outcome.department,
                outcome.outcome_sequence,
                outcome.outcome.value,
                outcome.supersedes,
                outcome.permit_state,
                outcome.review_state,
                outcome.signed_outcome,
                signature,
                event.id,
                format_instant(at),
            ),
        )

    def outcomes(self, application_id: str | None = None) -> list[dict[str, Any]]:
        """Every outcome, once, in the order of arrival."""
        if application_id is None:
            return rows(self.database, "SELECT * FROM outcomes ORDER BY rowid")
        return rows(self.database, "SELECT * FROM outcomes WHERE application_id = ? ORDER BY rowid", application_id)

    def approved(self, application_id: str) -> bool:
        """Every permit of the application's joint review has an approval as its latest outcome (or needs none)."""
        reviews = rows(self.database, "SELECT permits FROM reviews WHERE application_id = ?", application_id)
        decided = "SELECT permit_id, outcome FROM outcomes WHERE application_id = ? ORDER BY sequence"
        latest = {row["permit_id"]: row["outcome"] for row in rows(self.database, decided, application_id)}
        permits = [permit for review in reviews for permit in json.loads(review["permits"])]
        return bool(permits) and all(
            permit["mode"] == "exempt" or latest.get(permit["permit_id"]) == "approved" for permit in permits
        )
