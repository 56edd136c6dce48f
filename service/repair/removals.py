"""Removals: objects and rows of batches and images that were deleted. A single result is deleted by its own route."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

from batching.errors import SourceMissing
from service.store import ObjectStore
from service.truth.database import AsyncEngine, statement

PAGE = 500
IMAGE_GRACE_S = 900.0
"""Bytes stay this long after their image was deleted, and after they were last sent: longer than a request and a lease."""

BATCHES = """
SELECT id FROM batches WHERE deleted_at IS NOT NULL AND state IN ('completed', 'cancelled', 'expired')
ORDER BY deleted_at LIMIT 8
"""
OUTPUTS = "SELECT id, object_key FROM outputs WHERE batch_id = :batch LIMIT :page"
DROP_OUTPUTS = "DELETE FROM outputs WHERE id = ANY(CAST(:ids AS uuid[]))"
DROP_ITEMS = """
DELETE FROM items WHERE id IN (SELECT id FROM items WHERE batch_id = :batch LIMIT :page) RETURNING id
"""
DROP_BATCH = """
DELETE FROM batches b WHERE b.id = :batch AND NOT EXISTS (SELECT FROM items i WHERE i.batch_id = b.id) RETURNING b.id
"""
IMAGES = """
WITH gone AS MATERIALIZED (
  SELECT id, tenant, sha256, object_key FROM images
  WHERE deleted_at < now() - make_interval(secs => :grace_s) ORDER BY deleted_at LIMIT :page
)
SELECT g.id, g.object_key,
       EXISTS (SELECT FROM images i
               WHERE i.tenant = g.tenant AND i.sha256 = g.sha256 AND i.deleted_at IS NULL) AS shared
FROM gone g
WHERE NOT EXISTS (SELECT FROM batches b JOIN items i ON i.batch_id = b.id
                  WHERE b.state IN ('queued', 'running') AND i.source_key = g.object_key)
"""
"""A picture is needed until its whole batch is final: others of the batch may take it as their partner."""
DROP_IMAGE = "DELETE FROM images WHERE id = :id AND deleted_at IS NOT NULL"


async def remove_batches(engine: AsyncEngine, store: ObjectStore) -> Counter[str]:
    """Removes outputs, items and rows of deleted batches that are final: a page of each. Objects go before their rows."""
    removed: Counter[str] = Counter()
    for found in await statement(engine, BATCHES, {}):
        of_batch = {"batch": found["id"], "page": PAGE}
        outputs = await statement(engine, OUTPUTS, of_batch)
        if outputs:
            await store.delete([row["object_key"] for row in outputs])
            await statement(engine, DROP_OUTPUTS, {"ids": [row["id"] for row in outputs]})
        elif len(await statement(engine, DROP_ITEMS, of_batch)) < PAGE:
            removed["removed_batches"] += len(await statement(engine, DROP_BATCH, {"batch": found["id"]}))
        removed["removed_objects"] += len(outputs)
    return removed


async def remove_images(engine: AsyncEngine, store: ObjectStore, grace_s: float = IMAGE_GRACE_S) -> Counter[str]:
    """Removes the bytes and rows of images deleted `grace_s` ago that are in no unfinished batch: a page of them.

    The bytes stay where the same picture is there again, or was sent again so lately that its row may not be written yet.
    """
    removed: Counter[str] = Counter()
    before = datetime.now(UTC) - timedelta(seconds=grace_s)
    for row in await statement(engine, IMAGES, {"grace_s": grace_s, "page": PAGE}):
        if not row["shared"]:
            try:
                if await store.modified_at(row["object_key"]) > before:
                    continue
            except SourceMissing:
                pass
            await store.delete([row["object_key"]])
            removed["removed_objects"] += 1
        await statement(engine, DROP_IMAGE, {"id": row["id"]})
        removed["removed_images"] += 1
    return removed
