"""Table and repository of whom certificates name beside their holder: keyed digests, and what was recorded of them."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Column, Index, Row, Table, Text, bindparam, delete, select
from sqlalchemy.dialects.postgresql import insert as insert_or

from adapters.storage.constant import Constant
from adapters.storage.records import record_entries
from adapters.storage.sealed import SealedText
from adapters.storage.statements import Statements
from adapters.storage.tables import metadata
from gateway.certificates.named_persons import OthersNamed
from gateway.progress.bundles import ACTION as BUNDLES
from gateway.progress.bundles import given_whole
from gateway.progress.ports import EntryNaming
from gateway.records.ports import StoredEntry

named_persons = Table(
    "named_persons",
    metadata,
    Column("subject", Text, primary_key=True),
    Column("content_digest", Text, primary_key=True),
    Column("person_digest", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("label", SealedText),
    Index("ix_named_persons_person_digest", "person_digest"),
)
"""``subject`` is that of record entries: an application, or the review task that came before one."""

_ADD = Constant(
    insert_or(named_persons)
    .values({name: bindparam(name) for name in named_persons.c.keys()})  # noqa: SIM118 - its columns are no names
    .on_conflict_do_nothing()
)
_NAMING = (
    select(named_persons, *(record_entries.c[name] for name in ("log_id", "sequence", "leaf", "leaf_hash", "action")))
    .join(named_persons, named_persons.c.subject == record_entries.c.subject)
    .where(
        named_persons.c.person_digest == bindparam("person"),
        record_entries.c.action.in_(bindparam("actions", expanding=True)),
    )
)


class SqlNamedPersons:
    """``gateway.certificates.named_persons.NamedPersons``, and ``EntriesNaming`` of the progress room."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    def add(self, subject: str, kind: str, content_digest: str, others: OthersNamed) -> None:
        own = {"subject": subject, "kind": kind, "content_digest": content_digest, "label": others.label}
        rows = [
            self._statements.sealed(named_persons, {**own, "person_digest": person})
            for person in sorted(others.persons)
        ]
        for row in rows:
            self._statements.do(_ADD, row)

    def entries_naming(self, person: str, actions: Collection[str]) -> Sequence[EntryNaming]:
        rows = self._statements.execute(_NAMING, {"person": person, "actions": sorted(actions)})
        return [self._naming(row) for row in rows]

    def _naming(self, row: Row[Any]) -> EntryNaming:
        entry = StoredEntry(row.log_id, row.sequence, row.leaf, row.leaf_hash, row.action, row.subject)
        label = self._statements.opened(named_persons, row)["label"]
        return EntryNaming(entry, row.kind, row.content_digest, label)


def forget_named(statements: Statements, applications: Collection[str], shown_after: datetime) -> None:
    """The time of these applications' personal data is over.

    Whoever had everything of one after it was closed is shown for as long as any access is: until then those whom its
    certificates name are left, for a policy of their own, so that they do not see when it was closed.
    """
    whole = select(record_entries.c.subject, record_entries.c.leaf).where(
        record_entries.c.subject.in_(sorted(applications)), record_entries.c.action == BUNDLES
    )
    given = ((row.subject, orjson.loads(row.leaf)) for row in statements.execute(whole))
    shown = {
        subject for subject, entry in given if given_whole(entry) and datetime.fromisoformat(entry["at"]) > shown_after
    }
    over = sorted(set(applications) - shown)
    statements.execute(delete(named_persons).where(named_persons.c.subject.in_(over)))
