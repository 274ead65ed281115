"""Tables and repositories of evidence: what verdicts rested on, each document once, and which application needs it."""

import hashlib
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    ForeignKey,
    Index,
    Row,
    Table,
    Text,
    bindparam,
    delete,
    exists,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert as insert_or

from adapters.storage.applications import stage_events
from adapters.storage.certificates import certificate_copies
from adapters.storage.constant import Constant
from adapters.storage.deliveries import outbox
from adapters.storage.delivery_queue import SqlDeliveryQueue
from adapters.storage.one_of import OneOf
from adapters.storage.records import record_entries
from adapters.storage.sealed import SealedBytes
from adapters.storage.statements import Statements
from adapters.storage.tables import JsonDocument, UtcInstant, metadata
from gateway.certificates.proofs import (
    PERSONAL_ROLES,
    EvidenceDocument,
    EvidenceRole,
    Proof,
    ProofCause,
    ProofOfApplication,
)
from gateway.delivery.ports import DeliveryView
from gateway.records.ports import StoredEntry

evidence_documents = Table(
    "evidence_documents",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("role", Text, nullable=False),
    Column("body", SealedBytes, nullable=False),
    Column("kept_at", UtcInstant, nullable=False),
    Column("rested_on_at", UtcInstant),
    Index("ix_evidence_documents_kept_at", "kept_at"),
)
"""``rested_on_at`` is when it was seen that applications rest on it, which need not be asked again while they do."""
_not_seen_resting = evidence_documents.c.rested_on_at.is_(None)
Index(
    "ix_evidence_documents_loose",
    evidence_documents.c.kept_at,
    sqlite_where=_not_seen_resting,
    postgresql_where=_not_seen_resting,
)

application_evidence = Table(
    "application_evidence",
    metadata,
    Column("application_id", Text, ForeignKey("applications.application_id"), primary_key=True),
    Column("digest", Text, ForeignKey("evidence_documents.digest"), primary_key=True),
    Index("ix_application_evidence_digest", "digest"),
)

application_proofs = Table(
    "application_proofs",
    metadata,
    Column("application_id", Text, ForeignKey("applications.application_id"), primary_key=True),
    Column("proof_digest", Text, primary_key=True),
    Column("cause", Text, nullable=False),
    Column("proof", JsonDocument, nullable=False),
    Column("judged_at", UtcInstant, nullable=False),
)
"""``proof_digest`` is over all that the proof says but its time: the same verdict on the same evidence is one."""

RENEWED_AFTER = timedelta(days=1)
"""How old ``kept_at`` may grow before a document that is met again is marked as met."""
LOOSE_FOR = timedelta(days=31)
"""How long what no application rests on stays: longer than an intake may wait for an officer."""


_WANTED = OneOf(evidence_documents.c.digest, "wanted")
_MET = Constant(
    select(evidence_documents.c.digest).where(_WANTED, evidence_documents.c.kept_at > bindparam("met_after"))
)
_DOCUMENT = insert_or(evidence_documents).values(
    {name: bindparam(name) for name in ("digest", "role", "body", "kept_at")}
)
_KEEP = Constant(
    _DOCUMENT.on_conflict_do_update(index_elements=["digest"], set_={"kept_at": _DOCUMENT.excluded.kept_at})
)
_PROOF = Constant(
    insert_or(application_proofs)
    .values({name: bindparam(name) for name in ("application_id", "proof_digest", "cause", "proof", "judged_at")})
    .on_conflict_do_nothing()
)
_LINKED = Constant(
    select(application_evidence.c.digest).where(
        application_evidence.c.application_id == bindparam("of_application"),
        application_evidence.c.digest == bindparam("of_document"),
    )
)
_LINK = Constant(
    insert_or(application_evidence)
    .from_select(
        ["application_id", "digest"],
        select(bindparam("of_application", type_=Text()), evidence_documents.c.digest)
        .where(_WANTED)
        .order_by(evidence_documents.c.digest),
    )
    .on_conflict_do_nothing()
)
_COPY = Constant(
    select(certificate_copies).where(
        *(certificate_copies.c[name] == bindparam(f"of_{name}") for name in ("kind", "holder_digest", "digest"))
    )
)


