"""What the platform remembers, in SQLite: of each project what it says now, and each version with how far it has come.

A version is durable before it is pushed, and stays until it is acknowledged: a restart loses nothing.
"""

import json
import sqlite3
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

_SCHEMA = """
CREATE TABLE IF NOT EXISTS projects (works_code TEXT PRIMARY KEY, version INTEGER NOT NULL, tables TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS pushes (
    push_id INTEGER PRIMARY KEY, works_code TEXT NOT NULL REFERENCES projects, version INTEGER NOT NULL,
    token TEXT NOT NULL, state TEXT NOT NULL DEFAULT 'pending', attempts INTEGER NOT NULL DEFAULT 0,
    next_attempt_at REAL NOT NULL, held_until REAL, last_status INTEGER, answer TEXT
);
CREATE INDEX IF NOT EXISTS pushes_pending ON pushes (state, next_attempt_at);
"""


@dataclass(frozen=True)
class Push:
    """A version on its way: ``token`` is the signed push. ``attempts`` counts those made so far."""

    push_id: int
    works_code: str
    version: int
    token: str
    attempts: int


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
        """Forget everything."""
        self._database.executescript("DELETE FROM pushes; DELETE FROM projects;")

    def project(self, works_code: str) -> tuple[int, dict[str, Any]] | None:
        """The last version and its tables."""
        row = self._database.execute("SELECT * FROM projects WHERE works_code = ?", (works_code,)).fetchone()
        return None if row is None else (row["version"], json.loads(row["tables"]))

    def say(
        self,
        works_code: str,
        version: int,
        tables: dict[str, Any],
        token: str,
        at: datetime,
        held_until: datetime | None,
    ) -> None:
        """Keep a version and its push; ``held_until`` lets a later one overtake it."""
        with self._database:
            self._database.execute("BEGIN IMMEDIATE")
            self._database.execute(
                "INSERT INTO projects VALUES (?, ?, ?) ON CONFLICT (works_code) DO UPDATE SET version ="
                " excluded.version, tables = excluded.tables",
                (works_code, version, json.dumps(tables, ensure_ascii=False)),
            )
            self._database.execute(
                "INSERT INTO pushes (works_code, version, token, next_attempt_at, held_until) VALUES (?, ?, ?, ?, ?)",
                (works_code, version, token, at.timestamp(), held_until.timestamp() if held_until else None),
            )

    def repeat(self, works_code: str, at: datetime) -> bool:
        """Push the last version again; False where there is none."""
        return (
            self._database.execute(
                "UPDATE pushes SET state = 'pending', next_attempt_at = ? WHERE push_id ="
                " (SELECT MAX(push_id) FROM pushes WHERE works_code = ?)",
                (at.timestamp(), works_code),
            ).rowcount
            == 1
        )

    def sendable(self, at: datetime) -> list[Push]:
        """For each project the first version that is not acknowledged and that nobody holds back, if it is due."""
        now = at.timestamp()
        rows = self._database.execute(
            "SELECT push_id, works_code, version, token, attempts FROM pushes WHERE push_id IN (SELECT MIN(push_id)"
            " FROM pushes WHERE state = 'pending' AND (held_until IS NULL OR held_until <= ?) GROUP BY works_code)"
            " AND next_attempt_at <= ?",
            (now, now),
        )
        return [Push(**dict(row)) for row in rows]

    def settle(self, push: Push, status: int | None, answer: str | None, next_attempt_at: datetime | None) -> None:
        """Note an attempt: acknowledged when there is no next one, which frees what was held back."""
        state = "acknowledged" if next_attempt_at is None else "pending"
        due = next_attempt_at.timestamp() if next_attempt_at else 0
        with self._database:
            self._database.execute("BEGIN IMMEDIATE")
            self._database.execute(
                "UPDATE pushes SET attempts = attempts + 1, last_status = ?, answer = ?, state = ?, next_attempt_at = ?"
                " WHERE push_id = ?",
                (status, answer, state, due, push.push_id),
            )
            if next_attempt_at is None:
                self._database.execute("UPDATE pushes SET held_until = NULL WHERE works_code = ?", (push.works_code,))

    def projects(self) -> list[dict[str, Any]]:
        """Every project with its tables and its pushes, without the signed bytes."""
        found = []
        for row in self._database.execute("SELECT * FROM projects ORDER BY rowid").fetchall():
            pushes = self._database.execute(
                "SELECT version, state, attempts, last_status, answer FROM pushes WHERE works_code = ?"
                " ORDER BY push_id",
                (row["works_code"],),
            )
            told = [{**dict(each), "answer": json.loads(each["answer"] or "null")} for each in pushes]
            found.append({**dict(row), "tables": json.loads(row["tables"]), "pushes": told})
        return found
