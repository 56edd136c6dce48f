"""SQL that every move of an item shares: the log of moves, the counts of its batch, and the batch's own end.

Lock order everywhere: items by id, then batches by id. Counts move by the rows that a guarded UPDATE returned, so a
statement that runs twice counts once. `NO KEY` locks let the foreign keys of other transactions pass.
"""

from __future__ import annotations

FINAL = "('succeeded', 'failed', 'cancelled')"

COUNTED = f"""
tallied AS (
  SELECT batch_id, count(*) FILTER (WHERE to_state = 'succeeded') AS succeeded,
         count(*) FILTER (WHERE to_state = 'failed') AS failed,
         count(*) FILTER (WHERE to_state = 'cancelled') AS cancelled, sum(outputs) AS outputs
  FROM moved WHERE to_state IN {FINAL} GROUP BY batch_id
), counted AS MATERIALIZED (
  SELECT id, state FROM batches WHERE id IN (SELECT batch_id FROM tallied) ORDER BY id FOR NO KEY UPDATE
), batch AS (
  UPDATE batches b
  SET succeeded = b.succeeded + t.succeeded, failed = b.failed + t.failed, cancelled = b.cancelled + t.cancelled,
      outputs_done = b.outputs_done + t.outputs,
      state = CASE
        WHEN b.state NOT IN ('queued', 'running')
          OR b.succeeded + b.failed + b.cancelled + t.succeeded + t.failed + t.cancelled < b.total THEN b.state
        WHEN b.cancelled + t.cancelled = 0 THEN 'completed'
        WHEN b.cancel_requested_at IS NOT NULL THEN 'cancelled'
        ELSE 'expired' END,
      finished_at = CASE
        WHEN b.state IN ('queued', 'running')
          AND b.succeeded + b.failed + b.cancelled + t.succeeded + t.failed + t.cancelled = b.total THEN now()
        ELSE b.finished_at END
  FROM tallied t JOIN counted c ON c.id = t.batch_id
  WHERE b.id = c.id
  RETURNING b.id, b.tenant, c.state AS from_state, b.state AS to_state
), logged AS (
  INSERT INTO state_log (tenant, batch_id, item_id, from_state, to_state, reason, worker, token)
  SELECT tenant, batch_id, id, from_state, to_state, reason, worker, token FROM moved
  UNION ALL SELECT tenant, id, NULL, from_state, to_state, 'last_item', NULL, NULL FROM batch WHERE from_state <> to_state
)
"""  # noqa: S608 - made of constants
"""CTEs after one named `moved` with the columns id, batch_id, tenant, from_state, to_state, reason, worker, token, outputs.

`batch` has the batches whose counts moved, with their states before and after.
"""
