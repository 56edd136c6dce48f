"""Removals: objects and rows of batches and images that were deleted. A single result is deleted by its own route.

Objects go before their rows, so that a removal that is cut short is found and gone on with.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

from batching.errors import SourceMissing
from service.object_keys import Needed, needed
from service.store import ObjectStore
from service.truth.database import AsyncEngine, Row, statement
from service.truth.partitions import bounds_of

PAGE = 500
IMAGE_GRACE_S = 900.0
"""Bytes stay this long after their image was deleted, and after they were last sent: longer than a request and a lease."""

BATCHES = """
SELECT id FROM batches WHERE deleted_at IS NOT NULL AND NOT retired AND state IN ('completed', 'cancelled', 'expired')
ORDER BY deleted_at LIMIT 8
"""
OUTPUTS = "SELECT id, object_key FROM outputs WHERE batch_id = :batch AND item_id BETWEEN :low AND :high LIMIT :page"
DROP_OUTPUTS = "DELETE FROM outputs WHERE id = ANY(CAST(:ids AS uuid[])) AND item_id BETWEEN :low AND :high"
ITEMS = "SELECT id, source_key FROM items WHERE batch_id = :batch AND id BETWEEN :low AND :high LIMIT :page"
DROP_ITEMS = "DELETE FROM items WHERE id = ANY(CAST(:ids AS uuid[])) AND id BETWEEN :low AND :high"
DROP_LOG = """
DELETE FROM state_log WHERE id IN (SELECT id FROM state_log WHERE batch_id = :batch LIMIT :page) RETURNING id
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
       EXISTS (SELECT FROM images i WHERE i.tenant = g.tenant AND i.sha256 = g.sha256 AND i.object_key = g.object_key
               AND i.deleted_at IS NULL) AS shared
FROM gone g
WHERE NOT EXISTS (SELECT FROM items i JOIN batches b ON b.id = i.batch_id
                  WHERE i.image_id = g.id AND b.state IN ('queued', 'running'))
"""
"""A picture is needed until its whole batch is final: others of the batch may take it as their partner."""
DROP_IMAGE = "DELETE FROM images WHERE id = :id AND deleted_at IS NOT NULL"


async def remove_batches(engine: AsyncEngine, store: ObjectStore) -> Counter[str]:
    """Removes what there is of deleted batches that are final, a page of each: results, then pictures, log and batch."""
    removed: Counter[str] = Counter()
    for batch in await statement(engine, BATCHES, {}):
        of_batch = {"batch": batch["id"], "page": PAGE, **bounds_of(batch["id"])}
        if outputs := await statement(engine, OUTPUTS, of_batch):
            await store.delete([row["object_key"] for row in outputs])
            await statement(engine, DROP_OUTPUTS, {"ids": [row["id"] for row in outputs], **bounds_of(batch["id"])})
            removed += Counter(removed_objects=len(outputs), removed_rows=len(outputs))
        elif items := await statement(engine, ITEMS, of_batch):
            sources = _sources(batch, items)
            await store.delete(sources)
            await statement(engine, DROP_ITEMS, {"ids": [row["id"] for row in items], **bounds_of(batch["id"])})
            removed += Counter(removed_objects=len(sources), removed_rows=len(items))
        else:
            log = await statement(engine, DROP_LOG, of_batch)
            removed["removed_rows"] += len(log)
            if len(log) < PAGE:
                removed["removed_batches"] += len(await statement(engine, DROP_BATCH, {"batch": batch["id"]}))
    return removed


def _sources(batch: Row, items: list[Row]) -> list[str]:
    """The pictures that were sent with the batch: those of images, and of the batch that a replay is of, are others'."""
    return [row["source_key"] for row in items if needed(row["source_key"]) == Needed("sources", batch["id"])]


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
