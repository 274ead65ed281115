"""certificates of open applications, re-checks due, positions in change feeds

Applications that are there get their rows from their own documents. Their digests were not keyed; they are marked
``sha256:`` and keyed with those of the documents, right after the next migration (``adapters.storage.resealing``).
"""

import json
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

from adapters.storage.tables import UtcInstant

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

PLAIN_DIGEST = "sha256:"
PAGE = 500
CLOSED = ("completed", "withdrawn", "ended")
INSTANT = UtcInstant(timezone=True)


def upgrade() -> None:
    op.create_table(
        "application_certificates",
        sa.Column("application_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("holder_digest", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=True),
        sa.Column("identifier_digest", sa.Text(), nullable=True),
        sa.Column("series_digest", sa.Text(), nullable=True),
        sa.Column("content_digest", sa.Text(), nullable=True),
        sa.Column("expires_on", sa.Date(), nullable=True),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("failed_check", sa.Text(), nullable=True),
        sa.Column("as_of", UtcInstant(timezone=True), nullable=True),
        sa.Column("looked_at", UtcInstant(timezone=True), nullable=True),
        sa.Column("last_verdict", sa.Text(), nullable=True),
        sa.Column("last_check", sa.Text(), nullable=True),
        sa.Column("swept_at", UtcInstant(timezone=True), nullable=True),
        sa.Column("last_day", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(
            ["application_id"],
            ["applications.application_id"],
            name=op.f("fk_application_certificates_application_id_applications"),
        ),
        sa.PrimaryKeyConstraint("application_id", "kind", name=op.f("pk_application_certificates")),
    )
    with op.batch_alter_table("application_certificates", schema=None) as batch_op:
        for column in ("series_digest", "swept_at", "last_day"):
            batch_op.create_index(f"ix_application_certificates_{column}", [column], unique=False)
    op.create_table(
        "rechecks_due",
        sa.Column("application_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("due_at", UtcInstant(timezone=True), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("asked_at", UtcInstant(timezone=True), nullable=False),
        sa.Column("hinted_at", UtcInstant(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("lease_owner", sa.Text(), nullable=True),
        sa.Column("lease_until", UtcInstant(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["application_id"],
            ["applications.application_id"],
            name=op.f("fk_rechecks_due_application_id_applications"),
        ),
        sa.PrimaryKeyConstraint("application_id", "kind", name=op.f("pk_rechecks_due")),
    )
    with op.batch_alter_table("rechecks_due", schema=None) as batch_op:
        batch_op.create_index("ix_rechecks_due_due_at", ["due_at"], unique=False)
    op.create_table(
        "change_feeds",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("position", sa.Text(), nullable=True),
        sa.Column("first_pulled_at", UtcInstant(timezone=True), nullable=False),
        sa.Column("caught_up_at", UtcInstant(timezone=True), nullable=True),
        sa.Column("next_pull_at", UtcInstant(timezone=True), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("lease_owner", sa.Text(), nullable=True),
        sa.Column("lease_until", UtcInstant(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("source", name=op.f("pk_change_feeds")),
    )
    _fill()


def _fill() -> None:
    """A row for each certificate of each application; what was only declared has no verdict, and no row."""
    applications = sa.table(
        "applications",
        sa.column("application_id", sa.Text()),
        sa.column("holder_digest", sa.Text()),
        sa.column("status", sa.Text()),
        sa.column("received_at", INSTANT),
        sa.column("documents", sa.LargeBinary()),
    )
    certificates = sa.table(
        "application_certificates",
        *(sa.column(name, sa.Text()) for name in ("application_id", "kind", "holder_digest", "source", "verdict")),
        *(sa.column(name, sa.Text()) for name in ("identifier_digest", "series_digest", "content_digest")),
        *(sa.column(name, INSTANT) for name in ("as_of", "swept_at")),
    )
    after = ""
    while True:
        page = (
            sa.select(applications)
            .where(applications.c.application_id > after)
            .order_by(applications.c.application_id)
            .limit(PAGE)
        )
        rows = op.get_bind().execute(page).all()
        if not rows:
            return
        filled = [
            _certificate(row, document) for row in rows for document in json.loads(row.documents) if document["verdict"]
        ]
        if filled:
            op.get_bind().execute(sa.insert(certificates), filled)
        after = rows[-1].application_id


def _certificate(row: sa.Row[Any], document: dict[str, Any]) -> dict[str, Any]:
    as_of = datetime.fromisoformat(document["as_of"]) if document.get("as_of") else None
    return {
        "application_id": row.application_id,
        "kind": document["document"],
        "holder_digest": row.holder_digest,
        "source": document.get("source"),
        "verdict": document["verdict"],
        "identifier_digest": _marked(document.get("identifier_digest")),
        "series_digest": _marked(document.get("series_digest")),
        "content_digest": document.get("content_digest"),
        "as_of": as_of,
        "swept_at": None if row.status in CLOSED else as_of or row.received_at,
    }


def _marked(digest: str | None) -> str | None:
    return PLAIN_DIGEST + digest if digest else None


def downgrade() -> None:
    op.drop_table("change_feeds")
    op.drop_table("rechecks_due")
    op.drop_table("application_certificates")
