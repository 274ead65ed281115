"""days of utilities' events

``outbox.body_sha256`` of what is there already is filled in by the gateway, which has the keys that it takes.
"""

import sqlalchemy as sa
from alembic import op

from adapters.storage.tables import UtcInstant

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.add_column(sa.Column("body_sha256", sa.Text(), nullable=True))
    op.create_table(
        "reconciliation_days",
        sa.Column("utility", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("first_position", sa.BigInteger(), nullable=False),
        sa.Column("last_position", sa.BigInteger(), nullable=False),
        sa.Column("closed_at", UtcInstant(timezone=True), nullable=False),
        sa.Column("subjects", sa.Integer(), nullable=True),
        sa.Column("root", sa.LargeBinary(), nullable=True),
        sa.Column("record_id", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("utility", "day", name=op.f("pk_reconciliation_days")),
    )
    op.create_table(
        "reconciliation_reports",
        sa.Column("utility", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("reported_at", UtcInstant(timezone=True), nullable=False),
        sa.Column("agrees", sa.Boolean(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("record_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("utility", "day", name=op.f("pk_reconciliation_reports")),
    )


def downgrade() -> None:
    raise NotImplementedError("days that were closed stay closed; restore the backup from before the upgrade")
