"""Which applications rest on which certificates: an index over their documents, and when each was looked at.

Digests, codes and dates alone. Rows are written where the documents are (``storage/applications.py``), in one commit.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Column, ColumnElement, Date, ForeignKey, Index, Table, Text, bindparam, select, update

from adapters.storage.constant import Constant
from adapters.storage.statements import Statements
from adapters.storage.tables import UtcInstant, metadata
from adapters.storage.together import AddTogether
from gateway.applications.model import ApplicationDocument, GridConnectionApplication
from gateway.rechecks.ports import LastLook

application_certificates = Table(
    "application_certificates",
    metadata,
    Column("application_id", Text, ForeignKey("applications.application_id"), primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("holder_digest", Text, nullable=False),
    Column("source", Text),
    Column("identifier_digest", Text),
    Column("series_digest", Text),
    Column("content_digest", Text),
    Column("expires_on", Date),
    Column("verdict", Text, nullable=False),
    Column("failed_check", Text),
    Column("as_of", UtcInstant),
    Column("looked_at", UtcInstant),
    Column("last_verdict", Text),
    Column("last_check", Text),
    Column("swept_at", UtcInstant),
    Column("last_day", Date),
    Index("ix_application_certificates_series_digest", "series_digest"),
    Index("ix_application_certificates_swept_at", "swept_at"),
    Index("ix_application_certificates_last_day", "last_day"),
)
"""``swept_at`` is when it was last asked for without a cause, and NULL once the application is closed; ``last_day`` is
``expires_on`` until the day after it was seen to."""

_OF_A_DOCUMENT = (
    *("source", "identifier_digest", "series_digest", "content_digest", "expires_on"),
    *("verdict", "failed_check", "as_of", "last_day"),
)
_ADD = AddTogether(application_certificates, "application_id", "kind", "holder_digest", "swept_at", *_OF_A_DOCUMENT)
_OWN = Constant(select(application_certificates).where(application_certificates.c.application_id == bindparam("own")))
LONG_AGO = datetime.fromisoformat("2000-01-01T00:00:00+00:00")
_A_DAY = timedelta(days=1)


def add_certificates(statements: Statements, application: GridConnectionApplication) -> None:
    """The rows of a new application; what an applicant declared themselves is no certificate."""
    rows = [
        {
            "application_id": application.application_id,
            "kind": document.document,
            "holder_digest": application.holder_digest,
            "swept_at": document.as_of or application.received_at,
            **_of_document(document),
        }
        for document in application.documents
        if document.verdict is not None
    ]
    statements.write(_ADD, rows)


def put_certificate(statements: Statements, application_id: str, document: ApplicationDocument) -> None:
    """The document changed, and its row with it."""
    statements.execute(
        update(application_certificates).where(_is(application_id, document.document)).values(**_of_document(document))
    )


def leave_alone(statements: Statements, application_id: str) -> None:
    """The application is closed: nothing looks at its certificates any more."""
    own = application_certificates.c.application_id == application_id
    statements.execute(update(application_certificates).where(own).values(swept_at=None, last_day=None))


def _of_document(document: ApplicationDocument) -> dict[str, Any]:
    holds = document.check is None
    return {
        "source": document.source,
        "identifier_digest": document.identifier_digest,
        "series_digest": document.series_digest,
        "content_digest": document.content_digest,
        "expires_on": document.expires_on,
        "verdict": document.verdict,
        "failed_check": document.check,
        "as_of": document.as_of,
        "last_day": document.expires_on if holds else None,
    }


def _is(application_id: str, kind: str) -> ColumnElement[bool]:
    table = application_certificates.c
    return (table.application_id == application_id) & (table.kind == kind)


class SqlApplicationCertificates:
    """``gateway.rechecks.ports.CertificatesOfApplications``."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    def looks(self, application_id: str) -> Mapping[str, LastLook]:
        rows = self._statements.ask(_OWN, own=application_id)
        return {row.kind: LastLook(row.looked_at, row.last_verdict, row.last_check) for row in rows if row.looked_at}

    def looked(self, application_id: str, kind: str, look: LastLook) -> None:
        self._statements.execute(
            update(application_certificates)
            .where(_is(application_id, kind))
            .values(looked_at=look.at, last_verdict=look.verdict, last_check=look.check)
        )

    def of_series(self, series_digests: Collection[str]) -> Sequence[tuple[str, str, str]]:
        table = application_certificates.c
        rows = self._statements.execute(
            select(table.application_id, table.kind, table.series_digest)
            .where(table.series_digest.in_(sorted(series_digests)), table.swept_at.is_not(None))
            .order_by(table.application_id, table.kind)
        )
        return [(row.application_id, row.kind, row.series_digest) for row in rows]

    def sweep_all(self) -> None:
        waiting = application_certificates.c.swept_at.is_not(None)
        self._statements.execute(update(application_certificates).where(waiting).values(swept_at=LONG_AGO))

    def to_sweep(self, before: datetime, at: datetime, limit: int) -> Sequence[tuple[str, str]]:
        swept_at = application_certificates.c.swept_at
        taken = self._taken(swept_at <= before, swept_at, limit, swept_at=at)
        if len(taken) < limit:  # a time that lies ahead is one that a clock set when it ran fast
            taken = [*taken, *self._taken(swept_at > at + _A_DAY, swept_at, limit - len(taken), swept_at=at)]
        return taken

    def expired(self, on: date, limit: int) -> Sequence[tuple[str, str]]:
        last_day = application_certificates.c.last_day
        due = (last_day < on) & application_certificates.c.swept_at.is_not(None)
        return self._taken(due, last_day, limit, last_day=None)

    def _taken(
        self, due: ColumnElement[bool], along: Column[Any], limit: int, **changed: Any
    ) -> Sequence[tuple[str, str]]:
        """Ordered as the index of what they are due by: in another order all would be read to find a few."""
        table = application_certificates.c
        some = (
            select(table.application_id, table.kind)
            .where(due)
            .order_by(along)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        rows = self._statements.execute(some).all()
        for row in rows:
            self._statements.execute(
                update(application_certificates).where(_is(row.application_id, row.kind)).values(**changed)
            )
        return [(row.application_id, row.kind) for row in rows]
