"""The tables. Every row names its tenant; the legal moves of an item and a batch are the ones listed here."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Sequence,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

ITEM_MOVES = {
    "queued": ("leased", "failed", "cancelled"),
    "leased": ("queued", "succeeded", "failed", "cancelled"),
    "failed": ("queued",),
    "succeeded": (),
    "cancelled": (),
}
BATCH_MOVES = {
    "queued": ("running", "completed", "cancelled", "expired"),
    "running": ("completed", "cancelled", "expired"),
    "completed": ("running",),
    "cancelled": (),
    "expired": (),
}

lease_token = Sequence("lease_token", metadata=metadata)
"""Numbers that no lease ever shares: each ledger takes one and counts its leases within it."""

_NOW = func.now()


def _time(name: str, *, now: bool = False, nullable: bool = True) -> Column[object]:
    return Column(name, DateTime(timezone=True), server_default=_NOW if now else None, nullable=nullable)


images = Table(
    "images",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("tenant", String(255), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("format", String(16), nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("filename", Text, nullable=False, server_default=""),
    Column("object_key", Text, nullable=False),
    _time("created_at", now=True, nullable=False),
    _time("deleted_at"),
    Index("uq_images_tenant_sha256", "tenant", "sha256", unique=True, postgresql_where=text("deleted_at IS NULL")),
    Index("ix_images_tenant_id", "tenant", "id"),
    Index("ix_images_deleted", "deleted_at", postgresql_where=text("deleted_at IS NOT NULL")),
)

batches = Table(
    "batches",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("tenant", String(255), nullable=False),
    Column("group", Text),
    Column("state", String(16), nullable=False, server_default="queued"),
    Column("priority", String(16), nullable=False),
    Column("recipe", JSONB, nullable=False),
    Column("recipe_digest", String(64), nullable=False),
    Column("recipe_name", Text),
    Column("seed", BigInteger, nullable=False),
    Column("variants", Integer, nullable=False),
    Column("first_variant", Integer, nullable=False, server_default="0"),
    Column("replay_of", Uuid),
    Column("use_cache", Boolean, nullable=False, server_default=text("false")),
    Column("total", Integer, nullable=False),
    Column("succeeded", Integer, nullable=False, server_default="0"),
    Column("failed", Integer, nullable=False, server_default="0"),
    Column("cancelled", Integer, nullable=False, server_default="0"),
    Column("outputs_done", Integer, nullable=False, server_default="0"),
    Column("generation", Integer, nullable=False, server_default="0"),
    _time("created_at", now=True, nullable=False),
    _time("started_at"),
    _time("finished_at"),
    _time("cancel_requested_at"),
    _time("expires_at"),
    _time("deleted_at"),
    Column("retired", Boolean, nullable=False, server_default=text("false")),
    CheckConstraint("succeeded + failed + cancelled <= total", name="counts"),
    Index("ix_batches_tenant_id", "tenant", "id"),
    Index("ix_batches_tenant_group_id", "tenant", "group", "id", postgresql_where=text('"group" IS NOT NULL')),
    Index("ix_batches_open", "id", postgresql_where=text("state IN ('queued', 'running')")),
    Index(
        "ix_batches_cancelling",
        "cancel_requested_at",
        postgresql_where=text("cancel_requested_at IS NOT NULL AND state IN ('queued', 'running')"),
    ),
    Index(
        "ix_batches_expiring",
        "expires_at",
        postgresql_where=text("expires_at IS NOT NULL AND state IN ('queued', 'running')"),
    ),
    Index("ix_batches_hidden", "deleted_at", postgresql_where=text("deleted_at IS NOT NULL AND NOT retired")),
    Index("ix_batches_retired", "id", postgresql_where=text("retired")),
    Index(
        "ix_batches_finished",
        "finished_at",
        postgresql_where=text("finished_at IS NOT NULL AND deleted_at IS NULL"),
    ),
    Index("ix_batches_replays", "created_at", postgresql_where=text("replay_of IS NOT NULL AND deleted_at IS NULL")),
)
"""With `replay_of` it makes one variant of a picture of that batch again: nobody sees it, and it is removed
after it was looked at. With `use_cache` earlier results of the same causes may answer for its items. `retired` are
those that retention has hidden: they are removed with the rest of their day (`service/repair/days.py`)."""

items = Table(
    "items",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("tenant", String(255), nullable=False),
    Column("batch_id", ForeignKey("batches.id", ondelete="CASCADE"), nullable=False),
    Column("day", String(10), nullable=False),
    Column("position", Integer, nullable=False),
    Column("custom_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("item_key", String(16), nullable=False),
    Column("image_id", Uuid),
    Column("source_key", Text, nullable=False, server_default=""),
    Column("source_sha256", String(64), nullable=False, server_default=""),
    Column("source_bytes", BigInteger, nullable=False, server_default="0"),
    Column("source_url", Text),
    Column("width", Integer),
    Column("height", Integer),
    Column("labels", JSONB),
    Column("priority", String(16), nullable=False),
    Column("cost_pixels", BigInteger, nullable=False),
    Column("state", String(16), nullable=False, server_default="queued"),
    Column("suspect", Boolean, nullable=False, server_default=text("false")),
    Column("token", BigInteger),
    Column("lease_until", DateTime(timezone=True)),
    Column("worker", Text),
    Column("executions", SmallInteger, nullable=False, server_default="0"),
    Column("crashes", SmallInteger, nullable=False, server_default="0"),
    Column("generation", Integer, nullable=False, server_default="0"),
    Column("handed_off_at", DateTime(timezone=True)),
    Column("epoch", String(32)),
    Column("error_code", String(64)),
    Column("error_detail", Text),
    _time("created_at", now=True, nullable=False),
    _time("queued_at", now=True, nullable=False),
    _time("started_at"),
    _time("finished_at"),
    Column("cache_key", LargeBinary),
    Index("ix_items_batch_id_position", "batch_id", "position"),
    Index(
        "ix_items_waiting", "tenant", "priority", "id", postgresql_where=text("state = 'queued' AND handed_off_at IS NULL")
    ),
    Index(
        "ix_items_handed_off",
        "tenant",
        "priority",
        "handed_off_at",
        postgresql_where=text("state = 'queued' AND handed_off_at IS NOT NULL"),
    ),
    Index("ix_items_leased", "lease_until", postgresql_where=text("state = 'leased'")),
    Index("ix_items_failed", "batch_id", "finished_at", "id", postgresql_where=text("state = 'failed'")),
    Index("ix_items_image", "image_id", postgresql_where=text("image_id IS NOT NULL")),
    Index("ix_items_cache_key", "cache_key", "id", postgresql_where=text("cache_key IS NOT NULL")),
    postgresql_partition_by="RANGE (id)",
)
"""`item_key` is the 64-bit key of the draws as 16 hex digits (PostgreSQL has no unsigned 64-bit integer). It is unique in
its batch, and so is the place: one statement writes the items of a batch, and `Intake` has checked their names.
`cache_key` is the digest of what its results depend on, where they may answer for other items: see `output_cache`."""

outputs = Table(
    "outputs",
    metadata,
    Column("id", Uuid, nullable=False),
    Column("tenant", String(255), nullable=False),
    Column("batch_id", ForeignKey("batches.id", ondelete="CASCADE"), nullable=False),
    Column("item_id", Uuid, primary_key=True),
    Column("variant", Integer, primary_key=True, autoincrement=False),
    Column("object_key", Text, nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("format", String(16), nullable=False),
    Column("draws", JSONB, nullable=False),
    Column("labels", JSONB),
    Column("device", String(32), nullable=False),
    Column("engine_version", String(64), nullable=False),
    Column("token", BigInteger, nullable=False),
    _time("created_at", now=True, nullable=False),
    Column("cached", Boolean, nullable=False, server_default=text("false")),
    Index("ix_outputs_id", "id"),
    Index("ix_outputs_batch_id", "batch_id", "item_id", "variant"),
    postgresql_partition_by="RANGE (item_id)",
)
"""Items are not referred to by a foreign key, which would look through all partitions: the statement that writes outputs
holds the row of their item, and what removes items removes their outputs first."""

sweeps = Table(
    "sweeps",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("position", Text, nullable=False),
    _time("ended_at"),
)
"""How far the reconciler is with what takes it many passes, and when it was last through."""

idempotency = Table(
    "idempotency",
    metadata,
    Column("tenant", String(255), primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("fingerprint", String(64), nullable=False),
    Column("batch_id", Uuid, nullable=False),
    _time("created_at", now=True, nullable=False),
    Index("ix_idempotency_created_at", "created_at"),
)

recipes = Table(
    "recipes",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("tenant", String(255), nullable=False),
    Column("name", String(64, collation="C"), nullable=False),
    Column("version", Integer, nullable=False),
    Column("recipe", JSONB, nullable=False),
    Column("digest", String(64), nullable=False),
    _time("created_at", now=True, nullable=False),
    CheckConstraint("version >= 1", name="version"),
    UniqueConstraint("tenant", "name", "version"),
    UniqueConstraint("tenant", "name", "digest"),
)
"""Named recipes, never changed: versions of a name count from 1, and one content is one version of it."""

state_log = Table(
    "state_log",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("tenant", String(255), nullable=False),
    Column("batch_id", Uuid, nullable=False),
    Column("item_id", Uuid),
    Column("from_state", String(16)),
    Column("to_state", String(16), nullable=False),
    Column("reason", String(64), nullable=False),
    Column("worker", Text),
    Column("token", BigInteger),
    _time("at", now=True, nullable=False),
    Index("ix_state_log_batch_id", "batch_id", "id"),
)
"""Append-only: every move of an item (item_id set) or a batch (item_id null), written with the move itself."""

tenants = Table(
    "tenants",
    metadata,
    Column("name", String(64, collation="C"), primary_key=True),
    Column("limits", JSONB, nullable=False, server_default="{}"),
    _time("created_at", now=True, nullable=False),
    _time("disabled_at"),
)
"""Tenants with an account; those of the seed's users have none. `limits` are the ones that are not the settings'."""

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("tenant", ForeignKey("tenants.name"), nullable=False),
    Column("name", Text, nullable=False),
    Column("role", String(16), nullable=False),
    Column("hint", String(16), nullable=False),
    Column("sha256", String(64), nullable=False, unique=True),
    _time("created_at", now=True, nullable=False),
    _time("expires_at"),
    _time("revoked_at"),
    _time("last_used_at"),
    Index("ix_api_keys_tenant", "tenant", "id"),
)
"""Keys, of which the SHA-256 alone is kept. Revoked ones stay, for the log names them."""

account_log = Table(
    "account_log",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("tenant", String(255), nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", String(32), nullable=False),
    Column("subject", Text, nullable=False),
    Column("detail", JSONB, nullable=False),
    _time("at", now=True, nullable=False),
    Index("ix_account_log_tenant", "tenant", "id"),
)
"""Append-only: every change of an account, written with the change itself."""

tenant_counters = Table(
    "tenant_counters",
    metadata,
    Column("tenant", String(255), primary_key=True),
    Column("bytes_stored", BigInteger, nullable=False, server_default="0"),
)
"""What a tenant has stored now: `source_bytes` of its items, `bytes` of its outputs and images.

