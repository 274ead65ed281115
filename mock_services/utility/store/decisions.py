"""What applicants decided: contracts that they signed or declined, and how they rated the service."""

import json
import sqlite3
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from mock_services.utility.store.rows import rows
from schemas.contracts import ContractDeclined, ContractSigned
from schemas.ratings import ServiceRated
from schemas.wire import format_instant

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS contracts (
    contract_id TEXT PRIMARY KEY, application_id TEXT NOT NULL, version INTEGER NOT NULL, signed INTEGER NOT NULL,
    contract_sha256 TEXT NOT NULL, statement TEXT, reason TEXT, told_at TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS ratings (
    application_id TEXT PRIMARY KEY, level TEXT NOT NULL, tags TEXT NOT NULL, text TEXT, rated_at TEXT NOT NULL,
    answer_by TEXT
);
"""
TABLES: Final = ("contracts", "ratings")


@dataclass(frozen=True)
class Decisions:
    """What is taken is taken in its event's own transaction."""

    database: sqlite3.Connection

    def prepare(self) -> None:
        self.database.executescript(SCHEMA)

    def take_contract(self, told: ContractSigned | ContractDeclined, at: datetime) -> None:
        """``statement`` is the gateway's signature over what was signed: it stays beside the document."""
        signed = isinstance(told, ContractSigned)
        named = (told.contract_id, told.application_id, told.version, signed, told.contract_sha256)
        words = (told.statement, None) if isinstance(told, ContractSigned) else (None, told.reason)
        self.database.execute(
            "INSERT OR IGNORE INTO contracts VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (*named, *words, format_instant(at))
        )

    def take_rating(self, told: ServiceRated) -> None:
        answer_by = format_instant(told.answer_by) if told.answer_by else None
        tags = json.dumps([each.value for each in told.tags])
        values = (told.application_id, told.level.value, tags, told.text, format_instant(told.rated_at), answer_by)
        self.database.execute("INSERT OR IGNORE INTO ratings VALUES (?, ?, ?, ?, ?, ?)", values)

    def contract_signed(self, application_id: str) -> bool:
        """The applicant signed the supply contract: the gateway's event says so."""
        return bool(rows(self.database, "SELECT 1 FROM contracts WHERE application_id = ? AND signed", application_id))

    def contracts(self) -> list[dict[str, Any]]:
        """Every contract that was decided on, in the order of arrival."""
        return rows(self.database, "SELECT * FROM contracts ORDER BY rowid")

    def ratings(self) -> list[dict[str, Any]]:
        """Every rating, in the order of arrival."""
        found = rows(self.database, "SELECT * FROM ratings ORDER BY rowid")
        return [{**row, "tags": json.loads(row["tags"])} for row in found]
