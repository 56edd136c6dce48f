"""Rates: how much a tenant may ask for in a minute, counted in Redis by all API processes together.

A sliding window of two counters each (`limits`). It guards the service against haste, not against loss: where Redis does
not answer in time nobody is refused.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Literal

from limits import RateLimitItemPerMinute
from limits.aio.storage import RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter

from batching.lanes import LANES_DOWN, connect
from service.errors import QuotaExceeded, RateLimited
from service.handoff import Breaker

log = logging.getLogger(__name__)

_PREFIX = "rate"
What = Literal["requests", "pictures"]


class Rates:
    """Counts per minute. Nothing is connected before the first count, and a tenant without a limit costs nothing."""

    def __init__(self, redis_url: str, timeout_s: float, breaker: Breaker | None = None) -> None:
        self._client = connect(redis_url, timeout_s)
        self._timeout_s = timeout_s
        self._breaker = breaker or Breaker(meanwhile="rates are not limited")
        # the address says only which library it is; the pool is ours
        storage = RedisStorage(
            "async+redis://",
            implementation="redispy",
            key_prefix=_PREFIX,
            connection_pool=self._client.connection_pool,  # type: ignore[arg-type]  # documented, and not in the annotation
        )
        self._limiter = SlidingWindowCounterRateLimiter(storage)

    async def take(self, tenant: str, what: What, per_minute: int | None, count: int = 1) -> None:
        """Counts `count` in. RateLimited, with the time until there is room; QuotaExceeded where there never is."""
        if per_minute is None or count == 0:
            return
        if count > per_minute:
            reason = f"{count} {what} are asked for at once; at most {per_minute} may be in a minute"
            raise QuotaExceeded(reason, per_minute)
        if not self._breaker.allows():
            return
        try:
            async with asyncio.timeout(self._timeout_s):
                wait_s = await self._wait_s(tenant, what, per_minute, count)
        except LANES_DOWN as error:
            log.info("a rate was not counted: %s", error or type(error).__name__)
            self._breaker.failed()
            return
        self._breaker.worked()
        if wait_s is not None:
            raise RateLimited(f"at most {per_minute} {what} may come in a minute", per_minute, wait_s)

    async def close(self) -> None:
        """Ends the connections."""
        await self._client.aclose()

    async def _wait_s(self, tenant: str, what: What, per_minute: int, count: int) -> float | None:
        """Seconds until `count` more may come; None: they were let in."""
        rate = RateLimitItemPerMinute(per_minute)
        if await self._limiter.hit(rate, what, tenant, cost=count):
            return None
        window = await self._limiter.get_window_stats(rate, what, tenant)
        return max(1.0, window.reset_time - time.time())
