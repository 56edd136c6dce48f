"""Repairs: what crashes, lost leases and a lost Redis leave behind, put right one page at a time.

Each function does one page or less and says how much; each is compare-and-set on what it read, so it may run beside
workers, API processes and another reconciler, and stop anywhere. Rows that somebody holds are skipped until the next pass.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from batching.errors import Cancelled, Expired, Poison
from batching.items import LaneKey, Waiting
from service.truth.database import AsyncEngine, Row, statement
from service.truth.fleet import DYING
from service.truth.moves import COUNTED
from service.truth.partitions import bounds

PAGE = 1000
SETTLED_S = 2.0
"""A hand-off younger than this may still be under way."""
SUSPECT_PART = 8
"""A suspect takes as much of its tenant's turn as this part of a micro-batch, and so one worker takes a few at a time."""
POISON = Poison("the worker that ran it died").message

EXPIRED_LEASES = f"""
WITH {DYING}, found AS MATERIALIZED (
  SELECT i.id, i.worker, i.token, i.suspect AND NOT f.dying AS charged,
         i.suspect AND NOT f.dying AND (i.crashes >= :max_crashes OR i.executions >= :max_executions) AS spent
  FROM items i CROSS JOIN fleet f WHERE i.state = 'leased' AND i.lease_until < now()
  ORDER BY i.id LIMIT :page FOR NO KEY UPDATE OF i SKIP LOCKED
), moved AS (
  UPDATE items i
  SET state = CASE WHEN f.spent THEN 'failed' ELSE 'queued' END, suspect = true, token = NULL,
      executions = greatest(i.executions - CASE WHEN f.charged THEN 0 ELSE 1 END, 0),
      lease_until = NULL, handed_off_at = NULL, epoch = NULL, finished_at = CASE WHEN f.spent THEN now() END,
      error_code = CASE WHEN f.spent THEN 'poison' END, error_detail = CASE WHEN f.spent THEN :poison END
  FROM found f WHERE i.id = f.id
  RETURNING i.id, i.batch_id, i.tenant, 'leased' AS from_state, i.state AS to_state, 'lease_expired' AS reason, f.worker,
            f.token, 0 AS outputs
), {COUNTED}
SELECT to_state, count(*) AS items FROM moved GROUP BY to_state
"""  # noqa: S608 - made of constants

OVER = f"""
WITH over AS MATERIALIZED (
  (SELECT id, 'cancelled' AS code, CAST(:cancelled AS text) AS detail FROM batches
   WHERE state IN ('queued', 'running') AND cancel_requested_at IS NOT NULL ORDER BY cancel_requested_at LIMIT 16)
  UNION ALL
  (SELECT id, 'expired', CAST(:expired AS text) FROM batches
   WHERE state IN ('queued', 'running') AND expires_at < now() AND cancel_requested_at IS NULL ORDER BY expires_at LIMIT 16)
), found AS MATERIALIZED (
  SELECT i.id, i.state AS from_state, i.worker, i.token, o.code, o.detail
  FROM over o JOIN items i ON i.batch_id = o.id
  WHERE i.state IN ('queued', 'leased') LIMIT :page FOR NO KEY UPDATE OF i SKIP LOCKED
), moved AS (
  UPDATE items i
  SET state = 'cancelled', token = NULL, lease_until = NULL, handed_off_at = NULL, epoch = NULL, finished_at = now(),
      error_code = f.code, error_detail = f.detail
  FROM found f WHERE i.id = f.id
  RETURNING i.id, i.batch_id, i.tenant, f.from_state, i.state AS to_state, f.code AS reason, f.worker, f.token, 0 AS outputs
), {COUNTED}
SELECT count(*) AS items FROM moved
"""  # noqa: S608 - made of constants

FORGET = """
WITH quick AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true)
), found AS MATERIALIZED (
  SELECT i.id FROM {source} WHERE i.state = 'queued' AND i.handed_off_at IS NOT NULL AND {where}
  LIMIT :page FOR NO KEY UPDATE OF i SKIP LOCKED
)
UPDATE items i SET handed_off_at = NULL, epoch = NULL FROM found f, quick WHERE i.id = f.id RETURNING i.id
"""
FORGET_IDS = FORGET.format(source="items i", where="i.id = ANY(CAST(:ids AS uuid[])) AND i.id BETWEEN :low AND :high")
FORGET_OTHER_EPOCHS = FORGET.format(source="items i", where="i.epoch IS DISTINCT FROM :epoch")
FORGET_STRANDED = FORGET.format(
    source="""unnest(CAST(:tenants AS text[]), CAST(:priorities AS text[]), CAST(:ages AS float8[]))
                AS l (tenant, priority, age_s)
    JOIN items i ON i.tenant = l.tenant AND i.priority = l.priority""",
    where="i.handed_off_at < now() - make_interval(secs => l.age_s + :settled_s)",
)

HANDED_OFF_SINCE = """
SELECT id FROM items
WHERE state = 'queued' AND tenant = :tenant AND priority = :priority
  AND handed_off_at BETWEEN now() - make_interval(secs => :age_s) AND now() - make_interval(secs => :settled_s)
ORDER BY tenant, priority, handed_off_at LIMIT :page
"""

