"""What the departments remember, in SQLite: permits with their scripts, outcomes with how far they have come.

An outcome is durable before it is pushed, and stays until it is acknowledged: a restart loses nothing.
"""

import json
import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

_SCHEMA = """
CREATE TABLE IF NOT EXISTS permits (
    permit_id TEXT PRIMARY KEY, department TEXT NOT NULL, request_id TEXT NOT NULL UNIQUE, reference TEXT NOT NULL,
    rule TEXT NOT NULL, request TEXT NOT NULL, steps TEXT NOT NULL, next_step INTEGER NOT NULL, next_step_at REAL
);
CREATE TABLE IF NOT EXISTS outcomes (
    outcome_id TEXT PRIMARY KEY, permit_id TEXT NOT NULL REFERENCES permits, department TEXT NOT NULL,
    sequence INTEGER NOT NULL, kind TEXT NOT NULL, uri TEXT NOT NULL, token TEXT NOT NULL, decided_at REAL NOT NULL,
    state TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, next_attempt_at REAL NOT NULL, held_until REAL,
    last_status INTEGER, acknowledged_at REAL, UNIQUE (permit_id, sequence)
);
CREATE INDEX IF NOT EXISTS outcomes_pending ON outcomes (state, next_attempt_at);
"""


@dataclass(frozen=True)
class Permit:
    """A permit under review. ``steps`` is the script chosen when the request came; ``next_step`` counts from 0."""

    permit_id: str
    department: str
    request_id: str
    reference: str
    rule: str
    request: dict[str, Any]
    steps: list[dict[str, Any]]
    next_step: int
    next_step_at: datetime | None


@dataclass(frozen=True)
class SentOutcome:
    """A signed outcome: ``state`` is ``pending`` or ``acknowledged``, ``last_status`` of the latest attempt."""

    outcome_id: str
    permit_id: str
    department: str
    sequence: int
    kind: str
    uri: str
    token: str
    decided_at: datetime
    state: str
    attempts: int
    next_attempt_at: datetime
    held_until: datetime | None
    last_status: int | None
    acknowledged_at: datetime | None


class Store:
    """One connection, used from one event loop; each method is one transaction."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._database = sqlite3.connect(path, isolation_level=None)
        self._database.row_factory = sqlite3.Row
        self._database.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;" + _SCHEMA)

    def close(self) -> None:
        self._database.close()

    def clear(self) -> None:
        self._database.executescript("DELETE FROM outcomes; DELETE FROM permits;")

    def add_permit(self, permit: Permit) -> None:
        """Raises ``sqlite3.IntegrityError`` for a permit or request that is there already."""
        self._database.execute(
            "INSERT INTO permits VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                permit.permit_id,
                permit.department,
                permit.request_id,
                permit.reference,
                permit.rule,
                json.dumps(permit.request, ensure_ascii=False),
                json.dumps(permit.steps, ensure_ascii=False),
                permit.next_step,
                _seconds(permit.next_step_at),
            ),
        )

    def find_permit(self, permit_id: str) -> Permit | None:
        found = self._permits("WHERE permit_id = ?", permit_id)
        return found[0] if found else None

    def permit_of_request(self, request_id: str) -> Permit | None:
        found = self._permits("WHERE request_id = ?", request_id)
        return found[0] if found else None

    def permits(self) -> list[Permit]:
        return self._permits("ORDER BY rowid")

    def due_permits(self, at: datetime) -> list[Permit]:
        """Those whose next step is due, longest waiting first."""
        return self._permits("WHERE next_step_at <= ? ORDER BY next_step_at", at.timestamp())

    def add_outcome(self, outcome: SentOutcome, *, next_step: int, next_step_at: datetime | None) -> None:
        """Keep a new outcome and move its permit's script on, in one transaction."""
        with self._database:
            self._database.execute("BEGIN IMMEDIATE")
            self._database.execute(
                "INSERT INTO outcomes (outcome_id, permit_id, department, sequence, kind, uri, token, decided_at,"
                " state, next_attempt_at, held_until) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'pending', ?, ?)",
                (
                    outcome.outcome_id,
                    outcome.permit_id,
                    outcome.department,
                    outcome.sequence,
                    outcome.kind,
                    outcome.uri,
                    outcome.token,
                    outcome.decided_at.timestamp(),
                    outcome.next_attempt_at.timestamp(),
                    _seconds(outcome.held_until),
                ),
            )
            self._database.execute(
                "UPDATE permits SET next_step = ?, next_step_at = ? WHERE permit_id = ?",
                (next_step, _seconds(next_step_at), outcome.permit_id),
            )

    def outcomes(self, permit_id: str | None = None) -> list[SentOutcome]:
        """All, or those of one permit, in the order they were decided."""
        if permit_id is None:
            return self._outcomes("ORDER BY rowid")
        return self._outcomes("WHERE permit_id = ? ORDER BY sequence", permit_id)

    def sendable(self, at: datetime) -> list[SentOutcome]:
        """For each permit the first unacknowledged outcome that nobody holds back, if it is due."""
        now = at.timestamp()
        return self._outcomes(
            "WHERE rowid IN (SELECT MIN(rowid) FROM outcomes WHERE state = 'pending'"
            " AND (held_until IS NULL OR held_until <= ?) GROUP BY permit_id) AND next_attempt_at <= ?",
            now,
            now,
        )

    def settle(self, outcome_id: str, *, status: int | None, next_attempt_at: datetime | None, at: datetime) -> None:
        """Note an attempt: acknowledged when there is no next one. An acknowledgement frees what was held back."""
        with self._database:
            self._database.execute("BEGIN IMMEDIATE")
            if next_attempt_at is not None:
                self._database.execute(
                    "UPDATE outcomes SET attempts = attempts + 1, last_status = ?, next_attempt_at = ?"
                    " WHERE outcome_id = ?",
                    (status, next_attempt_at.timestamp(), outcome_id),
                )
                return
            self._database.execute(
                "UPDATE outcomes SET attempts = attempts + 1, last_status = ?, state = 'acknowledged',"
                " acknowledged_at = ? WHERE outcome_id = ?",
                (status, at.timestamp(), outcome_id),
            )
            self._database.execute(
                "UPDATE outcomes SET held_until = NULL WHERE permit_id ="
                " (SELECT permit_id FROM outcomes WHERE outcome_id = ?)",
                (outcome_id,),
            )

    def _permits(self, where: str, *values: Any) -> list[Permit]:
        rows = self._database.execute(f"SELECT * FROM permits {where}", values)  # noqa: S608 - fixed texts above
        return [
            Permit(
                **{
                    **dict(row),
                    "request": json.loads(row["request"]),
                    "steps": json.loads(row["steps"]),
                    "next_step_at": _instant(row["next_step_at"]),
                }
            )
            for row in rows
        ]

    def _outcomes(self, where: str, *values: Any) -> list[SentOutcome]:
        rows = self._database.execute(f"SELECT * FROM outcomes {where}", values)  # noqa: S608 - fixed texts above
        times = ("decided_at", "next_attempt_at", "held_until", "acknowledged_at")
        return [SentOutcome(**{**dict(row), **{name: _instant(row[name]) for name in times}}) for row in rows]


def _seconds(at: datetime | None) -> float | None:
    return None if at is None else at.timestamp()


def _instant(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
