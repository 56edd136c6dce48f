"""Orphans: objects that no row needs, left by requests that were never committed and attempts that were fenced.

One sweep after the other goes through the store, a page at a time, day by day of each tenant. How far it is, is kept in the
database, so the next process goes on with the day that the last one was at. An object is removed only when it is older than
`after_s`, on the store's clock, and no row needs it, which is asked after it was listed. Requests give up before they are
half as old, and keys are never used twice: so what has no row by then never gets one.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from service.object_keys import KINDS, Needed, needed
from service.store import ObjectStore, StoredObject
from service.truth.database import AsyncEngine, statement
from service.truth.partitions import bounds

SWEEPS_A_WINDOW = 4
"""Sweeps begin so often in the time after which objects are collected."""

_BATCHES = "SELECT id FROM batches WHERE id = ANY(CAST(:ids AS uuid[]))"
_IMAGES = "SELECT id FROM images WHERE id = ANY(CAST(:ids AS uuid[]))"
_RESULTS = """
SELECT object_key FROM outputs WHERE item_id = ANY(CAST(:ids AS uuid[])) AND item_id BETWEEN :low AND :high
UNION ALL
SELECT p.key FROM unnest(CAST(:ids AS uuid[]), CAST(:tokens AS bigint[]), CAST(:keys AS text[])) AS p (id, token, key)
JOIN items i ON i.id = p.id
WHERE i.id = ANY(CAST(:ids AS uuid[])) AND i.id BETWEEN :low AND :high AND i.state = 'leased' AND i.token = p.token
"""
"""Results that were written, and those of attempts that may still be written."""

_POSITION = "SELECT position, extract(epoch FROM now() - ended_at) AS rested_s FROM sweeps WHERE name = 'orphans'"
_KEEP_POSITION = """
INSERT INTO sweeps (name, position, ended_at) VALUES ('orphans', :position, CASE WHEN :ended THEN now() END)
ON CONFLICT (name) DO UPDATE SET position = excluded.position, ended_at = coalesce(excluded.ended_at, sweeps.ended_at)
"""


class Orphans:
    """The sweeps of one reconciler. `step` does one page."""

    def __init__(self, engine: AsyncEngine, store: ObjectStore, after_s: float) -> None:
        self._engine, self._store, self._after_s = engine, store, after_s
        self._objects: AsyncIterator[Sequence[StoredObject]] | None = None
        self._next_s = 0.0
        self.removed = 0

    async def step(self) -> bool:
        """Looks at the next page of the store; says whether there is more to look at now.

        Errors: DatabaseUnavailable, StoreUnavailable; the sweep then goes on with the day that it was at.
        """
        if time.monotonic() < self._next_s:
            return False
        self.removed = 0
        if self._objects is None:
            rows = await statement(self._engine, _POSITION, {})
            position = rows[0]["position"] if rows else ""
            rested_s = rows[0]["rested_s"] if rows else None
            pause_s = self._after_s / SWEEPS_A_WINDOW
            if not position and rested_s is not None and float(rested_s) < pause_s:
                self._next_s = time.monotonic() + pause_s - float(rested_s)
                return False
            self._objects = self._pages(position)
        pages = self._objects
        self._objects = None  # unless this page comes through, the sweep begins again where the database says
        async for page in pages:
            self.removed = await remove_orphans(self._engine, self._store, page, await self._old_before())
            self._objects = pages
            return True
        await statement(self._engine, _KEEP_POSITION, {"position": "", "ended": True})
        self._next_s = time.monotonic() + self._after_s / SWEEPS_A_WINDOW
        return False

    async def _pages(self, position: str) -> AsyncIterator[Sequence[StoredObject]]:
        """Pages of everything behind `position`, which moves on with each day of a tenant that was looked at."""
        youngest = (await self._old_before()).strftime("%Y-%m-%d")
        for tenant in sorted(await self._store.folders("")):
            for kind in KINDS:
                for day in sorted(await self._store.folders(f"{tenant}/{kind}")):
                    place = f"{tenant}/{kind}/{day}"
                    # nothing of a day is older than the day
                    if place <= position or day > youngest:
                        continue
                    async for page in self._store.pages(place):
                        yield page
                    await statement(self._engine, _KEEP_POSITION, {"position": place, "ended": False})

    async def _old_before(self) -> datetime:
        """On the store's clock, which its objects are dated by."""
        return await self._store.clock() - timedelta(seconds=self._after_s)


async def remove_orphans(
    engine: AsyncEngine, store: ObjectStore, page: Sequence[StoredObject], old_before: datetime
) -> int:
    """Removes those of the listed objects that are older than that and that no row needs; says how many."""
    old = {one.key: found for one in page if one.modified_at < old_before and (found := needed(one.key))}
    if not old:
        return 0
    kept = await _kept(engine, old)
    orphans = [key for key in old if key not in kept]
    await store.delete(orphans)
    return len(orphans)


async def _kept(engine: AsyncEngine, objects: dict[str, Needed]) -> set[str]:
    """The keys that rows need, or may still come to need."""
    results = {key: found for key, found in objects.items() if found.kind == "outputs"}
    kept: set[str] = set()
    if results:
        values = {
            "ids": [found.id for found in results.values()],
            "tokens": [found.token for found in results.values()],
            "keys": list(results),
            **bounds([found.id for found in results.values()]),
        }
        kept |= {row["object_key"] for row in await statement(engine, _RESULTS, values)}
    for kind, sql in (("sources", _BATCHES), ("images", _IMAGES)):
        by_key = {key: found.id for key, found in objects.items() if found.kind == kind}
        there: set[UUID] = set()
        if by_key:
            there = {row["id"] for row in await statement(engine, sql, {"ids": list(set(by_key.values()))})}
        kept |= {key for key, identity in by_key.items() if identity in there}
    return kept
