"""personal data under seal

A migration has no keys. So what was plain is marked as unsealed (format 0), and digests that were not keyed are marked
``sha256:``; ``bandian migrate`` seals and keys them right afterwards (``adapters.storage.resealing``), and so does
``bandian keys reseal``. Copies of certificates and verification sessions are dropped instead: copies are fetched again,
and whoever was verified is verified again.
"""

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from alembic import context, op

from adapters.storage.tables import UtcInstant

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

UNSEALED = b"\x00"
PLAIN_DIGEST = "sha256:"
PAGE = 500
CLOSED = ("completed", "withdrawn", "ended")
SEALED = {
    "applications": (("application_id",), ("demand", "lifecycle")),
    "application_parties": (("application_id",), ("party",)),
    "intakes": (("intake_id",), ("body",)),
    "idempotency_keys": (("scope",), ("body",)),
    "joint_reviews": (("review_id",), ("line", "review")),
    "approval_outcomes": (("department", "outcome_id"), ("signed",)),
    "outbox": (("event_id",), ("data",)),
}
KEYED = {
    "stage_events": (("application_id", "event_id"), "content_digest"),
    "approval_outcomes": (("department", "outcome_id"), "content_digest"),
    "idempotency_keys": (("scope",), "request_sha256"),
}


def upgrade() -> None:
    with op.batch_alter_table("applications", schema=None) as batch_op:
        batch_op.add_column(sa.Column("closed_at", UtcInstant(timezone=True), nullable=True))
        batch_op.create_index("ix_applications_closed_at", ["closed_at"], unique=False)
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.add_column(sa.Column("erased_at", UtcInstant(timezone=True), nullable=True))
        batch_op.create_index(
            "ix_outbox_settled_at",
            ["settled_at"],
            unique=False,
            sqlite_where=sa.text("erased_at IS NULL"),
            postgresql_where=sa.text("erased_at IS NULL"),
        )
    _read_applications()
    for table, (key, column) in KEYED.items():
        _change(table, key, {column: sa.Text()}, lambda text: PLAIN_DIGEST + text)
    unsealed = _turn_receipts_to_bytes() + sum(
        _change(table, key, dict.fromkeys(columns, sa.LargeBinary()), lambda plain: UNSEALED + plain)
        for table, (key, columns) in SEALED.items()
    )
    with op.batch_alter_table("idempotency_keys", schema=None) as batch_op:
        batch_op.alter_column("request_sha256", new_column_name="request_digest")
    dropped = {name: _drop(name) for name in ("certificate_copies", "verification_sessions")}
    context.config.attributes["at_rest"] = {"unsealed": unsealed, **dropped}
    _create_certificate_copies()
    _create_verification_sessions()


def _read_applications() -> None:
    """When an application was closed moves to a column; digests of certificates are marked as not keyed yet."""
    columns = {"status": sa.Text(), "lifecycle": sa.LargeBinary(), "documents": sa.LargeBinary()}
    for row in _rows("applications", ("application_id",), columns):
        steps = json.loads(row.lifecycle)["steps"]
        closed_at = steps[-1]["counted_at"] if row.status in CLOSED else None
        documents = json.loads(row.documents)
        for document in documents:
            for name in ("identifier_digest", "series_digest"):
                if document.get(name):
                    document[name] = PLAIN_DIGEST + document[name]
        _update(
            "applications",
            {"application_id": row.application_id},
            {
                "closed_at": (UtcInstant(timezone=True), datetime.fromisoformat(closed_at) if closed_at else None),
                "documents": (sa.LargeBinary(), json.dumps(documents, ensure_ascii=False).encode()),
            },
        )


def _turn_receipts_to_bytes() -> int:
    """Receipts are text; sealed they are bytes. Answers how many are marked as unsealed."""
    key = {"event_id": sa.Text(), "attempt": sa.Integer()}
    with op.batch_alter_table("delivery_attempts", schema=None) as batch_op:
        batch_op.add_column(sa.Column("sealed_receipt", sa.LargeBinary(), nullable=True))
    count = 0
    for row in _rows("delivery_attempts", tuple(key), {"receipt": sa.Text()}, key):
        if row.receipt is not None:
            sealed = {"sealed_receipt": (sa.LargeBinary(), UNSEALED + row.receipt.encode())}
            _update("delivery_attempts", {"event_id": row.event_id, "attempt": row.attempt}, sealed)
            count += 1
    with op.batch_alter_table("delivery_attempts", schema=None) as batch_op:
        batch_op.drop_column("receipt")
    with op.batch_alter_table("delivery_attempts", schema=None) as batch_op:
        batch_op.alter_column("sealed_receipt", new_column_name="receipt")
    return count


