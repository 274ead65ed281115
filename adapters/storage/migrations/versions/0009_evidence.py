"""evidence: what verdicts rested on, each document once, and what identity providers signed"""

import sqlalchemy as sa
from alembic import op

from adapters.storage.sealed import SealedBytes, SealedText
from adapters.storage.tables import JsonDocument, UtcInstant

revision = "0009"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "evidence_documents",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("body", SealedBytes(), nullable=False),
        sa.Column("kept_at", UtcInstant(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_evidence_documents")),
    )
    op.create_index("ix_evidence_documents_kept_at", "evidence_documents", ["kept_at"])
    op.create_table(
        "application_evidence",
        sa.Column("application_id", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["application_id"],
            ["applications.application_id"],
            name=op.f("fk_application_evidence_application_id_applications"),
        ),
        sa.ForeignKeyConstraint(
            ["digest"], ["evidence_documents.digest"], name=op.f("fk_application_evidence_digest_evidence_documents")
        ),
        sa.PrimaryKeyConstraint("application_id", "digest", name=op.f("pk_application_evidence")),
    )
    op.create_index("ix_application_evidence_digest", "application_evidence", ["digest"])
    op.create_table(
        "application_proofs",
        sa.Column("application_id", sa.Text(), nullable=False),
        sa.Column("proof_digest", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("proof", JsonDocument(), nullable=False),
        sa.Column("judged_at", UtcInstant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["application_id"],
            ["applications.application_id"],
            name=op.f("fk_application_proofs_application_id_applications"),
        ),
        sa.PrimaryKeyConstraint("application_id", "proof_digest", name=op.f("pk_application_proofs")),
    )
    with op.batch_alter_table("verification_sessions", schema=None) as batch_op:
        batch_op.add_column(sa.Column("assertion", SealedText(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("verification_sessions", schema=None) as batch_op:
        batch_op.drop_column("assertion")
    op.drop_table("application_proofs")
    op.drop_table("application_evidence")
    op.drop_table("evidence_documents")
