"""review tasks of certificates that do not plainly agree"""

import sqlalchemy as sa
from alembic import op

import adapters.storage.tables

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "review_tasks",
        sa.Column("task_id", sa.Text(), nullable=False),
        sa.Column("intake_id", sa.Text(), nullable=False),
        sa.Column("holder_digest", sa.Text(), nullable=False),
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("customer_class", sa.Text(), nullable=False),
        sa.Column("opened_at", adapters.storage.tables.UtcInstant(timezone=True), nullable=False),
        sa.Column("expires_at", adapters.storage.tables.UtcInstant(timezone=True), nullable=False),
        sa.Column("findings", adapters.storage.tables.JsonDocument(), nullable=False),
        sa.Column("record_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("settled_at", adapters.storage.tables.UtcInstant(timezone=True), nullable=True),
        sa.Column("officer", sa.Text(), nullable=True),
        sa.Column("settled_by", sa.Text(), nullable=True),
        sa.Column("reason", sa.LargeBinary(), nullable=True),
        sa.Column("application_id", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("task_id", name=op.f("pk_review_tasks")),
        sa.UniqueConstraint("intake_id", name=op.f("uq_review_tasks_intake_id")),
    )
    with op.batch_alter_table("review_tasks", schema=None) as batch_op:
        batch_op.create_index("ix_review_tasks_state_opened_at", ["state", "opened_at"], unique=False)
        batch_op.create_index("ix_review_tasks_holder_digest", ["holder_digest"], unique=False)
        batch_op.create_index("ix_review_tasks_application_id", ["application_id"], unique=False)
    op.create_table(
        "review_looks",
        sa.Column("record_id", sa.Text(), nullable=False),
        sa.Column("task_id", sa.Text(), nullable=False),
        sa.Column("officer", sa.Text(), nullable=False),
        sa.Column("looked_by", sa.Text(), nullable=False),
        sa.Column("at", adapters.storage.tables.UtcInstant(timezone=True), nullable=False),
        sa.Column("fields", adapters.storage.tables.JsonDocument(), nullable=False),
        sa.ForeignKeyConstraint(
            ["task_id"], ["review_tasks.task_id"], name=op.f("fk_review_looks_task_id_review_tasks")
        ),
        sa.PrimaryKeyConstraint("record_id", name=op.f("pk_review_looks")),
    )
    with op.batch_alter_table("review_looks", schema=None) as batch_op:
        batch_op.create_index("ix_review_looks_task_id", ["task_id"], unique=False)
    # Intakes live half an hour. Those begun before were not compared, and cannot be confirmed without it.
    op.execute("DELETE FROM intakes")
    with op.batch_alter_table("intakes", schema=None) as batch_op:
        batch_op.add_column(sa.Column("under_review", sa.Boolean(), server_default=sa.false(), nullable=False))
        batch_op.create_index("ix_intakes_holder_digest", ["holder_digest"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("intakes", schema=None) as batch_op:
        batch_op.drop_index("ix_intakes_holder_digest")
        batch_op.drop_column("under_review")
    op.drop_table("review_looks")
    op.drop_table("review_tasks")
