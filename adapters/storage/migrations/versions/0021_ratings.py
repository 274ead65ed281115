"""ratings of the service, and the answers to bad ones"""

import sqlalchemy as sa
from alembic import op

from adapters.storage.sealed import SealedText
from adapters.storage.tables import JsonDocument, UtcInstant

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "service_ratings",
        sa.Column("application_id", sa.Text(), nullable=False),
        sa.Column("utility", sa.Text(), nullable=False),
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("tags", JsonDocument(), nullable=False),
        sa.Column("rated_at", UtcInstant(timezone=True), nullable=False),
        sa.Column("record_id", sa.Text(), nullable=False),
        sa.Column("text", SealedText(), nullable=True),
        sa.Column("answer_by", UtcInstant(timezone=True), nullable=True),
        sa.Column("answer", SealedText(), nullable=True),
        sa.Column("answered_at", UtcInstant(timezone=True), nullable=True),
        sa.Column("answered_by", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("application_id", name=op.f("pk_service_ratings")),
    )
    waits = sa.text("answer_by IS NOT NULL AND answered_at IS NULL")
    op.create_index(
        "ix_service_ratings_waiting", "service_ratings", ["answer_by"], sqlite_where=waits, postgresql_where=waits
    )


def downgrade() -> None:
    op.drop_table("service_ratings")
