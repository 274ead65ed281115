"""Applications, the plan of each, and how far it is."""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from mock_services.utility.scenario import Plan, Step
from mock_services.utility.store.rows import add_column, rows
from schemas.events import ApplicationSubmitted
from schemas.wire import format_instant

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS applications (
    application_id TEXT PRIMARY KEY, customer_class TEXT NOT NULL, submitted TEXT NOT NULL, plan TEXT NOT NULL,
    automatic INTEGER NOT NULL, step_ms INTEGER NOT NULL, steps TEXT NOT NULL, next_step INTEGER NOT NULL DEFAULT 0,
    next_step_at REAL, attempts INTEGER NOT NULL DEFAULT 0, last_problem TEXT, withdrawn_at TEXT,
    confirms_purge INTEGER NOT NULL DEFAULT 1
);
CREATE TABLE IF NOT EXISTS claims (
    application_id TEXT NOT NULL, position INTEGER NOT NULL, claimed_at TEXT NOT NULL,
    PRIMARY KEY (application_id, position)
);
"""
TABLES: Final = ("applications", "claims")


@dataclass(frozen=True)
class Work:
    """An application's next step. ``attempts`` counts the tries of this step so far."""

    application_id: str
    position: int
    step: Step
    attempts: int


@dataclass(frozen=True)
class Plans:
    """Each method is one statement."""

    database: sqlite3.Connection

    def prepare(self) -> None:
        self.database.executescript(SCHEMA)
        add_column(self.database, "applications", "confirms_purge", "INTEGER NOT NULL DEFAULT 1")

    def take(self, submitted: ApplicationSubmitted, plan: Plan, at: datetime) -> None:
        """Begin the plan of an application, in the event's own transaction."""
        steps = [step.model_dump(mode="json", exclude_none=True) for step in plan.steps_for(submitted)]
        due = at.timestamp() + plan.step_ms / 1000 if plan.automatic and steps else None
        self.database.execute(
            "INSERT OR IGNORE INTO applications (application_id, customer_class, submitted, plan, automatic, step_ms,"
            " steps, next_step_at, confirms_purge) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                submitted.application_id,
                submitted.customer_class,
                submitted.model_dump_json(),
                plan.name,
                plan.automatic,
                plan.step_ms,
                json.dumps(steps, ensure_ascii=False),
                due,
                plan.purge_receipt,
            ),
        )

    def withdraw(self, application_id: str, withdrawn_at: datetime) -> None:
        """Stop work, in the event's own transaction."""
        self.database.execute(
            "UPDATE applications SET withdrawn_at = ?, next_step_at = NULL WHERE application_id = ?",
            (format_instant(withdrawn_at.astimezone(UTC)), application_id),
        )

    def find(self, application_id: str) -> dict[str, Any] | None:
        """The application with its plan; ``steps`` and what was submitted as they are kept."""
        found = rows(self.database, "SELECT * FROM applications WHERE application_id = ?", application_id)
        return found[0] if found else None

    def all(self) -> list[dict[str, Any]]:
        found = rows(self.database, "SELECT * FROM applications ORDER BY rowid")
        for row in found:
            for name in ("submitted", "steps", "last_problem"):
                row[name] = None if row[name] is None else json.loads(row[name])
            row["finished"] = row["next_step"] >= len(row["steps"])
        return found

    def next_work(self, application_id: str) -> Work | None:
        """The next step, due or not; None when the plan has ended or the authorisation was withdrawn."""
        found = self.find(application_id)
        if found is None or found["withdrawn_at"] is not None:
            return None
        steps = json.loads(found["steps"])
        position = found["next_step"]
        if position >= len(steps):
            return None
        return Work(application_id, position, Step.model_validate(steps[position]), found["attempts"])

    def due(self, at: datetime) -> list[str]:
        """The applications with a step that is due, longest waiting first."""
        found = rows(
            self.database,
            "SELECT application_id FROM applications WHERE next_step_at <= ? ORDER BY next_step_at",
            at.timestamp(),
        )
        return [row["application_id"] for row in found]

    def claimed_at(self, work: Work, at: datetime) -> datetime:
        """When this step was done, as it was first claimed: a try that is repeated says the same again.

        ``at`` is kept at the first try, before anything is sent, so that it outlives a lost answer and a restart.
        """
        self.database.execute(
            "INSERT OR IGNORE INTO claims VALUES (?, ?, ?)", (work.application_id, work.position, format_instant(at))
        )
        (row,) = rows(
            self.database,
            "SELECT claimed_at FROM claims WHERE application_id = ? AND position = ?",
            work.application_id,
            work.position,
        )
        return datetime.fromisoformat(row["claimed_at"])

    def step_done(self, work: Work, at: datetime) -> None:
        """Move on; the next step is due after the plan's pause, or by hand."""
        self.database.execute(
            "UPDATE applications SET next_step = ?, attempts = 0, last_problem = NULL, next_step_at ="
            " CASE WHEN automatic AND ? < json_array_length(steps) THEN ? + step_ms / 1000.0 END"
            " WHERE application_id = ? AND next_step = ?",
            (work.position + 1, work.position + 1, at.timestamp(), work.application_id, work.position),
        )

    def step_postponed(self, work: Work, until: datetime | None, problem: Mapping[str, Any] | None) -> None:
        """Try again at ``until``; None halts the plan until somebody advances it by hand."""
        self.database.execute(
            "UPDATE applications SET attempts = attempts + 1, next_step_at = ?, last_problem = ?"
            " WHERE application_id = ? AND next_step = ?",
            (
                until.timestamp() if until else None,
                json.dumps(problem, ensure_ascii=False) if problem else None,
                work.application_id,
                work.position,
            ),
        )
