"""How much a tenant has under way, has submitted today and has stored, and how long until there is room again."""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from batching.items import PRIORITIES, Priority
from service.accounts.allowance import Allowance
from service.errors import QuotaExceeded, RateLimited, ServiceError
from service.settings import Settings
from service.truth import usage_queries
from service.truth.database import AsyncEngine

FRESH_S = 0.5
"""How long a reading is trusted while it says that there is room."""
EXACT_S = 0.05
"""How long one is trusted that says that there is none."""
REMOVAL_S = 60.0
"""What is deleted is removed within about this time."""
_RATE_S = 5.0
"""How long back the rate looks at which items get finished: they end in groups, so a moment says nothing."""


@dataclass(frozen=True)
class Load:
    """What is asked for: items of one priority, their estimated pixels, bytes that are stored for them."""

    priority: Priority = "bulk"
    items: int = 0
    pixels: int = 0
    bytes: int = 0


@dataclass(frozen=True)
class Pace:
    """How fast items get finished: a weighted mean, what lies `_RATE_S` back weighs 1/e."""

    finished: float = 0.0
    seconds: float = 0.0

    @property
    def per_s(self) -> float:
        """Items a second; 0 where nothing is known."""
        return self.finished / self.seconds if self.seconds else 0.0

    def after(self, finished: int, seconds: float) -> Pace:
        """With what was seen since."""
        kept = math.exp(-seconds / _RATE_S)
        return Pace(self.finished * kept + finished, self.seconds * kept + seconds)


@dataclass
class _Reading:
    """What a tenant has and may have, what this process admitted since included, and how fast items get finished."""

    read_at_s: float
    allowance: Allowance
    items: dict[Priority, int]
    pixels_today: int
    bytes_stored: int
    pace: Pace = Pace()

    def add(self, load: Load) -> None:
        """Counts what was admitted."""
        self.items[load.priority] += load.items
        self.pixels_today += load.pixels
        self.bytes_stored += load.bytes


