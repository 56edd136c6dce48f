"""Tenants, their API keys, the log of changes of accounts, and what each tenant uses."""

from __future__ import annotations

import sqlalchemy as sa
from alembic.operations import Operations
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"


METER = """
CREATE FUNCTION meter(of_tenant text, new_pictures bigint, new_outputs bigint, new_pixels bigint, new_bytes bigint)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  level bigint;
BEGIN
  INSERT INTO tenant_counters AS c (tenant, bytes_stored) VALUES (of_tenant, new_bytes)
  ON CONFLICT (tenant) DO UPDATE SET bytes_stored = c.bytes_stored + excluded.bytes_stored
  RETURNING c.bytes_stored INTO level;
  INSERT INTO usage_days AS u (tenant, day, pictures, outputs, pixels, bytes_stored)
  VALUES (of_tenant, CAST(now() AT TIME ZONE 'UTC' AS date), new_pictures, new_outputs, new_pixels, level)
  ON CONFLICT (tenant, day) DO UPDATE
  SET pictures = u.pictures + excluded.pictures, outputs = u.outputs + excluded.outputs,
      pixels = u.pixels + excluded.pixels, bytes_stored = excluded.bytes_stored;
END $$
"""
"""The counter's row is locked first, so the days of one tenant are written in turn."""

METERED = """
CREATE FUNCTION meter_{table}_{event}() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  one record;
BEGIN
  FOR one IN
    SELECT tenant, {pictures} AS pictures, {outputs} AS outputs, {pixels} AS pixels, {bytes} AS bytes
    FROM moved GROUP BY tenant ORDER BY tenant
  LOOP
    PERFORM meter(one.tenant, one.pictures, one.outputs, CAST(one.pixels AS bigint), CAST(one.bytes AS bigint));
  END LOOP;
  RETURN NULL;
END $$
"""
TRIGGER = """
CREATE TRIGGER meter_{table}_{event} AFTER {event} ON {table} REFERENCING {kind} TABLE AS moved
FOR EACH STATEMENT EXECUTE FUNCTION meter_{table}_{event}()
"""
"""For each statement, not each row, and after all of it."""

BYTES = {"items": "sum(source_bytes)", "outputs": "sum(bytes)", "images": "sum(bytes)"}
NOTHING = {"pictures": "0", "outputs": "0", "pixels": "0"}
COUNTED = {
    "items": {"pictures": "count(*)", "pixels": "sum(cost_pixels)"},
    "outputs": {"outputs": "count(*)"},
    "images": {},
}

BACKLOG = """
INSERT INTO tenant_counters (tenant, bytes_stored)
SELECT tenant, sum(bytes) FROM (
  SELECT tenant, bytes FROM outputs UNION ALL SELECT tenant, bytes FROM images
) AS kept GROUP BY tenant
"""


def upgrade(op: Operations) -> None:
    """Accounts. The tenant that there was before there were any, `default`, is the operator's."""
    op.create_table(
        "tenants",
        sa.Column("name", sa.String(length=64, collation="C"), nullable=False),
        sa.Column("limits", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_tenants")),
    )
    op.execute("INSERT INTO tenants (name) VALUES ('default')")
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant", sa.String(length=64, collation="C"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("hint", sa.String(length=16), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.name"], name=op.f("fk_api_keys_tenant")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("sha256", name=op.f("uq_api_keys_sha256")),
    )
    op.create_index("ix_api_keys_tenant", "api_keys", ["tenant", "id"], unique=False)
    op.create_table(
        "account_log",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("tenant", sa.String(length=255), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.String(length=32), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("detail", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account_log")),
    )
    op.create_index("ix_account_log_tenant", "account_log", ["tenant", "id"], unique=False)
    op.add_column("items", sa.Column("source_bytes", sa.BigInteger(), server_default="0", nullable=False))
    op.create_table(
        "tenant_counters",
        sa.Column("tenant", sa.String(length=255), nullable=False),
        sa.Column("bytes_stored", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("tenant", name=op.f("pk_tenant_counters")),
    )
    op.create_table(
        "usage_days",
        sa.Column("tenant", sa.String(length=255), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        *(
            sa.Column(name, sa.BigInteger(), server_default="0", nullable=False)
            for name in ("requests", "pictures", "outputs", "pixels", "bytes_stored")
        ),
        sa.PrimaryKeyConstraint("tenant", "day", name=op.f("pk_usage_days")),
    )
    op.execute(METER)
    for table, size in BYTES.items():
        # nothing is written between the count of what there is and the triggers that count what comes
        op.execute(f"LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE")
        added = {**NOTHING, **COUNTED[table], "bytes": size}
        op.execute(METERED.format(table=table, event="insert", **added))
        op.execute(METERED.format(table=table, event="delete", **NOTHING, bytes=f"-{size}"))
        op.execute(TRIGGER.format(table=table, event="insert", kind="NEW"))
        op.execute(TRIGGER.format(table=table, event="delete", kind="OLD"))
    op.execute(BACKLOG)
