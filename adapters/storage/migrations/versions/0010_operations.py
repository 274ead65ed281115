"""what a restored backup is adopted with, and which releases a schema serves"""

import sqlalchemy as sa
from alembic import op

from adapters.storage.tables import UtcInstant

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
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
    op.drop_table("schema_compatibility")
    op.drop_table("restorations")
