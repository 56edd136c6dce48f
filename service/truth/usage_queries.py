"""What tenants use: the level now, for limits; and by day, for the bill."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from service.truth.database import AsyncEngine, fetch, statement, transaction

_LEVEL = """
SELECT (SELECT jsonb_object_agg(priority, items) FROM (
          SELECT priority, sum(total - succeeded - failed - cancelled) AS items FROM batches
          WHERE tenant = :tenant AND state IN ('queued', 'running') GROUP BY priority) AS open) AS unfinished,
       (SELECT pixels FROM usage_days
        WHERE tenant = :tenant AND day = CAST(now() AT TIME ZONE 'UTC' AS date)) AS pixels_today,
       (SELECT bytes_stored FROM tenant_counters WHERE tenant = :tenant) AS bytes_stored,
       (SELECT limits FROM tenants WHERE name = :tenant) AS limits
"""
_DAYS = """
SELECT day, requests, pictures, outputs, pixels, bytes_stored FROM usage_days
WHERE tenant = :tenant AND day <= :last
  AND day >= coalesce((SELECT max(day) FROM usage_days WHERE tenant = :tenant AND day <= :first), :first)
ORDER BY day
"""
"""With the last day before, where the first has no row: it says what was stored when the time began."""
_ADD_REQUESTS = """
INSERT INTO usage_days AS u (tenant, day, requests, bytes_stored)
SELECT t.tenant, CAST(now() AT TIME ZONE 'UTC' AS date), t.requests, coalesce(c.bytes_stored, 0)
FROM unnest(CAST(:tenants AS text[]), CAST(:requests AS bigint[])) AS t (tenant, requests)
LEFT JOIN tenant_counters c USING (tenant) ORDER BY t.tenant
ON CONFLICT (tenant, day) DO UPDATE SET requests = u.requests + excluded.requests
"""


@dataclass(frozen=True)
class Level:
    """What a tenant has now, and the limits that are its own."""

    unfinished: Mapping[str, int]
    """Items by priority."""
    pixels_today: int
    bytes_stored: int
    limits: Mapping[str, Any]


@dataclass(frozen=True)
class Day:
    """What a tenant used on a day (UTC)."""

    day: date
    requests: int = 0
    pictures: int = 0
    outputs: int = 0
    pixels: int = 0
    bytes_stored: int = 0
    """At the end of the day."""


async def level(engine: AsyncEngine, tenant: str) -> Level:
    """What the tenant has now; nothing of one that has never sent anything."""
    [row] = await statement(engine, _LEVEL, {"tenant": tenant})
    return Level(row["unfinished"] or {}, row["pixels_today"] or 0, row["bytes_stored"] or 0, row["limits"] or {})


async def days(engine: AsyncEngine, tenant: str, first: date, last: date) -> Sequence[Day]:
    """Days of use from `first` to `last`, those without any left out; one before them may lead."""
    rows = await statement(engine, _DAYS, {"tenant": tenant, "first": first, "last": last})
    return [Day(**row) for row in rows]


async def add_requests(engine: AsyncEngine, counts: Mapping[str, int]) -> None:
    """Adds requests by tenant to today. Not tried again by itself: they would be counted twice. DatabaseUnavailable."""
    values = {"tenants": list(counts), "requests": list(counts.values())}
    async with transaction(engine) as connection:
        await fetch(connection, _ADD_REQUESTS, values)
