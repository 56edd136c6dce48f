"""How much unfinished work a tenant has, and how long until there is room again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from batching.items import PRIORITIES, Priority
from service.errors import QuotaExceeded, RateLimited
from service.settings import Settings
from service.truth.database import AsyncEngine, statement

FRESH_S = 0.5
"""How long a reading is trusted while it says that there is room."""
EXACT_S = 0.05
"""How long one is trusted that says that there is none."""
_UNFINISHED = """
SELECT priority, sum(total - succeeded - failed - cancelled) AS items FROM batches
WHERE tenant = :tenant AND state IN ('queued', 'running') GROUP BY priority
"""


@dataclass
class _Reading:
    """Unfinished items by priority, what this process admitted since included, and how fast they get finished."""

    read_at_s: float
    items: dict[Priority, int]
    finished_per_s: float = 0.0


class Depth:
    """Watches the limits on unfinished items. Read at most twice a second, but nobody is refused on an old reading."""

    def __init__(self, engine: AsyncEngine, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._engine, self._settings, self._clock = engine, settings, clock
        self._readings: dict[str, _Reading] = {}
        self._reading = asyncio.Lock()

    async def admit(self, tenant: str, priority: Priority, count: int) -> None:
        """Counts `count` new items in.

        RateLimited where the tenant would have too many, with the time until it has not; QuotaExceeded where that would
        never be.
        """
        most = self._settings.max_interactive_items if priority == "interactive" else self._settings.max_waiting_items
        if count > most:
            raise QuotaExceeded(count, most)
        reading = self._readings.get(tenant)
        if reading is None or self._doubtful(reading, priority, count):
            async with self._reading:  # one look for all who come at the same moment
                reading = self._readings.get(tenant)
                if reading is None or self._doubtful(reading, priority, count):
                    reading = self._readings[tenant] = await self._read(tenant, reading)
        if refusal := self._excess(reading, priority, count):
            raise refusal
        reading.items[priority] += count

    def _doubtful(self, reading: _Reading, priority: Priority, count: int) -> bool:
        age_s = self._clock() - reading.read_at_s
        return age_s > FRESH_S or (age_s > EXACT_S and self._excess(reading, priority, count) is not None)

    def _excess(self, reading: _Reading, priority: Priority, count: int) -> RateLimited | None:
        total = sum(reading.items.values()) + count
        if total > (limit := self._settings.max_waiting_items):
            reason = f"{total - count} pictures are unfinished and {count} more are asked for; at most {limit} may be"
            return RateLimited(reason, limit, self._wait_s(reading, total - limit))
        asked = reading.items["interactive"] + count
        if priority == "interactive" and asked > (limit := self._settings.max_interactive_items):
            reason = (
                f"{asked - count} interactive pictures are unfinished; at most {limit} may be. Bulk work may wait longer"
            )
            return RateLimited(reason, limit, self._wait_s(reading, asked - limit))
        return None

    def _wait_s(self, reading: _Reading, excess: int) -> float:
        return min(60.0, max(1.0, excess / reading.finished_per_s)) if reading.finished_per_s > 0 else 5.0

    async def _read(self, tenant: str, last: _Reading | None) -> _Reading:
        items: dict[Priority, int] = dict.fromkeys(PRIORITIES, 0)
        items |= {
            row["priority"]: int(row["items"]) for row in await statement(self._engine, _UNFINISHED, {"tenant": tenant})
        }
        now_s = self._clock()
        reading = _Reading(now_s, items)
        if last and now_s > last.read_at_s:
            # what was there, and came, and is there no more was finished
            rate = max(0.0, (sum(last.items.values()) - sum(items.values())) / (now_s - last.read_at_s))
            reading.finished_per_s = rate if last.finished_per_s == 0 else (rate + last.finished_per_s) / 2
        return reading
