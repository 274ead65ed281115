"""outages reach those whom they touch; what is over of them and of capacities goes"""

import sqlalchemy as sa
from alembic import op

from adapters.storage.migrations.beside_others import create_index_beside_others
from adapters.storage.tables import JsonDocument

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_index_beside_others("ix_outage_events_utility_outage_id", "outage_events", ["utility", "outage_id"])
    create_index_beside_others("ix_grid_capacities_withdrawn_heard_at", "grid_capacities", ["withdrawn", "heard_at"])
    op.add_column("outage_events", sa.Column("notified", JsonDocument(), nullable=True))


def downgrade() -> None:
    op.drop_index("ix_grid_capacities_withdrawn_heard_at", table_name="grid_capacities")
    op.drop_index("ix_outage_events_utility_outage_id", table_name="outage_events")
    with op.batch_alter_table("outage_events") as batch_op:
        batch_op.drop_column("notified")
