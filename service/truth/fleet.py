"""Whether it is the fleet that dies, not the pictures: then nobody's picture is charged, and the service is not ready."""

from __future__ import annotations

from service.truth.database import AsyncEngine, statement

WINDOW_S = 60
LOOKED_AT = 5000
"""Newest moves that are looked at, which costs a few milliseconds however many there are."""
LEAST_DEATHS = 3

DYING = f"""
fleet AS MATERIALIZED (
  SELECT count(DISTINCT CASE WHEN reason = 'lease_expired' THEN worker ELSE token::text END)
           FILTER (WHERE reason IN ('lease_expired', 'broken')) >= {LEAST_DEATHS}
         AND count(DISTINCT token) FILTER (WHERE reason IN ('lease_expired', 'broken'))
           > count(DISTINCT token) FILTER (WHERE to_state IN ('succeeded', 'failed')) AS dying
  FROM (SELECT reason, to_state, worker, token, at FROM state_log WHERE item_id IS NOT NULL ORDER BY id DESC
        LIMIT {LOOKED_AT}) newest
  WHERE at > now() - make_interval(secs => {WINDOW_S})
)
"""  # noqa: S608 - made of constants
"""A CTE with one column, `dying`: of late, three workers or more died (or sandboxes failed a picture of our own), and more
micro-batches with them than came to an end. A token is one micro-batch's."""


async def dying(engine: AsyncEngine) -> bool:
    """Whether many micro-batches died in the last minute, and few did not. Errors: DatabaseUnavailable."""
    [row] = await statement(engine, f"WITH {DYING} SELECT dying FROM fleet", {})  # noqa: S608 - made of constants
    return bool(row["dying"])