LANES = """
WITH RECURSIVE lanes AS (
  (SELECT tenant, priority FROM items WHERE state = 'queued' AND handed_off_at {null}
   ORDER BY tenant, priority LIMIT 1)
  UNION ALL
  SELECT n.tenant, n.priority FROM lanes l CROSS JOIN LATERAL (
    SELECT i.tenant, i.priority FROM items i
    WHERE i.state = 'queued' AND i.handed_off_at {null} AND (i.tenant, i.priority) > (l.tenant, l.priority)
    ORDER BY i.tenant, i.priority LIMIT 1) n
)
SELECT tenant, priority FROM lanes
"""
"""One index look-up for each lane, however many items are on it."""
LANES_WAITING = LANES.format(null="IS NULL")
LANES_HANDED_OFF = LANES.format(null="IS NOT NULL")

NEXT = """
SELECT id, cost_pixels, suspect FROM items
WHERE state = 'queued' AND handed_off_at IS NULL AND tenant = :tenant AND priority = :priority
  AND (executions > 0 OR queued_at < now() - make_interval(secs => :settled_s))
ORDER BY tenant, priority, id LIMIT :page
"""


@dataclass(frozen=True)
class Budgets:
    """How often an item may be tried, and what a micro-batch holds."""

    executions: int
    crashes: int
    micro_batch_pixels: int


async def end_leases(engine: AsyncEngine, budgets: Budgets) -> Counter[str]:
    """Items whose lease ran out wait again as suspects, which run alone; those that used up their budget fail as `poison`.

    The first time costs an item nothing, for it was one of many. As a suspect it was charged when it was run, and is
    charged an execution now, so that it cannot go on for ever; while the whole fleet dies, it is not.
    """
    values = {
        "page": PAGE,
        "max_crashes": budgets.crashes,
        "max_executions": budgets.executions,
        "poison": POISON,
    }
    rows = await statement(engine, EXPIRED_LEASES, values)
    moved = {row["to_state"]: row["items"] for row in rows}
    return Counter(expired=moved.get("queued", 0), poisoned=moved.get("failed", 0))


async def end_batches(engine: AsyncEngine) -> Counter[str]:
    """Unfinished items of batches that were cancelled, or whose time is over, are cancelled; their workers are fenced."""
    values = {"page": PAGE, "cancelled": Cancelled().message, "expired": Expired().message}
    [row] = await statement(engine, OVER, values)
    return Counter(cancelled=row["items"])


async def forget_items(engine: AsyncEngine, item_ids: Sequence[UUID]) -> int:
    """Queued ones of these items count as not handed off: their entries were held by a consumer that is dead."""
    return len(await statement(engine, FORGET_IDS, {"ids": list(item_ids), "page": len(item_ids), **bounds(item_ids)}))


async def forget_other_epochs(engine: AsyncEngine, epoch: str) -> int:
    """Queued items that were handed off to a Redis that was emptied since count as not handed off; a page of them."""
    return len(await statement(engine, FORGET_OTHER_EPOCHS, {"epoch": epoch, "page": PAGE}))


async def forget_stranded(engine: AsyncEngine, ages: Mapping[LaneKey, float]) -> int:
    """Queued items that were handed off clearly before the oldest entry of their lane are in it no more; a page of them.

    `ages`: for how many seconds at most the oldest entry of each lane has been in it; about 0: the lane was empty. They
    are no points in time, for the clocks of Redis and PostgreSQL may differ.
    """
    values = {
        "tenants": [lane.tenant for lane in ages],
        "priorities": [lane.priority for lane in ages],
        "ages": list(ages.values()),
        "settled_s": SETTLED_S,
        "page": PAGE,
    }
    return len(await statement(engine, FORGET_STRANDED, values)) if ages else 0


async def handed_off_since(engine: AsyncEngine, lane: LaneKey, age_s: float, most: int) -> list[UUID]:
    """The first queued items of a lane that count as handed off since then, and by now should be in it."""
    values = {**lane._asdict(), "age_s": age_s, "settled_s": SETTLED_S, "page": most}
    return [row["id"] for row in await statement(engine, HANDED_OFF_SINCE, values)]


async def lanes_waiting(engine: AsyncEngine) -> list[LaneKey]:
    """Lanes with queued items that are not handed off."""
    return [_lane(row) for row in await statement(engine, LANES_WAITING, {})]


async def lanes_handed_off(engine: AsyncEngine) -> list[LaneKey]:
    """Lanes with queued items that were handed off."""
    return [_lane(row) for row in await statement(engine, LANES_HANDED_OFF, {})]


async def next_waiting(engine: AsyncEngine, lane: LaneKey, most: int, budgets: Budgets) -> list[Waiting]:
    """The oldest items of a lane that are not handed off, but the newest, whose hand-off may be under way."""
    values = {**lane._asdict(), "settled_s": SETTLED_S, "page": most}
    return [
        Waiting(row["id"], max(row["cost_pixels"], budgets.micro_batch_pixels // SUSPECT_PART if row["suspect"] else 0))
        for row in await statement(engine, NEXT, values)
    ]


def _lane(row: Row) -> LaneKey:
    return LaneKey(row["priority"], row["tenant"])
