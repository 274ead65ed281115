"""what is due for one receiver is found without what waits for others"""

from alembic import op

from adapters.storage.migrations.beside_others import create_index_beside_others

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_COLUMNS = ["destination", "next_attempt_at", "position"]


def upgrade() -> None:
    create_index_beside_others("ix_outbox_destination_due", "outbox", _COLUMNS, where="state = 'pending'")


def downgrade() -> None:
    op.drop_index("ix_outbox_destination_due", table_name="outbox")
