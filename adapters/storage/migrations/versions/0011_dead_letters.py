"""dead letters are counted without reading the whole outbox"""

from alembic import op

from adapters.storage.migrations.beside_others import create_index_beside_others

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_index_beside_others("ix_outbox_dead", "outbox", ["destination"], where="state = 'dead'")


def downgrade() -> None:
    op.drop_index("ix_outbox_dead", table_name="outbox")
