"""subtrees, super log, checkpoints and what others signed of them

Nothing of what is there is touched: the previous release goes on beside this one. What it seals meanwhile, and what was
sealed before, gets its subtrees from whoever anchors (``gateway.records.anchoring``).
"""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

from adapters.storage.tables import UtcInstant

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "record_subtrees",
        sa.Column("log_id", sa.Text(), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("log_id", "level", "position", name=op.f("pk_record_subtrees")),
    )
    super_log = op.create_table(
        "record_super_log",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("held_until", UtcInstant(timezone=True), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("peaks", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_record_super_log")),
    )
    nobody = {"name": "super", "holder": "", "held_until": datetime(1970, 1, 1, tzinfo=UTC), "size": 0, "peaks": b""}
    op.bulk_insert(super_log, [nobody])
    op.create_table(
        "record_super_leaves",
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("leaf_hash", sa.LargeBinary(), nullable=False),
        sa.Column("leaf", sa.LargeBinary(), nullable=False),
        sa.Column("log_id", sa.Text(), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_record_super_leaves")),
    )
    with op.batch_alter_table("record_super_leaves", schema=None) as batch_op:
        batch_op.create_index("ix_record_super_leaves_log_id", ["log_id", "last"], unique=False)
    op.create_table(
        "record_checkpoints",
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("signed_at", UtcInstant(timezone=True), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("size", name=op.f("pk_record_checkpoints")),
    )
    op.create_table(
        "record_cosignatures",
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("witness", sa.Text(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("line", sa.Text(), nullable=False),
        sa.Column("seen_at", UtcInstant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["size"], ["record_checkpoints.size"], name=op.f("fk_record_cosignatures_size_record_checkpoints")
        ),
        sa.PrimaryKeyConstraint("size", "witness", "key_id", name=op.f("pk_record_cosignatures")),
    )
    op.create_table(
        "record_time_stamps",
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("authority", sa.Text(), nullable=False),
        sa.Column("token", sa.LargeBinary(), nullable=False),
        sa.Column("stamped_at", UtcInstant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["size"], ["record_checkpoints.size"], name=op.f("fk_record_time_stamps_size_record_checkpoints")
        ),
        sa.PrimaryKeyConstraint("size", "authority", name=op.f("pk_record_time_stamps")),
    )
    with op.batch_alter_table("record_time_stamps", schema=None) as batch_op:
        batch_op.create_index("ix_record_time_stamps_authority", ["authority", "stamped_at"], unique=False)


def downgrade() -> None:
    for table in (
        "record_time_stamps",
        "record_cosignatures",
        "record_checkpoints",
        "record_super_leaves",
        "record_super_log",
        "record_subtrees",
    ):
        op.drop_table(table)
