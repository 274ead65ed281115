"""Rows that only have to be there: copies of those of a smaller province, made by PostgreSQL itself.

Ids, digests and positions are others, so that every key is its own; what is sealed cannot be opened under them, and
whoever measures keeps to the originals. The record has entries of its own about copies, as real as all others.
"""

from collections.abc import Callable
from typing import Final

from sqlalchemy import Column, Connection, Table, text
from sqlalchemy.types import Text

from adapters.storage.application_certificates import application_certificates
from adapters.storage.applications import application_parties, applications, stage_events
from adapters.storage.authorisations import authorisations
from adapters.storage.certificates import certificate_copies
from adapters.storage.deadline_looks import deadline_looks
from adapters.storage.deliveries import delivery_attempts, outbox, outbox_counters
from adapters.storage.evidence import application_evidence, application_proofs, evidence_documents
from adapters.storage.named_persons import named_persons
from adapters.storage.notices import notices
from adapters.storage.ratings import service_ratings
from adapters.storage.reviews import review_tasks
from tests.bench.growth.province import WORKS

COPIED: Final = (
    *(applications, application_parties, authorisations, application_certificates, certificate_copies),
    *(evidence_documents, application_evidence, application_proofs, outbox, delivery_attempts, outbox_counters),
    *(stage_events, notices, named_persons, service_ratings, review_tasks, deadline_looks),
)
_OWN: Final = frozenset(
    {
        *("application_id", "authorisation_id", "holder_digest", "digest", "proof_digest", "event_id", "subject"),
        *("notice_key", "person_digest", "task_id", "intake_id", "series_digest", "identifier_digest"),
    }
)
"""Columns whose value is another in each copy."""
_ONLY: Final = {
    "outbox_counters": "subject <> ''",
    # A claim opens what it takes.
    "outbox": f"state <> 'pending' OR destination <> '{WORKS}'",
}


def of_copy(own: str, copy: int) -> str:
    """The id that stands for ``own`` in the ``copy``-th copy; 0 is the original."""
    return f"{own}{copy}" if copy else own


def add_ballast(connection: Connection, copies: int, tell: Callable[[str], None]) -> int:
    """``copies`` − 1 copies of every row that is there; answers how many rows that made. On PostgreSQL alone."""
    made = 0
    for table in COPIED:
        with connection.begin():
            connection.execute(text("SET LOCAL session_replication_role = replica"))
            connection.execute(text("SET LOCAL synchronous_commit = off"))
            made += connection.execute(text(_copying(table)), {"last": copies - 1}).rowcount
        tell(f"  {table.name} copied")
    return made


def _copying(table: Table) -> str:
    names = ", ".join(f'"{column.name}"' for column in table.c)
    values = ", ".join(_value(table, column) for column in table.c)
    rows = f'FROM "{table.name}" r, generate_series(1, :last) k WHERE {_ONLY.get(table.name, "true")}'
    return f'INSERT INTO "{table.name}" ({names}) SELECT {values} {rows}'


def _value(table: Table, column: Column[object]) -> str:
    if column.name == "position":
        return "position + k"
    if column.name in _OWN and isinstance(column.type, Text):
        return f'"{column.name}" || k::text'
    return f'"{column.name}"'
