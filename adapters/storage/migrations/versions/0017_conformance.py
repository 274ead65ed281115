"""runs of the partner conformance suite are kept"""

import sqlalchemy as sa
from alembic import op

from adapters.storage.tables import JsonDocument, UtcInstant

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "conformance_reports",
        sa.Column("report_id", sa.Text(), nullable=False),
        sa.Column("partner_code", sa.Text(), nullable=False),
        sa.Column("ran_at", UtcInstant(timezone=True), nullable=False),
        sa.Column("ran_by", sa.Text(), nullable=False),
        sa.Column("results", JsonDocument(), nullable=False),
        sa.PrimaryKeyConstraint("report_id", name=op.f("pk_conformance_reports")),
    )
    op.create_index("ix_conformance_reports_partner_code_ran_at", "conformance_reports", ["partner_code", "ran_at"])


def downgrade() -> None:
    op.drop_table("conformance_reports")