class Depth:
    """Watches what tenants may have. Read at most twice a second, but nobody is refused on an old reading.

    Several processes that admit in the same half second may together let in a little more.
    """

    def __init__(self, engine: AsyncEngine, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._engine, self._usual, self._clock = engine, Allowance.of(settings), clock
        self._readings: dict[str, _Reading] = {}
        self._reading = asyncio.Lock()
        self._arriving: Counter[str] = Counter()

    async def admit(self, tenant: str, load: Load) -> None:
        """Counts `load` in.

        RateLimited where the tenant would have too much under way, with the time until it has not; QuotaExceeded where that
        would never be, or the day's pixels or the stored bytes would be too many.
        """
        (await self._looked(tenant, load)).add(load)

    def give_back(self, tenant: str, load: Load) -> None:
        """Counts out what was admitted and then not written."""
        if reading := self._readings.get(tenant):
            reading.add(Load(load.priority, -load.items, -load.pixels, -load.bytes))

    @asynccontextmanager
    async def arriving(self, tenant: str, *, may_refuse: bool) -> AsyncIterator[None]:
        """Counts a request for one picture from its first byte until its body is read and checked. RateLimited.

        Where more come than can be done they would pile up here, before any limit counts them: so no more may arrive at
        once than may be unfinished.
        """
        self._arriving[tenant] += 1
        try:
            arrive, reading = self._arriving[tenant], await self._looked(tenant, Load())
            most = reading.allowance.max_interactive_items
            if may_refuse and arrive > most:
                reason = f"{arrive} pictures arrive at once; at most {most} may. Send many in one batch"
                raise RateLimited(reason, most, _wait_s(reading, arrive - most))
            yield
        finally:
            self._arriving[tenant] -= 1
            if not self._arriving[tenant]:
                del self._arriving[tenant]

    @contextmanager
    def reserved(self, tenant: str, load: Load) -> Iterator[None]:
        """Counts in what is checked and not yet admitted, while its bytes are stored."""
        if reading := self._readings.get(tenant):
            reading.add(load)
        try:
            yield
        finally:
            self.give_back(tenant, load)

    async def check_room(self, tenant: str, items: int = 0, priority: Priority = "bulk") -> None:
        """Nothing, where the tenant may send anything at all: asked before a body is read and stored.

        items: how many there will be at least. Errors: RateLimited, QuotaExceeded.
        """
        await self._looked(tenant, Load(priority, items, pixels=1, bytes=1))

    async def allowance(self, tenant: str) -> Allowance:
        """What the tenant may use, half a second old at most."""
        return (await self._looked(tenant, Load())).allowance

    async def _looked(self, tenant: str, load: Load) -> _Reading:
        """A reading by which there is room for `load`. RateLimited, QuotaExceeded."""
        reading = self._readings.get(tenant)
        if reading is None or self._doubtful(reading, load):
            async with self._reading:  # one look for all who come at the same moment
                reading = self._readings.get(tenant)
                if reading is None or self._doubtful(reading, load):
                    reading = self._readings[tenant] = await self._read(tenant, reading)
        if refusal := self._excess(reading, load):
            raise refusal
        return reading

    def _doubtful(self, reading: _Reading, load: Load) -> bool:
        age_s = self._clock() - reading.read_at_s
        return age_s > FRESH_S or (age_s > EXACT_S and self._excess(reading, load) is not None)

    def _excess(self, reading: _Reading, load: Load) -> ServiceError | None:
        over = over_quota(reading.allowance, reading.pixels_today, reading.bytes_stored, load)
        return _too_many(reading, load) or over

    async def _read(self, tenant: str, last: _Reading | None) -> _Reading:
        found = await usage_queries.level(self._engine, tenant)
        items = {priority: found.unfinished.get(priority, 0) for priority in PRIORITIES}
        now_s = self._clock()
        allowance = self._usual.with_own(found.limits)
        reading = _Reading(now_s, allowance, items, found.pixels_today, found.bytes_stored)
        if last:
            # what was there, and came, and is there no more was finished; where nothing is left, it may have been long ago
            there, left = sum(last.items.values()), sum(items.values())
            reading.pace = last.pace.after(max(0, there - left), now_s - last.read_at_s) if left else last.pace
        return reading


def _too_many(reading: _Reading, load: Load) -> ServiceError | None:
    if not load.items:
        return None
    interactive = load.priority == "interactive"
    most = reading.allowance.max_interactive_items if interactive else reading.allowance.max_waiting_items
    if load.items > most:
        return QuotaExceeded(
            f"{load.items} pictures are asked for at once; at most {most} of this priority may be unfinished", most
        )
    there = sum(reading.items.values())
    if (excess := there + load.items - (limit := reading.allowance.max_waiting_items)) > 0:
        reason = f"{there} pictures are unfinished and {load.items} more are asked for; at most {limit} may be"
        return RateLimited(reason, limit, _wait_s(reading, excess))
    there = reading.items["interactive"]
    if interactive and (excess := there + load.items - most) > 0:
        reason = f"{there} interactive pictures are unfinished; at most {most} may be. Bulk work may wait longer"
        return RateLimited(reason, most, _wait_s(reading, excess))
    return None


def over_quota(allowance: Allowance, pixels_today: int, bytes_stored: int, load: Load) -> QuotaExceeded | None:
    """What refuses `load` to one who has submitted and stored that much; None where there is room for it."""
    limit = allowance.max_pixels_per_day
    if limit is not None and load.pixels > 0 and pixels_today + load.pixels > limit:
        asked = _asked(load.pixels, pixels_today, limit)
        reason = f"{pixels_today} pixels were submitted today{asked}; at most {limit} may be on a day (UTC)"
        return QuotaExceeded(reason, limit, _until_tomorrow_s(datetime.now(UTC)))
    limit = allowance.max_stored_bytes
    if limit is not None and load.bytes > 0 and bytes_stored + load.bytes > limit:
        asked = _asked(load.bytes, bytes_stored, limit)
        reason = f"{bytes_stored} bytes are stored{asked}; at most {limit} may be. Delete batches or images"
        return QuotaExceeded(reason, limit, REMOVAL_S)
    return None


def _asked(more: int, there: int, limit: int) -> str:
    """How much more is asked for, where it is that which is too much: of a full quota nothing more can be had."""
    return f" and {more} more are asked for" if there < limit else ""


def _wait_s(reading: _Reading, excess: int) -> float:
    return min(60.0, max(1.0, excess / reading.pace.per_s)) if reading.pace.per_s > 0 else 5.0


def _until_tomorrow_s(now: datetime) -> float:
    tomorrow = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    return (tomorrow - now).total_seconds()
