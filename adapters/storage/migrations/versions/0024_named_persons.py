"""whom certificates name beside their holder"""

import sqlalchemy as sa
from alembic import op

from adapters.storage.sealed import SealedText

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "named_persons",
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("content_digest", sa.Text(), nullable=False),
        sa.Column("person_digest", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("label", SealedText(), nullable=True),
        sa.PrimaryKeyConstraint("subject", "content_digest", "person_digest", name=op.f("pk_named_persons")),
    )
    op.create_index("ix_named_persons_person_digest", "named_persons", ["person_digest"])


def downgrade() -> None:
    op.drop_table("named_persons")
