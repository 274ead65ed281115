"""supply contracts that utilities send and applicants sign"""

import sqlalchemy as sa
from alembic import op

from adapters.storage.sealed import SealedBytes, SealedText
from adapters.storage.tables import UtcInstant

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "supply_contracts",
        sa.Column("contract_id", sa.Text(), nullable=False),
        sa.Column("application_id", sa.Text(), nullable=False),
        sa.Column("utility", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("title", SealedText(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("document", SealedBytes(), nullable=True),
        sa.Column("sha256", SealedText(), nullable=False),
        sa.Column("offered_at", UtcInstant(timezone=True), nullable=False),
        sa.Column("valid_until", UtcInstant(timezone=True), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("content_digest", sa.Text(), nullable=False),
        sa.Column("record_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("settled_at", UtcInstant(timezone=True), nullable=True),
        sa.Column("statement", SealedText(), nullable=True),
        sa.Column("assertion", SealedText(), nullable=True),
        sa.Column("reason", SealedText(), nullable=True),
        sa.PrimaryKeyConstraint("contract_id", name=op.f("pk_supply_contracts")),
        sa.UniqueConstraint("application_id", "version", name=op.f("uq_supply_contracts_application_id_version")),
        sa.UniqueConstraint("application_id", "event_id", name=op.f("uq_supply_contracts_application_id_event_id")),
    )


def downgrade() -> None:
    op.drop_table("supply_contracts")
