"""engineering projects as they were pushed, and the leads that utilities have of them"""

import sqlalchemy as sa
from alembic import op

from adapters.storage.sealed import SealedBytes, SealedJson
from adapters.storage.tables import JsonDocument, UtcInstant

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "projects",
        sa.Column("project_id", sa.Text(), nullable=False),
        sa.Column("platform", sa.Text(), nullable=False),
        sa.Column("project_code", sa.Text(), nullable=False),
        sa.Column("works_code", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("region", sa.Text(), nullable=True),
        sa.Column("said", SealedJson(), nullable=True),
        sa.Column("contact", SealedJson(), nullable=True),
        sa.Column("first_heard_at", UtcInstant(timezone=True), nullable=False),
        sa.Column("heard_at", UtcInstant(timezone=True), nullable=False),
        sa.Column("waiting_since", UtcInstant(timezone=True), nullable=True),
        sa.Column("over_since", UtcInstant(timezone=True), nullable=True),
        sa.Column("erased_at", UtcInstant(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("project_id", name=op.f("pk_projects")),
    )
    op.create_index(
        "uq_projects_platform_project_code_works_code",
        "projects",
        ["platform", "project_code", "works_code"],
        unique=True,
    )
    waits, not_erased = sa.text("waiting_since IS NOT NULL"), sa.text("erased_at IS NULL")
    op.create_index("ix_projects_waiting", "projects", ["project_id"], sqlite_where=waits, postgresql_where=waits)
    op.create_index(
        "ix_projects_heard_at", "projects", ["heard_at"], sqlite_where=not_erased, postgresql_where=not_erased
    )
    op.create_table(
        "project_pushes",
        sa.Column("project_id", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("content_digest", sa.Text(), nullable=False),
        sa.Column("signed", SealedBytes(), nullable=True),
        sa.Column("signed_digest", sa.Text(), nullable=False),
        sa.Column("effect", sa.Text(), nullable=False),
        sa.Column("record_id", sa.Text(), nullable=False),
        sa.Column("received_at", UtcInstant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.project_id"], name=op.f("fk_project_pushes_project_id_projects")
        ),
        sa.PrimaryKeyConstraint("project_id", "version", name=op.f("pk_project_pushes")),
    )
    op.create_table(
        "leads",
        sa.Column("lead_id", sa.Text(), nullable=False),
        sa.Column("project_id", sa.Text(), nullable=False),
        sa.Column("platform", sa.Text(), nullable=False),
        sa.Column("utility", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("project", SealedJson(), nullable=False),
        sa.Column("project_version", sa.BigInteger(), nullable=False),
        sa.Column("offered_at", UtcInstant(timezone=True), nullable=False),
        sa.Column("changed_at", UtcInstant(timezone=True), nullable=False),
        sa.Column("contacted", JsonDocument(), nullable=True),
        sa.Column("connected", JsonDocument(), nullable=True),
        sa.Column("retracted_at", UtcInstant(timezone=True), nullable=True),
        sa.Column("retraction", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["project_id"], ["projects.project_id"], name=op.f("fk_leads_project_id_projects")),
        sa.PrimaryKeyConstraint("lead_id", name=op.f("pk_leads")),
    )
    op.create_index("ix_leads_project_id", "leads", ["project_id"])
    op.create_index("ix_leads_utility_lead_id", "leads", ["utility", "lead_id"])
    op.create_index("ix_leads_region_lead_id", "leads", ["region", "lead_id"])


def downgrade() -> None:
    op.drop_table("leads")
    op.drop_table("project_pushes")
    op.drop_table("projects")
