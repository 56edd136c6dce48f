"""Retention: batches and uploaded pictures that are older than the operator keeps them are deleted as by their owners.

Each function does one page or less. What it hides is removed, bytes and rows, by `days` or `removals`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from service.truth.database import AsyncEngine, statement
from service.truth.partitions import first_id

PAGE = 500
DAY_S = 86_400.0
KEYS_KEPT_DAYS = 7.0
"""An Idempotency-Key is known for at least so long, that of a deleted batch too."""

_BATCHES = """
WITH over AS MATERIALIZED (
  SELECT id FROM batches
  WHERE finished_at < now() - make_interval(secs => :age_s) AND deleted_at IS NULL
  ORDER BY finished_at LIMIT :page FOR NO KEY UPDATE SKIP LOCKED
), hidden AS (
  UPDATE batches b SET deleted_at = now(), retired = b.id < :today FROM over o WHERE b.id = o.id
  RETURNING b.id, b.tenant, b.state
), logged AS (
  INSERT INTO state_log (tenant, batch_id, from_state, to_state, reason)
  SELECT tenant, id, state, state, 'retention' FROM hidden
)
SELECT id FROM hidden
"""
"""A batch that is retried has no end any more, so it stays. Of a day that is over, it waits for the rest of it (`days`)."""

_IMAGES = """
WITH page AS MATERIALIZED (
  SELECT id FROM images
  WHERE id > :after AND created_at < now() - make_interval(secs => :age_s) AND deleted_at IS NULL ORDER BY id LIMIT :page
), hidden AS (
  UPDATE images g SET deleted_at = now() FROM page p
  WHERE g.id = p.id AND g.deleted_at IS NULL
    AND NOT EXISTS (SELECT FROM items i JOIN batches b ON b.id = i.batch_id
                    WHERE i.image_id = g.id
                      AND (b.created_at >= now() - make_interval(secs => :age_s) OR b.state IN ('queued', 'running')))
  RETURNING g.id
)
SELECT p.id, h.id IS NOT NULL AS hidden FROM page p LEFT JOIN hidden h USING (id) ORDER BY p.id
"""

_KEYS = """
DELETE FROM idempotency k WHERE (k.tenant, k.key) IN (
  SELECT i.tenant, i.key FROM idempotency i
  WHERE i.created_at < now() - make_interval(secs => :kept_s) AND i.created_at > now() - make_interval(secs => 8 * :kept_s)
    AND NOT EXISTS (SELECT FROM batches b WHERE b.id = i.batch_id)
  LIMIT :page)
RETURNING k.key
"""


async def hide_batches(engine: AsyncEngine, days: float) -> int:
    """Hides batches that ended so many days ago; says how many, PAGE at most."""
    today = first_id(datetime.now(UTC).date())
    return len(await statement(engine, _BATCHES, {"age_s": days * DAY_S, "page": PAGE, "today": today}))


async def forget_keys(engine: AsyncEngine, days: float = KEYS_KEPT_DAYS) -> int:
    """Removes idempotency keys of that age whose batches are gone; says how many, PAGE at most."""
    return len(await statement(engine, _KEYS, {"kept_s": days * DAY_S, "page": PAGE}))


_FIRST = UUID(int=0)


@dataclass
class Images:
    """A walk over all uploaded pictures, to hide those that were neither uploaded nor used within so many days."""

    engine: AsyncEngine
    days: float
    after: UUID = field(default=_FIRST)

    async def step(self) -> tuple[int, bool]:
        """Looks at a page; says how many were hidden, and whether there are more to look at."""
        rows = await statement(self.engine, _IMAGES, {"after": self.after, "age_s": self.days * DAY_S, "page": PAGE})
        more = len(rows) == PAGE
        self.after = rows[-1]["id"] if more else _FIRST
        return sum(row["hidden"] for row in rows), more
