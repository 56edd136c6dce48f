"""Retired batches: those that retention hides wait for the rest of their day, and are removed with it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0008"
down_revision = "0007"


def upgrade(op: Operations) -> None:
    """A column that the release before this one leaves at its default: what that one hides is removed row by row."""
    op.add_column("batches", sa.Column("retired", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.create_index("ix_batches_retired", "batches", ["id"], postgresql_where=sa.text("retired"))
    op.create_index(
        "ix_batches_hidden", "batches", ["deleted_at"], postgresql_where=sa.text("deleted_at IS NOT NULL AND NOT retired")
    )
    op.drop_index("ix_batches_deleted", "batches")
