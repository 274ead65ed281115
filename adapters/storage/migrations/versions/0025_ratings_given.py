"""ratings are counted by the month in which they were given"""

from alembic import op

from adapters.storage.migrations.beside_others import create_index_beside_others

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_index_beside_others("ix_service_ratings_rated_at", "service_ratings", ["rated_at"])


def downgrade() -> None:
    op.drop_index("ix_service_ratings_rated_at", "service_ratings")
