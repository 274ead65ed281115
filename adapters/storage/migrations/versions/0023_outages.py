"""utilities tell of outages"""

import sqlalchemy as sa
from alembic import op

from adapters.storage.tables import JsonDocument, UtcInstant

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "outages",
        sa.Column("utility", sa.Text(), nullable=False),
        sa.Column("outage_id", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=True),
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("area", sa.Text(), nullable=False),
        sa.Column("begins_at", UtcInstant(timezone=True), nullable=False),
        sa.Column("expected_end_at", UtcInstant(timezone=True), nullable=True),
        sa.Column("said_at", UtcInstant(timezone=True), nullable=False),
        sa.Column("counted_at", UtcInstant(timezone=True), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("shown_until", UtcInstant(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("utility", "outage_id", name=op.f("pk_outages")),
    )
    op.create_index("ix_outages_shown_until", "outages", ["shown_until"])
    op.create_table(
        "outage_events",
        sa.Column("utility", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("outage_id", sa.Text(), nullable=False),
        sa.Column("content_digest", sa.Text(), nullable=False),
        sa.Column("said_at", UtcInstant(timezone=True), nullable=False),
        sa.Column("flags", JsonDocument(), nullable=False),
        sa.Column("heard_at", UtcInstant(timezone=True), nullable=False),
        sa.Column("record_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("utility", "event_id", name=op.f("pk_outage_events")),
    )


def downgrade() -> None:
    op.drop_table("outage_events")
    op.drop_table("outages")
