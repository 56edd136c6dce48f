"""New batches: one statement writes a whole group of them, and the UNIQUE key decides between equal ones."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from batching.items import Priority
from service.ids import day_of
from service.truth.database import AsyncEngine, DatabaseUnavailable, DataRefused, as_json, statement

_MANY_ITEMS = 64
"""Beyond this a batch's rows are written down in a thread: other requests must not wait for them."""

_WRITE = """
WITH sent AS (
    SELECT * FROM jsonb_to_recordset(CAST(:batches AS jsonb)) AS s(
        id uuid, tenant text, "group" text, state text, priority text, recipe jsonb, recipe_digest text,
        recipe_name text, seed bigint, variants int, first_variant int, replay_of uuid, use_cache boolean, total int,
        failed int, idempotency_key text, fingerprint text)
), keys AS (
    INSERT INTO idempotency (tenant, key, fingerprint, batch_id)
    SELECT tenant, idempotency_key, fingerprint, id FROM sent WHERE idempotency_key IS NOT NULL
    ORDER BY tenant, idempotency_key
    ON CONFLICT DO NOTHING RETURNING batch_id
), made AS (
    INSERT INTO batches (id, tenant, "group", state, priority, recipe, recipe_digest, recipe_name, seed, variants,
                         first_variant, replay_of, use_cache, total, failed, finished_at)
    SELECT id, tenant, "group", state, priority, recipe, recipe_digest, recipe_name, seed, variants, first_variant,
           replay_of, use_cache, total, failed, CASE WHEN state = 'completed' THEN now() END
    FROM sent WHERE idempotency_key IS NULL OR id IN (SELECT batch_id FROM keys)
    ON CONFLICT (id) DO NOTHING
    RETURNING id, tenant, state, priority, created_at, finished_at
), added AS (
    INSERT INTO items (id, tenant, batch_id, day, position, custom_id, name, item_key, image_id, source_key, source_sha256,
                       source_url, source_bytes, width, height, labels, priority, cost_pixels, state, error_code,
                       error_detail, finished_at, handed_off_at, epoch)
    SELECT i.id, made.tenant, made.id, i.day, i.position, i.custom_id, i.name, i.item_key, i.image_id, i.source_key,
           i.source_sha256, i.source_url, i.source_bytes, i.width, i.height, i.labels, made.priority, i.cost_pixels,
           CASE WHEN i.error_code IS NULL THEN 'queued' ELSE 'failed' END, i.error_code, i.error_detail,
           CASE WHEN i.error_code IS NULL THEN NULL ELSE now() END,
           CASE WHEN i.error_code IS NULL AND CAST(:epoch AS text) IS NOT NULL THEN now() END,
           CASE WHEN i.error_code IS NULL THEN CAST(:epoch AS text) END
    FROM jsonb_to_recordset(CAST(:items AS jsonb)) AS i(
        batch_id uuid, day text, id uuid, position int, custom_id text, name text, item_key text, image_id uuid,
        source_key text, source_sha256 text, source_url text, source_bytes bigint, width int, height int, labels jsonb,
        cost_pixels bigint, error_code text, error_detail text)
    JOIN made ON made.id = i.batch_id
    RETURNING id, tenant, batch_id, state, error_code
), logged AS (
    INSERT INTO state_log (tenant, batch_id, item_id, from_state, to_state, reason)
    SELECT tenant, id, NULL::uuid, NULL, 'queued', 'submitted' FROM made
    UNION ALL SELECT tenant, batch_id, id, 'queued', 'failed', error_code FROM added WHERE state = 'failed'
    UNION ALL SELECT tenant, id, NULL, 'queued', 'completed', 'submitted' FROM made WHERE state = 'completed'
)
SELECT id, created_at, finished_at FROM made
"""

_READ_BACK = "SELECT id, created_at, finished_at FROM batches WHERE id = ANY(:ids)"

_KEYS = """
SELECT k.tenant, k.key, k.fingerprint, k.batch_id FROM idempotency k
JOIN unnest(CAST(:tenants AS text[]), CAST(:keys AS text[])) AS asked(tenant, key)
  ON k.tenant = asked.tenant AND k.key = asked.key
"""


@dataclass(frozen=True)
class NewItem:
    """One picture of a new batch. With `error_code` it is written as failed."""

    id: UUID
    custom_id: str
    name: str
    item_key: str
    image_id: UUID | None
    source_key: str
    source_sha256: str
    width: int | None
    height: int | None
    labels: Mapping[str, Any] | None
    cost_pixels: int
    error_code: str | None = None
    error_detail: str | None = None
    source_bytes: int = 0
    """What is stored for this item: nothing for a picture that was uploaded before."""
    source_url: str | None = None
    """Where the picture is to be fetched from; it has no key, hash and sides then."""


@dataclass(frozen=True)
class Key:
    """An idempotency key, and the fingerprint of the request it came with."""

    key: str
    fingerprint: str


