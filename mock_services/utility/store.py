"""The utility's own database, SQLite: what came by webhook, what was fetched, how far each application is.

An event and its effect are one transaction, so a repeated event finds its first copy and does nothing more.
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from mock_services.utility.leads import SCHEMA as LEADS
from mock_services.utility.leads import take_lead
from mock_services.utility.scenario import Plan, Step
from schemas.contracts import ContractDeclined, ContractSigned
from schemas.events import (
    EPOCH,
    ApplicationSubmitted,
    ApplicationWithdrawn,
    AuthorisationWithdrawn,
    CertificateChanged,
    CloudEvent,
    EventType,
    PermitOutcome,
    ReviewOpened,
    follows,
)
from schemas.leads import LeadOffered, LeadRetracted
from schemas.partner_api import VerifiedLicence
from schemas.ratings import ServiceRated
from schemas.wire import format_instant

_SCHEMA = """
CREATE TABLE IF NOT EXISTS events (
    event_id TEXT PRIMARY KEY, application_id TEXT NOT NULL, sequence INTEGER NOT NULL, type TEXT NOT NULL,
    received_at TEXT NOT NULL, body_sha256 TEXT NOT NULL, body BLOB NOT NULL, repeats INTEGER NOT NULL DEFAULT 0,
    position INTEGER
);
CREATE TABLE IF NOT EXISTS conformance_tests (event_id TEXT PRIMARY KEY, body_sha256 TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS applications (
    application_id TEXT PRIMARY KEY, customer_class TEXT NOT NULL, submitted TEXT NOT NULL, plan TEXT NOT NULL,
    automatic INTEGER NOT NULL, step_ms INTEGER NOT NULL, steps TEXT NOT NULL, next_step INTEGER NOT NULL DEFAULT 0,
    next_step_at REAL, attempts INTEGER NOT NULL DEFAULT 0, last_problem TEXT, withdrawn_at TEXT
);
CREATE TABLE IF NOT EXISTS reviews (
    review_id TEXT PRIMARY KEY, application_id TEXT NOT NULL, permits TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS outcomes (
    outcome_id TEXT PRIMARY KEY, application_id TEXT NOT NULL, review_id TEXT NOT NULL, permit_id TEXT NOT NULL,
    department TEXT NOT NULL, sequence INTEGER NOT NULL, outcome TEXT NOT NULL, supersedes TEXT,
    permit_state TEXT NOT NULL, review_state TEXT NOT NULL, signed_outcome TEXT NOT NULL, signature TEXT NOT NULL,
    event_id TEXT NOT NULL REFERENCES events, received_at TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS licences (
    record_id TEXT PRIMARY KEY, application_id TEXT NOT NULL, kind TEXT NOT NULL, verdict TEXT NOT NULL,
    fetched_at TEXT NOT NULL, answer TEXT
);
CREATE TABLE IF NOT EXISTS certificate_changes (
    event_id TEXT PRIMARY KEY REFERENCES events, application_id TEXT NOT NULL, kind TEXT NOT NULL, change TEXT NOT NULL,
    verdict TEXT NOT NULL, failed_check TEXT, owner TEXT, remedy TEXT, as_of TEXT NOT NULL, found_by TEXT NOT NULL,
    received_at TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS claims (
    application_id TEXT NOT NULL, position INTEGER NOT NULL, claimed_at TEXT NOT NULL,
    PRIMARY KEY (application_id, position)
);
"""


EventData = (
    ApplicationSubmitted
    | ApplicationWithdrawn
    | AuthorisationWithdrawn
    | ReviewOpened
    | PermitOutcome
    | CertificateChanged
    | ContractSigned
    | ContractDeclined
    | ServiceRated
    | LeadOffered
    | LeadRetracted
)
"""``data`` of the events that this utility takes."""


MOST_HOLES = 100


def _holes(numbers: set[int]) -> list[int]:
    """The first numbers that are missing below the highest, in each epoch from its first on."""
    return list(islice(_missing(sorted(numbers)), MOST_HOLES))


def _missing(numbers: list[int]) -> Iterator[int]:
    before = 0
    for number in numbers:
        if not follows(number, before):
            yield from range(max(before, number - number % EPOCH) + 1, number)
        before = number


class EventChanged(Exception):
    """An event id came again with another body."""


@dataclass(frozen=True)
class Work:
    """An application's next step. ``attempts`` counts the tries of this step so far."""

    application_id: str
    position: int
    step: Step
    attempts: int


class Store:
    """One connection, used from one event loop; each method is one transaction."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._database = sqlite3.connect(path, isolation_level=None)
        self._database.row_factory = sqlite3.Row
        self._database.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;" + _SCHEMA + LEADS)
        if "position" not in {row["name"] for row in self._database.execute("PRAGMA table_info(events)")}:
            self._database.execute("ALTER TABLE events ADD COLUMN position INTEGER")

    @property
    def connection(self) -> sqlite3.Connection:
        """For what else keeps its tables here."""
        return self._database

    def close(self) -> None:
        self._database.close()

    def clear(self) -> None:
        """Forget everything."""
        self._database.executescript(
            "DELETE FROM outcomes; DELETE FROM certificate_changes; DELETE FROM events; DELETE FROM applications;"
            " DELETE FROM reviews; DELETE FROM licences; DELETE FROM claims; DELETE FROM conformance_tests;"
        )

    def receive(
        self,
        event: CloudEvent,
        body: bytes,
        body_sha256: str,
        effect: "Effect",
        at: datetime,
    ) -> bool:
        """Keep the event and its effect together; False if it was here before, and nothing was done.

        Raises ``EventChanged``.
        """
        with self._database:
            self._database.execute("BEGIN IMMEDIATE")
            known = self._database.execute("SELECT body_sha256 FROM events WHERE event_id = ?", (event.id,)).fetchone()
            if known is not None:
                if known["body_sha256"] != body_sha256:
                    raise EventChanged
                self._database.execute("UPDATE events SET repeats = repeats + 1 WHERE event_id = ?", (event.id,))
                return False
            self._database.execute(
                "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, 0, ?)",
                (
                    event.id,
                    event.subject,
                    event.sequence,
                    event.type,
                    format_instant(at),
                    body_sha256,
                    body,
                    event.position,
                ),
            )
            effect.apply(self._database, event, at)
            return True

    def event(self, event_id: str) -> dict[str, Any] | None:
        """What is known of an event: when it came, its digest, how often it came again."""
        rows = self._rows(
            "SELECT event_id, application_id, sequence, position, type, received_at, body_sha256, repeats FROM events"
            " WHERE event_id = ?",
            event_id,
        )
        return rows[0] if rows else None

    def events(self) -> list[dict[str, Any]]:
        return self._rows(
            "SELECT event_id, application_id, sequence, position, type, received_at, body_sha256, repeats FROM events"
            " ORDER BY rowid"
        )

    def holes(self) -> dict[str, Any]:
        """What the numbers inside the events say: positions and sequences that are missing, at most ``MOST_HOLES``
        each, and ``late`` events, which came after one of their application with a higher sequence.
        """
        held: dict[str, set[int]] = {}
        positions = set()
        late: list[str] = []
        last: dict[str, int] = {}
        for row in self._rows("SELECT event_id, application_id, sequence, position FROM events ORDER BY rowid"):
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

    def applications(self) -> list[dict[str, Any]]:
        found = self._rows("SELECT * FROM applications ORDER BY rowid")
        for row in found:
            for name in ("submitted", "steps", "last_problem"):
                row[name] = None if row[name] is None else json.loads(row[name])
            row["licences"] = self.licences(row["application_id"])
            row["finished"] = row["next_step"] >= len(row["steps"])
        return found

    def outcomes(self, application_id: str | None = None) -> list[dict[str, Any]]:
        """Every outcome, once, in the order of arrival."""
        if application_id is None:
            return self._rows("SELECT * FROM outcomes ORDER BY rowid")
        return self._rows("SELECT * FROM outcomes WHERE application_id = ? ORDER BY rowid", application_id)

    def certificate_changes(self, application_id: str | None = None) -> list[dict[str, Any]]:
        """Every change of a certificate, once, in the order of arrival."""
        if application_id is None:
            return self._rows("SELECT * FROM certificate_changes ORDER BY rowid")
        return self._rows("SELECT * FROM certificate_changes WHERE application_id = ? ORDER BY rowid", application_id)

    def licences(self, application_id: str) -> list[dict[str, Any]]:
        return self._rows(
            "SELECT record_id, kind, verdict, fetched_at, answer IS NULL AS purged FROM licences"
            " WHERE application_id = ? ORDER BY rowid",
            application_id,
        )

    def receive_test(self, event_id: str, body_sha256: str) -> bool:
        """Keep that a conformance test came, beside all events; False where it had come. Raises ``EventChanged``."""
        known = self.test_digest(event_id)
        if known not in (None, body_sha256):
            raise EventChanged
        self._database.execute("INSERT OR IGNORE INTO conformance_tests VALUES (?, ?)", (event_id, body_sha256))
        return known is None

    def test_digest(self, event_id: str) -> str | None:
        """Digest of the body of a conformance test that came."""
        rows = self._rows("SELECT body_sha256 FROM conformance_tests WHERE event_id = ?", event_id)
        return rows[0]["body_sha256"] if rows else None

    def keep_licence(self, licence: VerifiedLicence, answer: str, at: datetime) -> None:
        """Keep a signed answer, unless the authorisation has been withdrawn meanwhile."""
        self._database.execute(
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

    def next_work(self, application_id: str) -> Work | None:
        """The next step, due or not; None when the plan has ended or the authorisation was withdrawn."""
        rows = self._rows(
            "SELECT * FROM applications WHERE application_id = ? AND withdrawn_at IS NULL", application_id
        )
        if not rows:
            return None
        steps = json.loads(rows[0]["steps"])
        position = rows[0]["next_step"]
        if position >= len(steps):
            return None
        return Work(application_id, position, Step.model_validate(steps[position]), rows[0]["attempts"])

    def due_applications(self, at: datetime) -> list[str]:
        """Those with a step that is due, longest waiting first."""
        rows = self._rows(
            "SELECT application_id FROM applications WHERE next_step_at <= ? ORDER BY next_step_at", at.timestamp()
        )
        return [row["application_id"] for row in rows]

    def claimed_at(self, work: Work, at: datetime) -> datetime:
        """When this step was done, as it was first claimed: a try that is repeated says the same again.

        ``at`` is kept at the first try, before anything is sent, so that it outlives a lost answer and a restart.
        """
        self._database.execute(
            "INSERT OR IGNORE INTO claims VALUES (?, ?, ?)", (work.application_id, work.position, format_instant(at))
        )
        (row,) = self._rows(
            "SELECT claimed_at FROM claims WHERE application_id = ? AND position = ?",
            work.application_id,
            work.position,
        )
        return datetime.fromisoformat(row["claimed_at"])

    def step_done(self, work: Work, at: datetime) -> None:
        """Move on; the next step is due after the plan's pause, or by hand."""
        self._database.execute(
            "UPDATE applications SET next_step = ?, attempts = 0, last_problem = NULL, next_step_at ="
            " CASE WHEN automatic AND ? < json_array_length(steps) THEN ? + step_ms / 1000.0 END"
            " WHERE application_id = ? AND next_step = ?",
            (work.position + 1, work.position + 1, at.timestamp(), work.application_id, work.position),
        )

    def step_postponed(self, work: Work, until: datetime | None, problem: Mapping[str, Any] | None) -> None:
        """Try again at ``until``; None halts the plan until somebody advances it by hand."""
        self._database.execute(
            "UPDATE applications SET attempts = attempts + 1, next_step_at = ?, last_problem = ?"
            " WHERE application_id = ? AND next_step = ?",
            (
                until.timestamp() if until else None,
                json.dumps(problem, ensure_ascii=False) if problem else None,
                work.application_id,
                work.position,
            ),
        )

    def permits_approved(self, application_id: str) -> bool:
        """Every permit of the application's joint review has an approval as its latest outcome (or needs none)."""
        reviews = self._rows("SELECT permits FROM reviews WHERE application_id = ?", application_id)
        latest = {
            row["permit_id"]: row["outcome"]
            for row in self._rows(
                "SELECT permit_id, outcome FROM outcomes WHERE application_id = ? ORDER BY sequence", application_id
            )
        }
        permits = [permit for review in reviews for permit in json.loads(review["permits"])]
        return bool(permits) and all(
            permit["mode"] == "exempt" or latest.get(permit["permit_id"]) == "approved" for permit in permits
        )

    def withdrawn_authorisation(self, application_id: str) -> str | None:
        """The authorisation of a withdrawn application, to be told that it was purged."""
        asked = "SELECT submitted FROM applications WHERE application_id = ? AND withdrawn_at IS NOT NULL"
        found = self._rows(asked, application_id)
        return json.loads(found[0]["submitted"])["authorisation_id"] if found else None

    def contract_signed(self, application_id: str) -> bool:
        """The applicant signed the supply contract: the gateway's event says so."""
        signed = "SELECT 1 FROM events WHERE application_id = ? AND type = ?"
        return bool(self._rows(signed, application_id, EventType.CONTRACT_SIGNED.value))

    def _rows(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        return [dict(row) for row in self._database.execute(statement, values)]


@dataclass(frozen=True)
class Effect:
    """What an event changes here. Built before the transaction, applied inside it."""

    data: EventData
    plan: Plan | None = None
    signature: str = "unknown_key"

    def apply(self, database: sqlite3.Connection, event: CloudEvent, at: datetime) -> None:
        match self.data:
            case ApplicationSubmitted() as submitted if self.plan is not None:
                _take_application(database, submitted, self.plan, at)
            case ApplicationWithdrawn() | AuthorisationWithdrawn() as withdrawn:
                _withdraw(database, withdrawn)
            case ReviewOpened() as review:
                permits = json.dumps([permit.model_dump(mode="json") for permit in review.permits])
                database.execute(
                    "INSERT OR REPLACE INTO reviews VALUES (?, ?, ?)",
                    (review.review_id, review.application_id, permits),
                )
            case PermitOutcome() as outcome:
                _take_outcome(database, outcome, event, self.signature, at)
            case CertificateChanged() as changed:
                _take_change(database, changed, event, at)
            case LeadOffered() | LeadRetracted() as told:
                take_lead(database, told, at)


def _take_application(database: sqlite3.Connection, submitted: ApplicationSubmitted, plan: Plan, at: datetime) -> None:
    steps = [step.model_dump(mode="json", exclude_none=True) for step in plan.steps_for(submitted)]
    due = at.timestamp() + plan.step_ms / 1000 if plan.automatic and steps else None
    database.execute(
        "INSERT OR IGNORE INTO applications (application_id, customer_class, submitted, plan, automatic, step_ms,"
        " steps, next_step_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            submitted.application_id,
            submitted.customer_class,
            submitted.model_dump_json(),
            plan.name,
            plan.automatic,
            plan.step_ms,
            json.dumps(steps, ensure_ascii=False),
            due,
        ),
    )


def _withdraw(database: sqlite3.Connection, withdrawn: ApplicationWithdrawn | AuthorisationWithdrawn) -> None:
    """Stop work and purge what was fetched; that it was fetched stays known."""
    database.execute(
        "UPDATE applications SET withdrawn_at = ?, next_step_at = NULL WHERE application_id = ?",
        (format_instant(withdrawn.withdrawn_at.astimezone(UTC)), withdrawn.application_id),
    )
    database.execute("UPDATE licences SET answer = NULL WHERE application_id = ?", (withdrawn.application_id,))


def _take_outcome(
    database: sqlite3.Connection, outcome: PermitOutcome, event: CloudEvent, signature: str, at: datetime
) -> None:
    database.execute(
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


def _take_change(database: sqlite3.Connection, changed: CertificateChanged, event: CloudEvent, at: datetime) -> None:
    """Kept for the officer to decide on; work goes on, and nothing that was fetched is purged: it was true then."""
    database.execute(
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
