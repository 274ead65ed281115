"""attempts written before they are made, outcomes that are not known, receivers that fail

Only columns and tables that may be empty, so that the previous release runs on, and the first one beside it.
"""

import sqlalchemy as sa
from alembic import op

from adapters.storage.tables import UtcInstant

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("outbox", sa.Column("unknown_since", UtcInstant(timezone=True), nullable=True))
    op.add_column("outbox", sa.Column("scheduled_at", UtcInstant(timezone=True), nullable=True))
    op.add_column("outbox", sa.Column("tried_for_s", sa.Float(), nullable=True))
    op.add_column("outbox", sa.Column("body_form", sa.Integer(), nullable=True))
    op.add_column("delivery_attempts", sa.Column("outcome", sa.Text(), nullable=True))
    op.add_column("partner_endpoints", sa.Column("status_url", sa.Text(), nullable=True))
    op.create_table(
        "delivery_destinations",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("failing_since", UtcInstant(timezone=True), nullable=True),
        sa.Column("failing_for_s", sa.Float(), nullable=False),
        sa.Column("last_failure_at", UtcInstant(timezone=True), nullable=True),
        sa.Column("last_reason", sa.Text(), nullable=True),
        sa.Column("disabled_at", UtcInstant(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_delivery_destinations")),
    )


def downgrade() -> None:
    op.drop_table("delivery_destinations")
    op.drop_column("partner_endpoints", "status_url")
    op.drop_column("delivery_attempts", "outcome")
    for name in ("body_form", "tried_for_s", "scheduled_at", "unknown_since"):
        op.drop_column("outbox", name)
