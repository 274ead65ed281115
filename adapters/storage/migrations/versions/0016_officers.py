"""officers sign in; agreements say who drafted, tested and approved them; applications are found by date"""

import sqlalchemy as sa
from alembic import op

from adapters.storage.migrations.beside_others import create_index_beside_others
from adapters.storage.sealed import SealedText
from adapters.storage.tables import UtcInstant

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # First, because a revision that builds an index beside others is not one transaction.
    create_index_beside_others("ix_applications_received_at", "applications", ["received_at"])
    op.create_table(
        "officer_sign_ins",
        sa.Column("state_digest", sa.Text(), nullable=False),
        sa.Column("browser_digest", sa.Text(), nullable=False),
        sa.Column("nonce", SealedText(), nullable=False),
        sa.Column("code_verifier", SealedText(), nullable=False),
        sa.Column("back", sa.Text(), nullable=False),
        sa.Column("expires_at", UtcInstant(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("state_digest", name=op.f("pk_officer_sign_ins")),
    )
    op.create_index("ix_officer_sign_ins_expires_at", "officer_sign_ins", ["expires_at"])
    op.create_table(
        "officer_sessions",
        sa.Column("session_id", sa.Text(), nullable=False),
        sa.Column("token_digest", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("name", SealedText(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("signed_in_at", UtcInstant(timezone=True), nullable=False),
        sa.Column("seen_at", UtcInstant(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("session_id", name=op.f("pk_officer_sessions")),
        sa.UniqueConstraint("token_digest", name=op.f("uq_officer_sessions_token_digest")),
    )
    op.create_index("ix_officer_sessions_signed_in_at", "officer_sessions", ["signed_in_at"])
    with op.batch_alter_table("sharing_agreements", schema=None) as batch_op:
        for name in ("drafted_by", "tested_by", "approved_by", "activated_by"):
            batch_op.add_column(sa.Column(name, sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_index("ix_applications_received_at", table_name="applications")
    with op.batch_alter_table("sharing_agreements", schema=None) as batch_op:
        for name in ("activated_by", "approved_by", "tested_by", "drafted_by"):
            batch_op.drop_column(name)
    op.drop_table("officer_sessions")
    op.drop_table("officer_sign_ins")
