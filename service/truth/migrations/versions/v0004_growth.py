"""Replays, retention, and sweeps through the store."""

from __future__ import annotations

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0004"
down_revision = "0003"


def upgrade(op: Operations) -> None:
    """Batches that make one variant again; indexes by age; how far a sweep is."""
    op.add_column("batches", sa.Column("first_variant", sa.Integer(), server_default="0", nullable=False))
    op.add_column("batches", sa.Column("replay_of", sa.Uuid(), nullable=True))
    op.create_index(
        "ix_batches_replays",
        "batches",
        ["created_at"],
        unique=False,
        postgresql_where=sa.text("replay_of IS NOT NULL AND deleted_at IS NULL"),
    )
    op.create_index(
        "ix_batches_finished",
        "batches",
        ["finished_at"],
        unique=False,
        postgresql_where=sa.text("finished_at IS NOT NULL AND deleted_at IS NULL"),
    )
    op.create_index("ix_idempotency_created_at", "idempotency", ["created_at"], unique=False)
    op.create_table(
        "sweeps",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("position", sa.Text(), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_sweeps")),
    )
