"""Requests of tenants, counted here and added to the day's row every few seconds.

The rest of the bill (pictures, results, pixels, bytes) moves in the transactions that write those. A process that is killed
loses the requests of its last few seconds.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter

from service.truth import usage_queries
from service.truth.database import AsyncEngine, DatabaseUnavailable

log = logging.getLogger(__name__)

FLUSH_S = 5.0


class RequestCounts:
    """Counts authorised requests by tenant."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._counts: Counter[str] = Counter()

    def add(self, tenant: str) -> None:
        """One more request."""
        self._counts[tenant] += 1

    async def flush(self) -> None:
        """Writes what was counted since; keeps it where the database is away."""
        counts, self._counts = self._counts, Counter()
        if not counts:
            return
        try:
            await usage_queries.add_requests(self._engine, counts)
        except DatabaseUnavailable as error:
            log.info("requests were not metered yet: %s", error)
            self._counts += counts

    async def keep_flushing(self) -> None:
        """Flushes again and again."""
        while True:
            await asyncio.sleep(FLUSH_S)
            await self.flush()
