"""The parts of the store over one connection."""

import sqlite3
from datetime import datetime
from pathlib import Path
from typing import Any

from mock_services.utility.leads import SCHEMA as LEADS
from mock_services.utility.store import decisions, events, licences, permits, plans, purges
from mock_services.utility.store.effects import Effect
from schemas.events import CloudEvent

_TABLES = tuple(table for part in (permits, licences, events, plans, decisions, purges) for table in part.TABLES)


class Store:
    """One connection, used from one event loop."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.connection = sqlite3.connect(path, isolation_level=None)
        """For what else keeps its tables here."""
        self.connection.row_factory = sqlite3.Row
        self.connection.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;" + LEADS)
        self.events = events.Events(self.connection)
        self.plans = plans.Plans(self.connection)
        self.permits = permits.Permits(self.connection)
        self.licences = licences.Licences(self.connection)
        self.decisions = decisions.Decisions(self.connection)
        self.purges = purges.Purges(self.connection)
        for part in (self.events, self.plans, self.permits, self.licences, self.decisions, self.purges):
            part.prepare()

    def close(self) -> None:
        self.connection.close()

    def clear(self) -> None:
        """Forget everything."""
        self.connection.executescript("".join(f"DELETE FROM {table};" for table in _TABLES))  # noqa: S608 - names of ours

    def receive(self, event: CloudEvent, body: bytes, body_sha256: str, effect: Effect, at: datetime) -> bool:
        """Keep the event and its effect together; False if it was here before, and nothing was done.

        Raises ``EventChanged``.
        """
        return self.events.receive(event, body, body_sha256, at, lambda: effect.apply(self, event, at))

    def applications(self) -> list[dict[str, Any]]:
        """Every application with its plan, the next step, what halted it, and what was fetched for it."""
        return [{**each, "licences": self.licences.of(each["application_id"])} for each in self.plans.all()]
