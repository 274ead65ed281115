"""notices: what applicants are told, one for each fact, how they want to be told, and what waits to be sent"""

import sqlalchemy as sa
from alembic import op

from adapters.storage.sealed import SealedText
from adapters.storage.tables import JsonDocument, UtcInstant

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "notices",
        sa.Column("notice_key", sa.Text(), nullable=False),
        sa.Column("application_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("at", UtcInstant(timezone=True), nullable=False),
        sa.Column("facts", JsonDocument(), nullable=False),
        sa.PrimaryKeyConstraint("notice_key", name=op.f("pk_notices")),
    )
    op.create_index("ix_notices_application_id_at", "notices", ["application_id", "at"])
    op.create_table(
        "notice_preferences",
        sa.Column("application_id", sa.Text(), nullable=False),
        sa.Column("way", sa.Text(), nullable=False),
        sa.Column("address", SealedText(), nullable=False),
        sa.Column("tongue", sa.Text(), nullable=False),
        sa.Column("at", UtcInstant(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("application_id", name=op.f("pk_notice_preferences")),
    )
    op.create_table(
        "notice_sends",
        sa.Column("notice_key", sa.Text(), nullable=False),
        sa.Column("application_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("due_at", UtcInstant(timezone=True), nullable=False),
        sa.Column("since", UtcInstant(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("tried_s", sa.Float(), nullable=False),
        sa.Column("lease_owner", sa.Text(), nullable=True),
        sa.Column("lease_until", UtcInstant(timezone=True), nullable=True),
        sa.Column("settled_at", UtcInstant(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["notice_key"], ["notices.notice_key"], name=op.f("fk_notice_sends_notice_key_notices")
        ),
        sa.PrimaryKeyConstraint("notice_key", name=op.f("pk_notice_sends")),
    )
    op.create_index("ix_notice_sends_state_due_at", "notice_sends", ["state", "due_at"])
    op.create_index("ix_notice_sends_application_id", "notice_sends", ["application_id"])


def downgrade() -> None:
    op.drop_table("notice_sends")
    op.drop_table("notice_preferences")
    op.drop_table("notices")
