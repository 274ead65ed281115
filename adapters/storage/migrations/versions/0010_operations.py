"""what a restored backup is adopted with, and which releases a schema serves"""

import sqlalchemy as sa
from alembic import op

from adapters.storage.migrations.beside_others import create_index_beside_others
from adapters.storage.tables import UtcInstant

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

UNDIGESTED = "channel != 'department' AND (body_sha256 IS NULL OR (body_form IS NULL AND attempts > 0))"


def upgrade() -> None:
    # It covers every event of an earlier release, so that writers must not wait for it. First, because a revision that
    # builds an index beside others is not one transaction.
    create_index_beside_others("ix_outbox_undigested", "outbox", ["destination", "position"], where=UNDIGESTED)
    op.create_table(
        "restorations",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("backup_sha256", sa.Text(), nullable=True),
        sa.Column("backup_taken_at", UtcInstant(timezone=True), nullable=True),
        sa.Column("restored_at", UtcInstant(timezone=True), nullable=True),
        sa.Column("adopted_at", UtcInstant(timezone=True), nullable=True),
        sa.Column("record_id", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_restorations")),
    )
    op.create_table(
        "schema_compatibility",
        sa.Column("revision", sa.Text(), nullable=False),
        sa.Column("serves_from", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("revision", name=op.f("pk_schema_compatibility")),
    )


def downgrade() -> None:
    op.drop_index("ix_outbox_undigested", table_name="outbox")
    op.drop_table("schema_compatibility")
    op.drop_table("restorations")
