"""what waits, is unknown or is dead is listed page by page, newest first"""

from alembic import op

from adapters.storage.migrations.beside_others import create_index_beside_others

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_STATES = {
    "pending": "state = 'pending'",
    "unknown": "state = 'pending' AND unknown_since IS NOT NULL",
    "dead": "state = 'dead'",
}


def upgrade() -> None:
    for name, condition in _STATES.items():
        create_index_beside_others(f"ix_outbox_{name}_by_id", "outbox", ["destination", "event_id"], where=condition)


def downgrade() -> None:
    for name in _STATES:
        op.drop_index(f"ix_outbox_{name}_by_id", table_name="outbox")
