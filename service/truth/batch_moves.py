"""Batches cancelled, retried and deleted by their owner: each one transaction, compare-and-set on what it finds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from batching.errors import Cancelled
from service.truth.database import AsyncEngine, Row, fetch, retrying, statement, transaction
from service.truth.moves import COUNTED
from service.truth.partitions import bounds_of

CANCEL_PAGE = 500

# An order that only an index of the batch's items has keeps a plan, made before there are any, from reading the day's.
_REQUEST_CANCEL = """
UPDATE batches SET cancel_requested_at = coalesce(cancel_requested_at, now())
WHERE id = :id AND tenant = :tenant AND state IN ('queued', 'running') AND deleted_at IS NULL RETURNING id
"""

_CANCEL_ITEMS = f"""
WITH found AS MATERIALIZED (
  SELECT i.id, i.state AS from_state, i.worker, i.token FROM items i
  WHERE i.id = ANY(ARRAY(SELECT n.id FROM items n WHERE n.batch_id = :id AND n.id BETWEEN :low AND :high
                                                    AND n.state IN ('queued', 'leased') ORDER BY n.position))
    AND i.id BETWEEN :low AND :high AND i.tenant = :tenant AND i.state IN ('queued', 'leased')
  ORDER BY i.id LIMIT :page FOR NO KEY UPDATE OF i SKIP LOCKED
), moved AS (
  UPDATE items i
  SET state = 'cancelled', token = NULL, lease_until = NULL, handed_off_at = NULL, epoch = NULL, finished_at = now(),
      error_code = 'cancelled', error_detail = :detail
  WHERE i.id = ANY(ARRAY(SELECT id FROM found)) AND i.id BETWEEN :low AND :high
  RETURNING i.id, i.batch_id, i.tenant, (SELECT f.from_state FROM found f WHERE f.id = i.id) AS from_state,
            i.state AS to_state, 'cancelled' AS reason, i.worker, (SELECT f.token FROM found f WHERE f.id = i.id) AS token,
            0 AS outputs
), {COUNTED}
SELECT count(*) AS items FROM moved
"""  # noqa: S608 - made of constants

_HIDE = """
WITH hidden AS (
  UPDATE batches SET deleted_at = now(),
    cancel_requested_at = CASE WHEN state IN ('queued', 'running') THEN coalesce(cancel_requested_at, now())
                               ELSE cancel_requested_at END
  WHERE id = :id AND tenant = :tenant AND deleted_at IS NULL RETURNING id, tenant, state
), logged AS (
  INSERT INTO state_log (tenant, batch_id, from_state, to_state, reason)
  SELECT tenant, id, state, state, 'delete' FROM hidden
)
SELECT id FROM hidden
"""

_RETRY_ITEMS = """
WITH found AS MATERIALIZED (
  SELECT i.id FROM items i JOIN batches b ON b.id = i.batch_id
  WHERE i.id = ANY(ARRAY(SELECT n.id FROM items n WHERE n.batch_id = :id AND n.id BETWEEN :low AND :high
                                                    AND n.state = 'failed' ORDER BY n.finished_at, n.id))
    AND i.id BETWEEN :low AND :high AND i.tenant = :tenant AND i.state = 'failed'
    AND (i.source_key <> '' OR i.source_url IS NOT NULL)
    AND b.state IN ('queued', 'running', 'completed') AND b.cancel_requested_at IS NULL AND b.deleted_at IS NULL
  ORDER BY i.id FOR NO KEY UPDATE OF i
), moved AS (
  UPDATE items i
  SET state = 'queued', generation = i.generation + 1, executions = 0, crashes = 0, suspect = false, token = NULL,
      worker = NULL, lease_until = NULL, handed_off_at = NULL, epoch = NULL, error_code = NULL, error_detail = NULL,
      queued_at = now(), started_at = NULL, finished_at = NULL
  WHERE i.id = ANY(ARRAY(SELECT id FROM found)) AND i.id BETWEEN :low AND :high
  RETURNING i.id, i.tenant, i.batch_id, i.cost_pixels
), logged AS (
  INSERT INTO state_log (tenant, batch_id, item_id, from_state, to_state, reason)
  SELECT tenant, batch_id, id, 'failed', 'queued', 'retry' FROM moved
)
SELECT id, cost_pixels FROM moved ORDER BY id
"""

_RETRIABLE = """
SELECT count(*) AS items, coalesce(sum(cost_pixels), 0) AS pixels FROM items
WHERE batch_id = :id AND id BETWEEN :low AND :high AND tenant = :tenant AND state = 'failed'
  AND (source_key <> '' OR source_url IS NOT NULL)
