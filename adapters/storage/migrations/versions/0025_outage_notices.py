"""outages reach those whom they touch"""

import sqlalchemy as sa
from alembic import op

from adapters.storage.tables import JsonDocument

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("outage_events", sa.Column("notified", JsonDocument(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("outage_events") as batch_op:
        batch_op.drop_column("notified")
