"""Verified licences that were fetched, and what became of certificates afterwards."""

import sqlite3
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from mock_services.utility.store.rows import rows
from schemas.events import CertificateChanged, CloudEvent
from schemas.partner_api import VerifiedLicence
from schemas.wire import format_instant

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS licences (
    record_id TEXT PRIMARY KEY, application_id TEXT NOT NULL, kind TEXT NOT NULL, verdict TEXT NOT NULL,
    fetched_at TEXT NOT NULL, answer TEXT
);
CREATE TABLE IF NOT EXISTS certificate_changes (
    event_id TEXT PRIMARY KEY REFERENCES events, application_id TEXT NOT NULL, kind TEXT NOT NULL, change TEXT NOT NULL,
    verdict TEXT NOT NULL, failed_check TEXT, owner TEXT, remedy TEXT, as_of TEXT NOT NULL, found_by TEXT NOT NULL,
    received_at TEXT NOT NULL
);
"""
TABLES: Final = ("certificate_changes", "licences")


@dataclass(frozen=True)
class Licences:
    """Each method is one statement."""

    database: sqlite3.Connection

    def prepare(self) -> None:
        self.database.executescript(SCHEMA)

    def keep(self, licence: VerifiedLicence, answer: str, at: datetime) -> None:
        """Keep a signed answer, unless the authorisation has been withdrawn meanwhile."""
        self.database.execute(
            "INSERT OR IGNORE INTO licences SELECT ?, ?, ?, ?, ?, ? WHERE NOT EXISTS"
            " (SELECT 1 FROM applications WHERE application_id = ? AND withdrawn_at IS NOT NULL)",
            (
                licence.record_id,
                licence.application_id,
                licence.kind,
                licence.verdict,
                format_instant(at),
                answer,
                licence.application_id,
            ),
        )

    def of(self, application_id: str) -> list[dict[str, Any]]:
        """What was fetched for an application; ``purged`` where the answer is gone."""
        return rows(
            self.database,
            "SELECT record_id, kind, verdict, fetched_at, answer IS NULL AS purged FROM licences"
            " WHERE application_id = ? ORDER BY rowid",
            application_id,
        )

    def purge(self, application_id: str) -> None:
        """Forget what was fetched; that it was fetched stays known."""
        self.database.execute("UPDATE licences SET answer = NULL WHERE application_id = ?", (application_id,))

    def take_change(self, changed: CertificateChanged, event: CloudEvent, at: datetime) -> None:
        """Kept for the officer to decide on; work goes on, and nothing that was fetched is purged: it was true then."""
        self.database.execute(
            "INSERT OR IGNORE INTO certificate_changes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                event.id,
                event.subject,
                changed.kind,
                changed.change,
                changed.verdict,
                changed.check,
                changed.owner,
                changed.remedy,
                format_instant(changed.as_of),
                changed.found_by,
                format_instant(at),
            ),
        )

    def changes(self, application_id: str | None = None) -> list[dict[str, Any]]:
        """Every change of a certificate, once, in the order of arrival."""
        if application_id is None:
            return rows(self.database, "SELECT * FROM certificate_changes ORDER BY rowid")
        asked = "SELECT * FROM certificate_changes WHERE application_id = ? ORDER BY rowid"
        return rows(self.database, asked, application_id)
