"""Rows for tests of what stands on PostgreSQL: batches as a submit would have written them, and what became of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from batching.items import Done, Failed, Item, Stored
from kernels.recipe import Recipe
from service.ids import new_id
from service.truth.database import AsyncEngine, statement

DAY = "2026-01-02"


@dataclass(frozen=True)
class BatchRows:
    """Ids of a batch that was written."""

    id: UUID
    items: tuple[UUID, ...]


async def make_batch(
    engine: AsyncEngine,
    items: int = 1,
    *,
    tenant: str = "acme",
    priority: str = "bulk",
    variants: int = 1,
    seed: int = 7,
    recipe: Mapping[str, Any] | None = None,
    labels: Mapping[str, Any] | None = None,
    queued_s_ago: float = 0.0,
    handed_off: bool = False,
    expires_in_s: float | None = None,
    like: UUID | None = None,
) -> BatchRows:
    """A queued batch of `items` pictures; with `like`, of the day of that id."""
    batch_id = new_id(like)
    ids = sorted(new_id(batch_id) for _ in range(items))
    document = recipe if recipe is not None else Recipe.parse({"steps": [{"op": "solarize"}]}).document()
    digest = Recipe().digest[:32] + str(abs(hash(json.dumps(document, sort_keys=True))))[:16]
    await statement(
        engine,
        """
        WITH batch AS (
          INSERT INTO batches (id, tenant, priority, recipe, recipe_digest, seed, variants, total, expires_at)
          VALUES (:id, :tenant, :priority, CAST(:recipe AS jsonb), :digest, :seed, :variants, :total,
                  now() + make_interval(secs => CAST(:expires AS float8)))
        )
        INSERT INTO items (id, tenant, batch_id, day, position, custom_id, name, item_key, source_key, source_sha256,
                           labels, priority, cost_pixels, queued_at, created_at, handed_off_at, epoch)
        SELECT id, :tenant, :id, :day, place, 'picture ' || place, 'picture-' || place, lpad(to_hex(place), 16, '0'),
               :tenant || '/images/' || place, repeat('0', 64), CAST(:labels AS jsonb), :priority, 50176,
               now() - make_interval(secs => :ago), now() - make_interval(secs => :ago),
               CASE WHEN :handed THEN now() - make_interval(secs => :ago) END, CASE WHEN :handed THEN 'some' END
        FROM unnest(CAST(:ids AS uuid[])) WITH ORDINALITY AS t (id, place)
        """,
        {
            "id": batch_id,
            "tenant": tenant,
            "priority": priority,
            "recipe": json.dumps(document),
            "digest": digest,
            "seed": seed,
            "variants": variants,
            "total": items,
            "ids": ids,
            "day": DAY,
            "labels": json.dumps(labels) if labels is not None else None,
            "ago": queued_s_ago,
            "handed": handed_off,
            "expires": expires_in_s,
        },
    )
    return BatchRows(batch_id, tuple(ids))


def make_done(item: Item, **changes: Any) -> Done:
    """An outcome with every variant stored."""
    outputs = tuple(
        replace(
            Stored(
                variant=variant,
                object_key=f"{item.tenant}/outputs/{item.day}/{item.id.hex[-2:]}/{item.id}-{variant}-{item.token}",
                bytes=3,
                sha256="0" * 64,
                width=4,
                height=2,
                format="jpeg",
                draws=({"op": "solarize", "threshold": 0.5},),
                labels=None,
            ),
            **changes,
        )
        for variant in range(item.variants)
    )
    return Done(item, outputs, device="cpu", engine_version="test")


def make_failed(item: Item, code: str = "image_corrupt", detail: str = "bad") -> Failed:
    """An outcome without outputs."""
    return Failed(item, code, detail)


async def one(engine: AsyncEngine, sql: str, **values: object) -> dict[str, Any]:
    """The only row of a query."""
    [row] = await statement(engine, sql, values)
    return dict(row)


async def batch_row(engine: AsyncEngine, batch_id: UUID) -> dict[str, Any]:
    """A batch as it is now."""
    return await one(engine, "SELECT * FROM batches WHERE id = :id", id=batch_id)


async def item_row(engine: AsyncEngine, item_id: UUID) -> dict[str, Any]:
    """An item as it is now."""
    return await one(engine, "SELECT * FROM items WHERE id = :id", id=item_id)


async def states(engine: AsyncEngine, batch_id: UUID) -> dict[str, int]:
    """How many items of a batch are in each state."""
    rows = await statement(
        engine, "SELECT state, count(*) AS n FROM items WHERE batch_id = :id GROUP BY state", {"id": batch_id}
    )
    return {row["state"]: row["n"] for row in rows}


async def check_books(engine: AsyncEngine) -> None:
    """Fails unless counts, states, outputs and the log of moves say the same of every batch."""
    wrong = await statement(
        engine,
        """
        SELECT b.id, b.state, b.total, b.succeeded, b.failed, b.cancelled, b.outputs_done
        FROM batches b
        WHERE ARRAY[b.succeeded, b.failed, b.cancelled, b.outputs_done]::bigint[] <> (
                SELECT ARRAY[count(*) FILTER (WHERE i.state = 'succeeded'), count(*) FILTER (WHERE i.state = 'failed'),
                       count(*) FILTER (WHERE i.state = 'cancelled'),
                       (SELECT count(*) FROM outputs o WHERE o.batch_id = b.id)]
                FROM items i WHERE i.batch_id = b.id)
           OR (b.state IN ('completed', 'cancelled', 'expired')) <> (b.succeeded + b.failed + b.cancelled = b.total)
           OR (b.finished_at IS NOT NULL) <> (b.state IN ('completed', 'cancelled', 'expired'))
           OR b.total <> (SELECT count(*) FROM items i WHERE i.batch_id = b.id)
        """,
        {},
    )
    assert wrong == []
    wrong = await statement(
        engine,
        """
        SELECT i.id, i.state FROM items i JOIN batches b ON b.id = i.batch_id
        WHERE (SELECT count(*) FROM outputs o WHERE o.item_id = i.id)
              <> CASE i.state WHEN 'succeeded' THEN b.variants ELSE 0 END
           OR i.state <> coalesce(
                (SELECT l.to_state FROM state_log l WHERE l.item_id = i.id ORDER BY l.id DESC LIMIT 1), 'queued')
           OR (i.state = 'leased') <> (i.lease_until IS NOT NULL)
        """,
        {},
    )
    assert wrong == []
    broken = await statement(
        engine,
        """
        SELECT item_id, before, from_state, to_state FROM (
          SELECT l.*, lag(l.to_state, 1, 'queued') OVER (PARTITION BY l.item_id ORDER BY l.id) AS before
          FROM state_log l WHERE l.item_id IS NOT NULL) AS moves
        WHERE from_state <> before
        """,
        {},
    )
    assert broken == []


def now() -> datetime:
    """The time, aware of its zone."""
    return datetime.now(UTC)
