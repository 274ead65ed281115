"""lists and background passes that cost the same however many applications there were"""

import sqlalchemy as sa
from alembic import op

from adapters.storage.migrations.beside_others import create_index_beside_others
from adapters.storage.tables import UtcInstant

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

_MARKS = (
    ("applications", "forgotten", sa.Integer()),
    ("review_tasks", "forgotten", sa.Integer()),
    ("evidence_documents", "rested_on_at", UtcInstant(timezone=True)),
)
_INDEXES: tuple[tuple[str, str, list[str], str | None], ...] = (
    ("ix_applications_status_received_at", "applications", ["status", "received_at"], None),
    ("ix_applications_region_status_received_at", "applications", ["region", "status", "received_at"], None),
    (
        "ix_applications_to_forget",
        "applications",
        ["status", "closed_at"],
        "forgotten IS NULL AND closed_at IS NOT NULL",
    ),
    ("ix_applications_others_left", "applications", ["status", "closed_at"], "forgotten = 1"),
    ("ix_review_tasks_opened_at", "review_tasks", ["opened_at", "task_id"], None),
    ("ix_review_tasks_to_forget", "review_tasks", ["settled_at"], "forgotten IS NULL AND settled_at IS NOT NULL"),
    ("ix_evidence_documents_loose", "evidence_documents", ["kept_at"], "rested_on_at IS NULL"),
    ("ix_projects_over_since", "projects", ["over_since"], "erased_at IS NULL AND over_since IS NOT NULL"),
    (
        "ix_certificate_copies_source_kind_fetched_at",
        "certificate_copies",
        ["source", "kind", "fetched_at"],
        None,
    ),
    ("ix_reconciliation_reports_day", "reconciliation_reports", ["day"], None),
)


def upgrade() -> None:
    existing = sa.inspect(op.get_bind())
    for table, name, kind in _MARKS:
        # An attempt that was cut off while it built an index has committed what came before.
        if name not in {column["name"] for column in existing.get_columns(table)}:
            op.add_column(table, sa.Column(name, kind, nullable=True))
    for index in _INDEXES:
        create_index_beside_others(*index)


def downgrade() -> None:
    for name, table, _columns, _where in reversed(_INDEXES):
        op.drop_index(name, table_name=table)
    for table, name, _kind in reversed(_MARKS):
        with op.batch_alter_table(table) as batch_op:
            batch_op.drop_column(name)
