"""officers add dated rows to the rules; utilities publish grid capacity"""

import sqlalchemy as sa
from alembic import op

from adapters.storage.tables import JsonDocument, UtcInstant

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "rule_rows",
        sa.Column("row_id", sa.Text(), nullable=False),
        sa.Column("rule_table", sa.Text(), nullable=False),
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("effective_from", sa.Date(), nullable=False),
        sa.Column("effective_to", sa.Date(), nullable=True),
        sa.Column("said", JsonDocument(), nullable=False),
        sa.Column("document_number", sa.Text(), nullable=False),
        sa.Column("clause", sa.Text(), nullable=False),
        sa.Column("basis_text", sa.Text(), nullable=False),
        sa.Column("basis_link", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("drafted_by", sa.Text(), nullable=False),
        sa.Column("drafted_at", UtcInstant(timezone=True), nullable=False),
        sa.Column("approved_by", sa.Text(), nullable=True),
        sa.Column("approved_at", UtcInstant(timezone=True), nullable=True),
        sa.Column("withdrawn_by", sa.Text(), nullable=True),
        sa.Column("withdrawn_at", UtcInstant(timezone=True), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("end_proposed_on", sa.Date(), nullable=True),
        sa.Column("end_proposed_by", sa.Text(), nullable=True),
        sa.Column("ended_by", JsonDocument(), nullable=True),
        sa.PrimaryKeyConstraint("row_id", name=op.f("pk_rule_rows")),
    )
    op.create_table(
        "rule_row_version",
        sa.Column("singleton", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("singleton", name=op.f("pk_rule_row_version")),
    )
    op.create_table(
        "grid_capacities",
        sa.Column("utility", sa.Text(), nullable=False),
        sa.Column("area_id", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("area_name", sa.Text(), nullable=False),
        sa.Column("area_kind", sa.Text(), nullable=False),
        sa.Column("voltage_v", sa.BigInteger(), nullable=False),
        sa.Column("available_kva", sa.BigInteger(), nullable=False),
        sa.Column("as_of", sa.Date(), nullable=False),
        sa.Column("withdrawn", sa.Boolean(), nullable=False),
        sa.Column("content_digest", sa.Text(), nullable=False),
        sa.Column("heard_at", UtcInstant(timezone=True), nullable=False),
        sa.Column("record_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("utility", "area_id", name=op.f("pk_grid_capacities")),
    )
    op.create_index("ix_grid_capacities_region", "grid_capacities", ["region"])


def downgrade() -> None:
    op.drop_table("grid_capacities")
    op.drop_table("rule_row_version")
    op.drop_table("rule_rows")