Triggers of these three tables (revision 0003) move it in the transaction that adds or removes rows, whoever wrote the
statement, and after everything else: its lock is the last that a transaction takes.
"""

usage_days = Table(
    "usage_days",
    metadata,
    Column("tenant", String(255), primary_key=True),
    Column("day", Date, primary_key=True),
    Column("requests", BigInteger, nullable=False, server_default="0"),
    Column("pictures", BigInteger, nullable=False, server_default="0"),
    Column("outputs", BigInteger, nullable=False, server_default="0"),
    Column("pixels", BigInteger, nullable=False, server_default="0"),
    Column("bytes_stored", BigInteger, nullable=False, server_default="0"),
)
"""What a tenant used on a day (UTC); `bytes_stored` is the level at its end. The same triggers write it, but `requests`,
which API processes add every few seconds."""

seed_users = Table(
    "seed_users",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("external_id", Text, nullable=False, unique=True),
    Column("tenant", String(255), nullable=False, unique=True),
    _time("created_at", now=True, nullable=False),
)

seed_images = Table(
    "seed_images",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("tenant", String(255), nullable=False),
    Column("image_id", ForeignKey("images.id", ondelete="CASCADE"), nullable=False),
    Column("filename", Text, nullable=False),
    _time("created_at", now=True, nullable=False),
    Index("ix_seed_images_tenant", "tenant"),
    Index("ix_seed_images_image", "image_id"),
)
