"""since when an event is sent anew, so that no answer from before settles it"""

import sqlalchemy as sa
from alembic import op

from adapters.storage.tables import UtcInstant

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("outbox", sa.Column("replayed_at", UtcInstant(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column("outbox", "replayed_at")
