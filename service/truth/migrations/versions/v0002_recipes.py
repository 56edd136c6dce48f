"""Stored recipes, and the name under which a batch's recipe was asked for."""

from __future__ import annotations

import sqlalchemy as sa
from alembic.operations import Operations
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"


def upgrade(op: Operations) -> None:
    """A table of recipes by name and version; batches may say which of them they were sent with."""
    op.create_table(
        "recipes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant", sa.String(length=255), nullable=False),
        sa.Column("name", sa.String(length=64, collation="C"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("recipe", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("version >= 1", name=op.f("ck_recipes_version")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recipes")),
        sa.UniqueConstraint("tenant", "name", "version", name=op.f("uq_recipes_tenant_name_version")),
        sa.UniqueConstraint("tenant", "name", "digest", name=op.f("uq_recipes_tenant_name_digest")),
    )
    op.add_column("batches", sa.Column("recipe_name", sa.Text(), nullable=True))
