"""Days: what retention has hidden goes a day at a time, bytes by their prefix and rows by dropping the day's partitions.

Retention marks batches of past days as retired, and they wait for the rest of their day. Once all batches of the day are
hidden and final, of every tenant and whoever deleted them, nobody needs anything of it: its objects are removed, then its
partitions are dropped, then what is left of its batches goes: their log and themselves. Killed in between, the next process
finds retired batches, and goes on where the last one was. Where a batch of the day is still wanted after `WAIT_S`, those
that wait are left to `removals`, which goes row by row.
"""

from __future__ import annotations

import logging
from collections import Counter
from contextlib import aclosing
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from service.ids import day_of
from service.store import ObjectStore
from service.truth.database import AsyncEngine, DatabaseUnavailable, statement
from service.truth.partitions import DAY_MS, day_exists, drop_day, first_id

log = logging.getLogger(__name__)

PAGE = 500
LOG_PAGE = 5000
PAGES_A_STEP = 20
"""Pages of objects removed in one step."""
WAIT_S = 2 * 86_400.0
"""Longest time that a hidden batch waits for the rest of its day: batches of one day end within one, as a rule."""
KINDS = ("outputs", "sources")
"""Uploaded pictures have a retention of their own."""

_FIRST = UUID(int=0)
_IN_DAY = "id >= :low AND id < :high"
_NEXT = "SELECT id FROM batches WHERE retired AND id >= :after ORDER BY id LIMIT 1"
_WANTED = """
SELECT 1 FROM batches
WHERE id >= :low AND id < :high AND (deleted_at IS NULL OR state NOT IN ('completed', 'cancelled', 'expired'))
UNION ALL
SELECT 1 FROM items i JOIN batches b ON b.id = i.batch_id
WHERE i.id >= :low AND i.id < :high AND i.batch_id < :low
  AND (b.deleted_at IS NULL OR b.state NOT IN ('completed', 'cancelled', 'expired'))
LIMIT 1
"""
"""Batches of the day; and of the day before, whose items in the first databases may lie in this one."""
_TENANTS = f"SELECT DISTINCT tenant FROM batches WHERE {_IN_DAY} ORDER BY tenant"  # noqa: S608 - made of constants
_RELEASE = f"""
UPDATE batches SET retired = false WHERE id IN (
  SELECT id FROM batches
  WHERE retired AND {_IN_DAY} AND deleted_at < now() - make_interval(secs => :wait_s) ORDER BY id LIMIT :page)
RETURNING id
"""  # noqa: S608 - made of constants
_WITH_ROWS = f"""
UPDATE batches b SET retired = false
WHERE b.id IN (SELECT id FROM batches WHERE retired AND {_IN_DAY} ORDER BY id LIMIT :page)
  AND (EXISTS (SELECT FROM items i WHERE i.batch_id = b.id AND i.id >= :low AND i.id < :beyond)
       OR EXISTS (SELECT FROM outputs o WHERE o.batch_id = b.id AND o.item_id >= :low AND o.item_id < :beyond))
RETURNING b.id
"""  # noqa: S608 - made of constants
_PAGE = f"SELECT id FROM batches WHERE retired AND {_IN_DAY} ORDER BY id LIMIT :page"  # noqa: S608 - made of constants
_DROP_LOG = """
DELETE FROM state_log WHERE id IN (
  SELECT id FROM state_log WHERE batch_id = ANY(CAST(:batches AS uuid[])) LIMIT :page) RETURNING id
"""
_DROP_BATCHES = "DELETE FROM batches WHERE id = ANY(CAST(:batches AS uuid[])) AND retired RETURNING id"


class Days:
    """A walk over the days that have retired batches. `step` does a page of the first that there is something to do for."""

    def __init__(self, engine: AsyncEngine, store: ObjectStore, settled_s: float) -> None:
        """settled_s: so long after its end a day may still get batches, from requests that take their time."""
        self._engine, self._store, self._settled_s = engine, store, settled_s
        self._after = _FIRST

    async def step(self) -> tuple[Counter[str], bool]:
        """What was removed, and whether there is more to look at. Errors: DatabaseUnavailable, StoreUnavailable."""
        found = await statement(self._engine, _NEXT, {"after": self._after})
        if not found:
            self._after = _FIRST
            return Counter(), False
        day = date.fromisoformat(day_of(found[0]["id"]))
        within = {"low": first_id(day), "high": first_id(day + timedelta(days=1))}
        if not await day_exists(self._engine, day):
            return await self._remove_bare(within), True
        if self._is_settled(day) and not await statement(self._engine, _WANTED, within):
            removed, through = await self._remove_objects(day, within)
            if through:
                try:
                    await drop_day(self._engine, day)
                    removed["dropped_partitions"] = 2
                except DatabaseUnavailable as error:
                    log.info("%s cannot be dropped now: %s", day, error)
                    self._after = within["high"]
            return removed, True
        if not await statement(self._engine, _RELEASE, {**within, "wait_s": WAIT_S, "page": PAGE}):
            self._after = within["high"]
        return Counter(), True

    def _is_settled(self, day: date) -> bool:
        end = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
        return datetime.now(UTC) > end + timedelta(seconds=self._settled_s)

    async def _remove_objects(self, day: date, within: dict[str, UUID]) -> tuple[Counter[str], bool]:
        """Removes objects of the day by their prefixes; what was removed, and whether that was all."""
        removed: Counter[str] = Counter()
        pages = 0
        for row in await statement(self._engine, _TENANTS, within):
            for kind in KINDS:
                while found := await self._page_below(f"{row['tenant']}/{kind}/{day.isoformat()}"):
                    await self._store.delete(found)
                    removed["removed_objects"] += len(found)
                    pages += 1
                    if pages == PAGES_A_STEP:
                        return removed, False
        return removed, True

    async def _page_below(self, prefix: str) -> list[str]:
        """The first keys of a listing, which is begun anew each time: a walk through folders that vanish is none."""
        async with aclosing(self._store.pages(prefix)) as pages:
            async for page in pages:
                if page:
                    return [found.key for found in page]
        return []

    async def _remove_bare(self, within: dict[str, UUID]) -> Counter[str]:
        """Removes a page of the log of batches whose rows went with their partitions; then of the batches themselves.

        Those that have rows all the same, in the default partition or in another day's, are left to `removals`.
        """
        beyond = UUID(int=within["high"].int + (DAY_MS << 80))
        if await statement(self._engine, _WITH_ROWS, {**within, "beyond": beyond, "page": PAGE}):
            return Counter()
        batches = [row["id"] for row in await statement(self._engine, _PAGE, {**within, "page": PAGE})]
        log = await statement(self._engine, _DROP_LOG, {"batches": batches, "page": LOG_PAGE})
        if len(log) == LOG_PAGE:
            return Counter(removed_rows=len(log))
        gone = await statement(self._engine, _DROP_BATCHES, {"batches": batches})
        return Counter(removed_rows=len(log), removed_batches=len(gone))
