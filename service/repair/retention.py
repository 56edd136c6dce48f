"""Retention: batches and uploaded pictures that are older than the operator keeps them are deleted as by their owners.

Each function does one page or less. What it hides is removed, bytes and rows, by `days` or `removals`.
"""

from __future__ import annotations

from collections.abc import Mapping
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
WITH page AS MATERIALIZED (
  SELECT tenant, key, created_at FROM idempotency
  WHERE created_at >= :at AND (created_at, tenant, key) > (:at, :tenant, :key)
    AND created_at < now() - make_interval(secs => :kept_s)
  ORDER BY created_at, tenant, key LIMIT :page
), removed AS (
  DELETE FROM idempotency k USING page p
  WHERE k.tenant = p.tenant AND k.key = p.key AND NOT EXISTS (SELECT FROM batches b WHERE b.id = k.batch_id)
  RETURNING k.tenant, k.key
)
SELECT p.created_at AS at, p.tenant, p.key, r.key IS NOT NULL AS removed FROM page p LEFT JOIN removed r USING (tenant, key)
ORDER BY at, tenant, key
"""


async def hide_batches(engine: AsyncEngine, days: float) -> int:
    """Hides batches that ended so many days ago; says how many, PAGE at most."""
    today = first_id(datetime.now(UTC).date())
    return len(await statement(engine, _BATCHES, {"age_s": days * DAY_S, "page": PAGE, "today": today}))


_FIRST = UUID(int=0)
_FIRST_KEY: Mapping[str, object] = {"at": datetime.fromtimestamp(0, UTC), "tenant": "", "key": ""}


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


@dataclass
class Keys:
    """A walk over all idempotency keys of more than so many days, oldest first, to remove those whose batches are gone.

    A batch may be kept for years before it goes, so no age is too old to be looked at.
    """

    engine: AsyncEngine
    days: float = KEYS_KEPT_DAYS
    after: Mapping[str, object] = field(default_factory=lambda: _FIRST_KEY)

    async def step(self) -> tuple[int, bool]:
        """Looks at a page; says how many were removed, and whether there are more to look at."""
        rows = await statement(self.engine, _KEYS, {**self.after, "kept_s": self.days * DAY_S, "page": PAGE})
        more = len(rows) == PAGE
        self.after = {name: rows[-1][name] for name in _FIRST_KEY} if more else _FIRST_KEY
        return sum(row["removed"] for row in rows), more
