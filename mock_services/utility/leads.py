"""Leads at the utility: kept as they are told, the project's contact asked for, and the contact reported.

The highest version of a lead counts, whatever order its events come in. A lead that is new is worked by itself, once:
whom to ask is fetched, and that the project was contacted is told; the rest is an officer's.
"""

import asyncio
import json
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from mock_services.utility.client import GatewayClient, GatewayRefused, GatewayUnavailable
from schemas.leads import LeadOffered, LeadProgressRequest, LeadRetracted
from schemas.wire import format_instant

SCHEMA = """
CREATE TABLE IF NOT EXISTS leads (
    lead_id TEXT PRIMARY KEY, version INTEGER NOT NULL, status TEXT NOT NULL, lead TEXT, retraction TEXT,
    versions_held TEXT NOT NULL, contact TEXT, claimed_at TEXT, next_try_at REAL, attempts INTEGER NOT NULL DEFAULT 0,
    last_problem TEXT
);
"""
IDLE = 0.05
"""Seconds between looks at the store."""
FIRST_BACKOFF = timedelta(milliseconds=250)
LONGEST_BACKOFF = timedelta(seconds=15)


def take_lead(database: sqlite3.Connection, told: LeadOffered | LeadRetracted, at: datetime) -> None:
    """Keep what an event of a lead says, in the event's own transaction."""
    row = database.execute("SELECT * FROM leads WHERE lead_id = ?", (told.lead_id,)).fetchone()
    if row is None:
        database.execute(
            "INSERT INTO leads (lead_id, version, status, versions_held, next_try_at) VALUES (?, 0, 'new', '[]', ?)",
            (told.lead_id, at.timestamp()),
        )
        row = database.execute("SELECT * FROM leads WHERE lead_id = ?", (told.lead_id,)).fetchone()
    held = sorted({*json.loads(row["versions_held"]), told.version})
    database.execute("UPDATE leads SET versions_held = ? WHERE lead_id = ?", (json.dumps(held), told.lead_id))
    if told.version < row["version"]:
        return
    if isinstance(told, LeadOffered):
        database.execute(
            "UPDATE leads SET version = ?, lead = ? WHERE lead_id = ?",
            (told.version, told.model_dump_json(), told.lead_id),
        )
    else:
        # What was known of whom to ask is purged: there is nothing to ask any more.
        database.execute(
            "UPDATE leads SET version = ?, status = 'retracted', retraction = ?, contact = NULL, next_try_at = NULL"
            " WHERE lead_id = ?",
            (told.version, told.reason.value, told.lead_id),
        )


@dataclass
class LeadClerk:
    """One per process; shares the store's connection."""

    client: GatewayClient
    database: sqlite3.Connection
    clock: Callable[[], datetime]

    def clear(self) -> None:
        """Forget every lead."""
        self.database.execute("DELETE FROM leads")

    def leads(self) -> list[dict[str, Any]]:
        """Every lead, in order of arrival."""
        found = [dict(row) for row in self.database.execute("SELECT * FROM leads ORDER BY rowid")]
        for row in found:
            for name in ("lead", "contact", "versions_held", "last_problem"):
                row[name] = None if row[name] is None else json.loads(row[name])
        return found

    async def run(self) -> None:
        """Until cancelled: contact what is new."""
        while True:
            now = self.clock().timestamp()
            due = self.database.execute(
                "SELECT lead_id FROM leads WHERE next_try_at <= ? ORDER BY next_try_at LIMIT 20", (now,)
            ).fetchall()
            for row in due:
                await self._contact(row["lead_id"])
            await asyncio.sleep(IDLE)

    async def tell(self, lead_id: str, status: Literal["contacted", "connected"]) -> dict[str, Any]:
        """Tell the gateway how far this lead is, claiming the same time at every try. Raises as the client does."""
        self.database.execute(
            "UPDATE leads SET claimed_at = COALESCE(claimed_at, ?) WHERE lead_id = ?",
            (format_instant(self.clock()), lead_id),
        )
        claimed = self._one(lead_id)["claimed_at"] if status == "contacted" else format_instant(self.clock())
        told = LeadProgressRequest(status=status, claimed_at=datetime.fromisoformat(claimed).astimezone(UTC))
        answer = await self.client.lead_progress(lead_id, told)
        self.database.execute(
            "UPDATE leads SET status = ?, next_try_at = NULL, last_problem = NULL WHERE lead_id = ?"
            " AND status != 'retracted'",
            (answer.status.value, lead_id),
        )
        return answer.model_dump(mode="json")

    async def _contact(self, lead_id: str) -> None:
        try:
            contact = await self.client.lead_contact(lead_id)
            self.database.execute(
                "UPDATE leads SET contact = ? WHERE lead_id = ? AND status != 'retracted'",
                (contact.model_dump_json(), lead_id),
            )
            await self.tell(lead_id, "contacted")
        except GatewayUnavailable as error:
            wait = min(FIRST_BACKOFF * (1 << min(self._one(lead_id)["attempts"], 10)), LONGEST_BACKOFF)
            wait = max(wait, timedelta(seconds=min(error.retry_after or 0, 60)))
            self._postpone(lead_id, self.clock() + wait, {"unavailable": str(error)})
        except GatewayRefused as error:
            self._postpone(lead_id, None, error.problem.model_dump(mode="json", exclude_none=True))

    def _postpone(self, lead_id: str, until: datetime | None, problem: dict[str, Any]) -> None:
        self.database.execute(
            "UPDATE leads SET attempts = attempts + 1, next_try_at = ?, last_problem = ? WHERE lead_id = ?"
            " AND status = 'new'",
            (until.timestamp() if until else None, json.dumps(problem, ensure_ascii=False), lead_id),
        )

    def _one(self, lead_id: str) -> sqlite3.Row:
        row: sqlite3.Row = self.database.execute("SELECT * FROM leads WHERE lead_id = ?", (lead_id,)).fetchone()
        return row
