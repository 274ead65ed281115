"""receipts of utilities for what they purged after a withdrawal"""

import sqlalchemy as sa
from alembic import op

from adapters.storage.migrations.beside_others import create_index_beside_others
from adapters.storage.tables import UtcInstant

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # First, because a revision that builds an index beside others is not one transaction.
    create_index_beside_others(
        "ix_authorisations_withdrawn_at", "authorisations", ["withdrawn_at"], "withdrawn_at IS NOT NULL"
    )
    with op.batch_alter_table("authorisations", schema=None) as batch_op:
        batch_op.add_column(sa.Column("purged_at", UtcInstant(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("purge_heard_at", UtcInstant(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("purge_receipt", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_index("ix_authorisations_withdrawn_at", table_name="authorisations")
    with op.batch_alter_table("authorisations", schema=None) as batch_op:
        for name in ("purge_receipt", "purge_heard_at", "purged_at"):
            batch_op.drop_column(name)