def _change(table: str, key: tuple[str, ...], columns: dict[str, Any], change: Callable[[Any], Any]) -> int:
    """Change the values that are there; answers how many."""
    count = 0
    for row in _rows(table, key, columns):
        values = row._mapping
        changed = {name: (kind, change(values[name])) for name, kind in columns.items() if values[name] is not None}
        if changed:
            _update(table, {name: values[name] for name in key}, changed)
            count += len(changed)
    return count


def _rows(
    table: str, key: tuple[str, ...], columns: dict[str, Any], kinds: dict[str, Any] | None = None
) -> Iterator[sa.Row[Any]]:
    """Every row, page by page, in the order of its key, whose columns are text unless ``kinds`` says otherwise."""
    keys = [sa.column(name, (kinds or {}).get(name, sa.Text())) for name in key]
    chosen = sa.table(table, *keys, *(sa.column(name, kind) for name, kind in columns.items()))
    after: tuple[Any, ...] | None = None
    while True:
        page = sa.select(chosen).order_by(*keys).limit(PAGE)
        if after is not None:
            page = page.where(sa.tuple_(*keys) > sa.tuple_(*(sa.literal(value) for value in after)))
        rows = op.get_bind().execute(page).all()
        yield from rows
        if len(rows) < PAGE:
            return
        after = tuple(rows[-1]._mapping[name] for name in key)


def _update(table: str, key: dict[str, Any], values: dict[str, tuple[Any, Any]]) -> None:
    columns: list[sa.ColumnClause[Any]] = [sa.column(name) for name in key]
    changed = sa.table(table, *columns, *(sa.column(name, kind) for name, (kind, _) in values.items()))
    own = sa.and_(*(changed.c[name] == value for name, value in key.items()))
    op.get_bind().execute(sa.update(changed).where(own).values({name: value for name, (_, value) in values.items()}))


def _drop(table: str) -> int:
    rows: int = op.get_bind().execute(sa.select(sa.func.count()).select_from(sa.table(table))).scalar_one()
    op.get_bind().execute(sa.delete(sa.table(table)))
    op.drop_table(table)
    return rows


def _create_certificate_copies() -> None:
    op.create_table(
        "certificate_copies",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("holder_digest", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("identifier", sa.LargeBinary(), nullable=False),
        sa.Column("envelope", sa.LargeBinary(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("fetched_at", UtcInstant(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("kind", "holder_digest", "digest", name=op.f("pk_certificate_copies")),
    )
    with op.batch_alter_table("certificate_copies", schema=None) as batch_op:
        batch_op.create_index("ix_certificate_copies_kind_fetched_at", ["kind", "fetched_at"], unique=False)


def _create_verification_sessions() -> None:
    op.create_table(
        "verification_sessions",
        sa.Column("session_id", sa.Text(), nullable=False),
        sa.Column("applicant_kind", sa.Text(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("state_digest", sa.Text(), nullable=False),
        sa.Column("token_digest", sa.Text(), nullable=False),
        sa.Column("nonce", sa.LargeBinary(), nullable=False),
        sa.Column("code_verifier", sa.LargeBinary(), nullable=False),
        sa.Column("opened_at", UtcInstant(timezone=True), nullable=False),
        sa.Column("expires_at", UtcInstant(timezone=True), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("failure", sa.Text(), nullable=True),
        sa.Column("applicant", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("session_id", name=op.f("pk_verification_sessions")),
        sa.UniqueConstraint("state_digest", name=op.f("uq_verification_sessions_state_digest")),
        sa.UniqueConstraint("token_digest", name=op.f("uq_verification_sessions_token_digest")),
    )
    with op.batch_alter_table("verification_sessions", schema=None) as batch_op:
        batch_op.create_index("ix_verification_sessions_expires_at", ["expires_at"], unique=False)


def downgrade() -> None:
    raise NotImplementedError("what is sealed is not made plain again; restore the backup from before the upgrade")
