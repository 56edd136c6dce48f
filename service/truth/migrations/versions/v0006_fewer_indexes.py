"""Fewer indexes that every move of an item writes to."""

from __future__ import annotations

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0006"
down_revision = "0005"

CHANGES = (
    "DROP INDEX ix_items_batch_state",
    "CREATE INDEX ix_items_failed ON items (batch_id, finished_at, id) WHERE state = 'failed'",
    "DROP INDEX ix_items_image",
    "CREATE INDEX ix_items_image ON items (image_id) WHERE image_id IS NOT NULL",
    "DROP INDEX ix_batches_tenant_group_id",
    """CREATE INDEX ix_batches_tenant_group_id ON batches (tenant, "group", id) WHERE "group" IS NOT NULL""",
)


def upgrade(op: Operations) -> None:
    """Indexes of what most rows are not: failed, of an uploaded picture, of a group. Each new version of a row is written
    to all others, and an item has three versions at least.
    """
    for sql in CHANGES:
        op.execute(sa.text(sql))