class SqlEvidenceShelf:
    """``gateway.certificates.proofs.EvidenceShelf``."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    def keep(self, documents: Sequence[EvidenceDocument], at: datetime) -> None:
        wanted = {each.digest: each for each in documents}
        if not wanted:
            return
        met = self._statements.ask(_MET, wanted=sorted(wanted), met_after=at - RENEWED_AFTER)
        present = {row.digest for row in met}
        for digest, document in sorted(wanted.items()):
            if digest not in present:
                row = {"digest": digest, "role": document.role.value, "body": document.body, "kept_at": at}
                self._statements.do(_KEEP, self._statements.sealed(evidence_documents, row))

    def attach(self, application_id: str, documents: Sequence[EvidenceDocument], at: datetime) -> None:
        self.keep(documents, at)
        self._link(application_id, [each.digest for each in documents])

    def add(
        self, application_id: str, cause: ProofCause, proof: Proof, documents: Sequence[EvidenceDocument], at: datetime
    ) -> bool:
        row = {
            "application_id": application_id,
            "proof_digest": _proof_digest(proof),
            "cause": cause.value,
            "proof": proof.to_json(),
            "judged_at": proof.judged_at,
        }
        if not self._statements.do(_PROOF, row):
            return False
        self.keep(documents, at)
        self._link(application_id, proof.documents)
        return True

    def attach_copy(self, application_id: str, kind: str, holder_digest: str, digest: str, at: datetime) -> None:
        if self._statements.ask(_LINKED, of_application=application_id, of_document=digest):
            return
        for row in self._statements.ask(_COPY, of_kind=kind, of_holder_digest=holder_digest, of_digest=digest):
            envelope = self._statements.opened(certificate_copies, row)["envelope"]
            self.attach(application_id, [EvidenceDocument(EvidenceRole.ENVELOPE, envelope)], at)

    def proofs(self, application_id: str) -> Sequence[ProofOfApplication]:
        """Every proof that is kept with the application, oldest first."""
        rows = self._statements.execute(
            select(application_proofs)
            .where(application_proofs.c.application_id == application_id)
            .order_by(application_proofs.c.judged_at, application_proofs.c.proof_digest)
        )
        return [ProofOfApplication(ProofCause(row.cause), Proof.from_json(row.proof)) for row in rows]

    def documents(self, application_id: str) -> Sequence[EvidenceDocument]:
        """Every document that is kept for the application, in the order of their digests."""
        rows = self._statements.execute(
            select(evidence_documents)
            .join(application_evidence, application_evidence.c.digest == evidence_documents.c.digest)
            .where(application_evidence.c.application_id == application_id)
            .order_by(evidence_documents.c.digest)
        )
        return [self._document(row) for row in rows]

    def _document(self, row: Row[Any]) -> EvidenceDocument:
        return EvidenceDocument(EvidenceRole(row.role), self._statements.opened(evidence_documents, row)["body"])

    def _link(self, application_id: str, digests: Sequence[str]) -> None:
        """To those of ``digests`` that are on the shelf."""
        self._statements.do(_LINK, {"of_application": application_id, "wanted": sorted(set(digests))})


def let_go(statements: Statements, application_ids: Sequence[str]) -> None:
    """The time of these applications' personal data is over: so is that of what proves them.

    Verdicts and digests stay; what others may rest on too stays for them.
    """
    own = application_evidence.c.application_id.in_(application_ids)
    digests = sorted(set(statements.execute(select(application_evidence.c.digest).where(own)).scalars()))
    statements.execute(delete(application_evidence).where(own))
    personal = evidence_documents.c.role.in_([role.value for role in sorted(PERSONAL_ROLES)])
    statements.execute(
        delete(evidence_documents).where(evidence_documents.c.digest.in_(digests), personal, nobody_rests_on_it())
    )
    left = evidence_documents.c.digest.in_(digests) & evidence_documents.c.rested_on_at.is_not(None)
    statements.execute(update(evidence_documents).where(left).values(rested_on_at=None))


def remove_loose(statements: Statements, before: datetime, at: datetime, limit: int) -> tuple[int, bool]:
    """Of up to ``limit`` documents kept before ``before``, remove those that no application rests on.

    Answers how many, and whether there may be more to look at.

    Each is looked at once, and again when an application let go of it: they are not walked through at every round.
    """
    old = loose(before)
    page = select(evidence_documents.c.digest).where(old).order_by(evidence_documents.c.kept_at).limit(limit)
    digests = list(statements.execute(page.with_for_update(skip_locked=True)).scalars())
    # Locked before it is asked who rests on them: whoever lets go meanwhile waits, and takes the mark off again.
    asked = select(application_evidence.c.digest).where(application_evidence.c.digest.in_(digests)).distinct()
    resting = set(statements.execute(asked).scalars())
    gone = sorted(set(digests) - resting)
    seen = update(evidence_documents).where(evidence_documents.c.digest.in_(sorted(resting)))
    statements.execute(seen.values(rested_on_at=at))
    removed = statements.execute(delete(evidence_documents).where(evidence_documents.c.digest.in_(gone))).rowcount
    return removed, len(digests) == limit


def loose(before: datetime) -> ColumnElement[bool]:
    """Kept before ``before``, and not seen to be rested on."""
    return _not_seen_resting & (evidence_documents.c.kept_at < before)


def nobody_rests_on_it() -> ColumnElement[bool]:
    """Of ``evidence_documents``: no application does."""
    return ~exists().where(application_evidence.c.digest == evidence_documents.c.digest)


def _proof_digest(proof: Proof) -> str:
    said = (proof.kind, proof.envelope_digest, proof.verdict, proof.check or "", *sorted(proof.documents))
    return hashlib.sha256("\0".join(said).encode()).hexdigest()


class SqlApplicationTraces:
    """``gateway.evidence.ports.ApplicationTraces``."""

    def __init__(self, statements: Statements, deliveries: SqlDeliveryQueue) -> None:
        self._statements, self._deliveries = statements, deliveries

    def entries_about(self, subjects: Collection[str]) -> Sequence[StoredEntry]:
        rows = self._statements.execute(
            select(record_entries)
            .where(record_entries.c.subject.in_(sorted(subjects)))
            .order_by(record_entries.c.log_id, record_entries.c.sequence)
        )
        return [StoredEntry(row.log_id, row.sequence, row.leaf, row.leaf_hash, row.action, row.subject) for row in rows]

    def deliveries_of(self, application_id: str, destinations: Collection[str]) -> Sequence[DeliveryView]:
        own = (outbox.c.subject == application_id) & outbox.c.destination.in_(sorted(destinations))
        ids = self._statements.execute(
            select(outbox.c.event_id).where(own).order_by(outbox.c.destination, outbox.c.sequence)
        ).scalars()
        views = (self._deliveries.find(event_id) for event_id in list(ids))
        return [view for view in views if view is not None]

    def stage_event_of(self, application_id: str, record_id: str) -> str | None:
        own = (stage_events.c.application_id == application_id) & (stage_events.c.record_id == record_id)
        found: str | None = self._statements.execute(select(stage_events.c.event_id).where(own)).scalar_one_or_none()
        return found
