"""only deadlines that can be near are looked at; the watch itself takes in what is open already"""

import sqlalchemy as sa
from alembic import op

from adapters.storage.tables import UtcInstant

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "deadline_looks",
        sa.Column("application_id", sa.Text(), nullable=False),
        sa.Column("look_at", UtcInstant(timezone=True), nullable=False),
        sa.Column("looked_by", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["application_id"],
            ["applications.application_id"],
            name=op.f("fk_deadline_looks_application_id_applications"),
        ),
        sa.PrimaryKeyConstraint("application_id", name=op.f("pk_deadline_looks")),
    )
    op.create_index("ix_deadline_looks_look_at", "deadline_looks", ["look_at"])
    op.create_index("ix_deadline_looks_looked_by", "deadline_looks", ["looked_by"])


def downgrade() -> None:
    op.drop_table("deadline_looks")
