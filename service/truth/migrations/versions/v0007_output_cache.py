"""The output cache: what results depend on, by items; which results were copied; which batches may have copies."""

from __future__ import annotations

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0007"
down_revision = "0006"


def upgrade(op: Operations) -> None:
    """Columns that the release before this one leaves at their defaults, and an index that has nothing in it yet."""
    op.add_column("batches", sa.Column("use_cache", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.add_column("items", sa.Column("cache_key", sa.LargeBinary(), nullable=True))
    op.add_column("outputs", sa.Column("cached", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.create_index("ix_items_cache_key", "items", ["cache_key", "id"], postgresql_where=sa.text("cache_key IS NOT NULL"))
