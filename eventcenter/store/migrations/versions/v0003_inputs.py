"""Inputs, and what they are to fetch again."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "input",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("tenant_id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("config", sa.JSON(), nullable=False),
        sa.Column("secrets", sa.LargeBinary(), nullable=False),
        sa.Column("claim", sa.String(length=64), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("service", sa.String(length=63), nullable=True),
        sa.Column("start", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name="fk_input_tenant_id"),
        sa.PrimaryKeyConstraint("id", name="pk_input"),
        sa.UniqueConstraint("tenant_id", "name", name="uq_input_tenant_id_name"),
        sa.UniqueConstraint("claim", name="uq_input_claim"),
    )
    op.create_table(
        "fetch",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("tenant_id", sa.String(length=32), nullable=False),
        sa.Column("input_id", sa.String(length=32), nullable=False),
        sa.Column("reason", sa.String(length=16), nullable=False),
        sa.Column("service", sa.String(length=63), nullable=False),
        sa.Column("ranges", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("result", sa.JSON(), nullable=False),
        sa.Column("from_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("to_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.String(length=300), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name="fk_fetch_tenant_id"),
        sa.ForeignKeyConstraint(["input_id"], ["input.id"], name="fk_fetch_input_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_fetch"),
    )
    op.create_index(
        "ix_fetch_tenant_id_input_id_created_at",
        "fetch",
        ["tenant_id", "input_id", "created_at"],
        unique=False,
    )
    op.create_index("ix_fetch_state", "fetch", ["state"], unique=False)