"""
_METER = "SELECT meter(:tenant, :pictures, 0, CAST(:pixels AS bigint), 0)"
"""What the triggers do where items are new: those that run again cost as much."""

_RETRY_BATCH = """
WITH found AS MATERIALIZED (
  SELECT id, state FROM batches
  WHERE id = :id AND tenant = :tenant AND state IN ('queued', 'running', 'completed') AND cancel_requested_at IS NULL
    AND deleted_at IS NULL
  FOR NO KEY UPDATE
), moved AS (
  UPDATE batches b
  SET failed = b.failed - :retried, generation = b.generation + 1, finished_at = NULL,
      state = CASE b.state WHEN 'completed' THEN 'running' ELSE b.state END
  FROM found f WHERE b.id = f.id
  RETURNING b.id, b.tenant, f.state AS from_state, b.state AS to_state
), logged AS (
  INSERT INTO state_log (tenant, batch_id, from_state, to_state, reason)
  SELECT tenant, id, from_state, to_state, 'retry' FROM moved WHERE from_state <> to_state
)
SELECT id FROM moved
"""


@dataclass(frozen=True)
class Retried:
    """An item that waits again."""

    id: UUID
    cost_pixels: int


@dataclass(frozen=True)
class Retriable:
    """What a retry would run again: how many items, and their estimated pixels together."""

    items: int
    pixels: int


class _BatchMovedOn(Exception):
    """The batch was cancelled or deleted while its items were looked at: nothing is written."""


async def request_cancel(engine: AsyncEngine, tenant: str, batch_id: UUID) -> bool:
    """From now on no item of the batch begins; False: it is final, absent or another's."""
    return bool(await statement(engine, _REQUEST_CANCEL, {"id": batch_id, "tenant": tenant}))


async def cancel_items(engine: AsyncEngine, tenant: str, batch_id: UUID) -> None:
    """Cancels what is unfinished of a batch whose cancelling was requested. Rows in use are left to the reconciler."""
    values = {
        "id": batch_id,
        "tenant": tenant,
        "page": CANCEL_PAGE,
        "detail": Cancelled().message,
        **bounds_of(batch_id),
    }
    while (await statement(engine, _CANCEL_ITEMS, values))[0]["items"] == CANCEL_PAGE:
        pass


async def hide(engine: AsyncEngine, tenant: str, batch_id: UUID) -> bool:
    """Hides a batch at once and requests its cancelling; the reconciler removes the rest. False: there is none."""
    return bool(await statement(engine, _HIDE, {"id": batch_id, "tenant": tenant}))


async def retriable(engine: AsyncEngine, tenant: str, batch_id: UUID) -> Retriable:
    """The failed items of a batch whose bytes were kept, or can be fetched again."""
    [row] = await statement(engine, _RETRIABLE, {"id": batch_id, "tenant": tenant, **bounds_of(batch_id)})
    return Retriable(int(row["items"]), int(row["pixels"]))


async def retry(engine: AsyncEngine, tenant: str, batch_id: UUID) -> Sequence[Retried]:
    """Makes the failed items of a batch wait again, those whose bytes were kept, and says which.

    Counts and what is metered move in the same transaction, and a completed batch runs again.
    """

    async def run() -> list[Row]:
        async with transaction(engine) as connection:
            rows = await fetch(connection, _RETRY_ITEMS, {"id": batch_id, "tenant": tenant, **bounds_of(batch_id)})
            if rows and not await fetch(connection, _RETRY_BATCH, {"id": batch_id, "tenant": tenant, "retried": len(rows)}):
                raise _BatchMovedOn
            if rows:  # counters last, in the order in which everybody takes them
                pixels = sum(row["cost_pixels"] for row in rows)
                await fetch(connection, _METER, {"tenant": tenant, "pictures": len(rows), "pixels": pixels})
            return rows

    try:
        return [Retried(row["id"], row["cost_pixels"]) for row in await retrying(run)]
    except _BatchMovedOn:
        return []