@dataclass(frozen=True)
class NewBatch:
    """One batch to be written, with its pictures in order."""

    id: UUID
    tenant: str
    group: str | None
    priority: Priority
    recipe: Mapping[str, Any]
    recipe_digest: str
    seed: int
    variants: int
    items: tuple[NewItem, ...]
    key: Key | None = None
    recipe_name: str | None = None
    """Name and version that the recipe was asked for by, as `strong@3`."""
    first_variant: int = 0
    replay_of: UUID | None = None
    """The batch that the picture of a replay is of."""
    use_cache: bool = False
    """Whether earlier results of the same causes may answer for its pictures."""

    @property
    def failed(self) -> int:
        return sum(item.error_code is not None for item in self.items)

    @property
    def state(self) -> str:
        return "completed" if self.failed == len(self.items) else "queued"


@dataclass(frozen=True)
class Written:
    """The batch is in the database, durably."""

    created_at: datetime
    finished_at: datetime | None
    epoch: str | None = None
    """The epoch of Redis that its items are written as handed off to."""


@dataclass(frozen=True)
class SameKey:
    """Nothing was written: the idempotency key belongs to another batch."""

    batch_id: UUID
    fingerprint: str


Result = Written | SameKey


async def write(engine: AsyncEngine, batches: Sequence[NewBatch], epoch: str | None = None) -> Sequence[Result | Exception]:
    """Writes the batches in one transaction, or each on its own where PostgreSQL refuses a value of one of them.

    epoch: their items are written as handed off to this epoch of Redis; the caller does that next (see `handoff`).
    Returns, in order, what became of each. Errors: DatabaseUnavailable, for all of them.
    """
    try:
        return await _write(engine, batches, epoch)
    except DataRefused as refused:
        if len(batches) == 1:
            return [refused]
        return [answer for batch in batches for answer in await write(engine, [batch], epoch)]


async def key_owner(engine: AsyncEngine, tenant: str, key: str) -> SameKey | None:
    """The batch that an idempotency key belongs to."""
    rows = await statement(engine, _KEYS, {"tenants": [tenant], "keys": [key]})
    return SameKey(rows[0]["batch_id"], rows[0]["fingerprint"]) if rows else None


async def _write(engine: AsyncEngine, batches: Sequence[NewBatch], epoch: str | None) -> list[Result | Exception]:
    if sum(len(batch.items) for batch in batches) > _MANY_ITEMS:
        items = await asyncio.to_thread(_item_rows, batches)
    else:
        items = _item_rows(batches)
    values = {"batches": _array(map(as_json, _batch_rows(batches))), "items": items, "epoch": epoch}
    rows = {row["id"]: row for row in await statement(engine, _WRITE, values)}
    # a statement that was run again after its connection broke finds its own rows, and writes nothing
    if unknown := [batch.id for batch in batches if batch.id not in rows]:
        rows |= {row["id"]: row for row in await statement(engine, _READ_BACK, {"ids": unknown})}
    owners = await _owners(engine, [batch for batch in batches if batch.id not in rows])
    results: list[Result | Exception] = []
    for batch in batches:
        if row := rows.get(batch.id):
            results.append(Written(row["created_at"], row["finished_at"], epoch))
        else:
            results.append(owners.get(batch.id, DatabaseUnavailable("a batch was not written")))
    return results


async def _owners(engine: AsyncEngine, batches: Sequence[NewBatch]) -> dict[UUID, SameKey]:
    keyed = [(batch, batch.key) for batch in batches if batch.key]
    if not keyed:
        return {}
    values = {"tenants": [batch.tenant for batch, _ in keyed], "keys": [key.key for _, key in keyed]}
    rows = await statement(engine, _KEYS, values)
    found = {(row["tenant"], row["key"]): SameKey(row["batch_id"], row["fingerprint"]) for row in rows}
    return {batch.id: found[batch.tenant, key.key] for batch, key in keyed if (batch.tenant, key.key) in found}


def _batch_rows(batches: Sequence[NewBatch]) -> list[dict[str, Any]]:
    return [
        {
            "id": batch.id,
            "tenant": batch.tenant,
            "group": batch.group,
            "state": batch.state,
            "priority": batch.priority,
            "recipe": batch.recipe,
            "recipe_digest": batch.recipe_digest,
            "recipe_name": batch.recipe_name,
            "seed": batch.seed,
            "variants": batch.variants,
            "first_variant": batch.first_variant,
            "replay_of": batch.replay_of,
            "use_cache": batch.use_cache,
            "total": len(batch.items),
            "failed": batch.failed,
            "idempotency_key": batch.key.key if batch.key else None,
            "fingerprint": batch.key.fingerprint if batch.key else None,
        }
        for batch in batches
    ]


def _item_rows(batches: Sequence[NewBatch]) -> str:
    """Row by row: what is turned into text in one go keeps the interpreter to itself, in a thread too."""
    return _array(
        as_json({"batch_id": batch.id, "day": day_of(batch.id), "position": position, **vars(item)})
        for batch in batches
        for position, item in enumerate(batch.items)
    )


def _array(rows: Iterable[str]) -> str:
    return f"[{','.join(rows)}]"


__all__ = ["Key", "NewBatch", "NewItem", "Result", "SameKey", "Written", "key_owner", "write"]
