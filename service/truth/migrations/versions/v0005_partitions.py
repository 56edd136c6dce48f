"""Items and outputs in partitions of a day, by ranges of their ids."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from alembic.operations import Operations

from service.truth.migrations.versions.v0003_accounts import TRIGGER

revision = "0005"
down_revision = "0004"

DAYS_AHEAD = 7


def upgrade(op: Operations) -> None:
    """The two tables made anew, with partitions for the days of what is there and for the next ones; rows are copied.

    Unique keys of a partitioned table must contain the id that it is divided by, so those of a batch's items by place and
    by item key become plain indexes, or none: one statement writes a batch's items, and the API has checked their names.
    """
    for table in ("outputs", "items"):
        op.execute(sa.text(f"ALTER TABLE {table} RENAME TO {table}_before"))
        op.execute(
            sa.text(f"CREATE TABLE {table} (LIKE {table}_before INCLUDING DEFAULTS) PARTITION BY RANGE ({KEYS[table]})")
        )
        op.execute(sa.text(f"CREATE TABLE {table}_default PARTITION OF {table} DEFAULT"))
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    days = {_day(row[0]) for row in op.get_bind().execute(sa.text(OLD_DAYS))}
    for day in sorted(days | {today + timedelta(days=ahead) for ahead in range(DAYS_AHEAD + 1)}):
        for table in KEYS:
            bounds = f"FROM ('{_first(day)}') TO ('{_first(day + timedelta(days=1))}')"
            op.execute(sa.text(f"CREATE TABLE {table}_{day:%Y%m%d} PARTITION OF {table} FOR VALUES {bounds}"))
    for table in ("items", "outputs"):
        op.execute(sa.text(f"INSERT INTO {table} SELECT * FROM {table}_before"))  # noqa: S608 - names of this file
    for table in ("outputs", "items"):
        op.execute(sa.text(f"DROP TABLE {table}_before"))
    for sql in CONSTRAINTS:
        op.execute(sa.text(sql))
    # rows that were copied are counted already; those that come and go from now on are counted as before
    for table in KEYS:
        op.execute(TRIGGER.format(table=table, event="insert", kind="NEW"))
        op.execute(TRIGGER.format(table=table, event="delete", kind="OLD"))


KEYS = {"items": "id", "outputs": "item_id"}
OLD_DAYS = """
SELECT DISTINCT ('x' || substr(replace(CAST(id AS text), '-', ''), 1, 12))\\:\\:bit(48)\\:\\:bigint / 86400000
FROM items_before
"""
CONSTRAINTS = (
    "ALTER TABLE items ADD CONSTRAINT pk_items PRIMARY KEY (id)",
    "ALTER TABLE items ADD CONSTRAINT fk_items_batch_id FOREIGN KEY (batch_id) REFERENCES batches (id) ON DELETE CASCADE",
    "CREATE INDEX ix_items_batch_id_position ON items (batch_id, position)",
    "CREATE INDEX ix_items_batch_state ON items (batch_id, state, position)",
    "CREATE INDEX ix_items_image ON items (image_id)",
    "CREATE INDEX ix_items_leased ON items (lease_until) WHERE state = 'leased'",
    """CREATE INDEX ix_items_waiting ON items (tenant, priority, id) WHERE state = 'queued' AND handed_off_at IS NULL""",
    """CREATE INDEX ix_items_handed_off ON items (tenant, priority, handed_off_at)
       WHERE state = 'queued' AND handed_off_at IS NOT NULL""",
    "ALTER TABLE outputs ADD CONSTRAINT pk_outputs PRIMARY KEY (item_id, variant)",
    """ALTER TABLE outputs
       ADD CONSTRAINT fk_outputs_batch_id FOREIGN KEY (batch_id) REFERENCES batches (id) ON DELETE CASCADE""",
    "CREATE INDEX ix_outputs_id ON outputs (id)",
    "CREATE INDEX ix_outputs_batch_id ON outputs (batch_id, item_id, variant)",
)


def _day(number: int) -> datetime:
    return datetime.fromtimestamp(number * 86400, UTC)


def _first(day: datetime) -> UUID:
    return UUID(int=round(day.timestamp() * 1000) << 80)
