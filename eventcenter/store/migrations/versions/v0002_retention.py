"""Retention, legal holds, and deletions of a subject's events."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "retention",
        sa.Column("tenant_id", sa.String(length=32), nullable=False),
        sa.Column("bus", sa.String(length=127), nullable=False),
        sa.Column("max_age_days", sa.Integer(), nullable=True),
        sa.Column("max_bytes", sa.BigInteger(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_by", sa.String(length=300), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name="fk_retention_tenant_id"),
        sa.PrimaryKeyConstraint("tenant_id", "bus", name="pk_retention"),
    )
    op.create_table(
        "hold",
        sa.Column("tenant_id", sa.String(length=32), nullable=False),
        sa.Column("bus", sa.String(length=127), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("set_by", sa.String(length=300), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name="fk_hold_tenant_id"),
        sa.PrimaryKeyConstraint("tenant_id", "bus", name="pk_hold"),
    )
    op.create_table(
        "deletion",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("tenant_id", sa.String(length=32), nullable=False),
        sa.Column("subject", sa.LargeBinary(), nullable=True),
        sa.Column("subject_hash", sa.String(length=64), nullable=False),
        sa.Column("bus", sa.String(length=127), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("asked_by", sa.String(length=300), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("report", sa.JSON(), nullable=True),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name="fk_deletion_tenant_id"),
        sa.PrimaryKeyConstraint("id", name="pk_deletion"),
    )
    op.create_index("ix_deletion_tenant_id_asked_at", "deletion", ["tenant_id", "asked_at"], unique=False)
    op.create_index("ix_deletion_state", "deletion", ["state"], unique=False)
