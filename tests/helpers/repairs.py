"""What tests of the reconciler share: time that has gone by, what waits in lanes, and what is left."""

from __future__ import annotations

from uuid import UUID

from batching.items import Budget, Taken
from batching.lanes import Lanes
from service.repair.reconciler import Reconciler
from service.store import ObjectStore
from service.truth.database import AsyncEngine, statement
from tests.helpers.rows import one

KEPT_S = 3600.0
"""Objects without a row are collected when they are so old."""
WIDE = Budget(cost_pixels=10**12, items=100_000)


async def age(engine: AsyncEngine, seconds: float = 60.0) -> None:
    """Makes everything that happened look as if it had happened that much earlier."""
    await statement(
        engine,
        """UPDATE items SET queued_at = queued_at - make_interval(secs => :s),
                            lease_until = lease_until - make_interval(secs => :s),
                            handed_off_at = handed_off_at - make_interval(secs => :s)""",
        {"s": seconds},
    )


async def taken(lanes: Lanes, consumer: str = "w1") -> list[Taken]:
    """Everything that waits in lanes, taken."""
    found: list[Taken] = []
    while batch := await lanes.take(consumer, WIDE):
        found += batch.entries
    return found


async def ids(lanes: Lanes) -> list[UUID]:
    return [entry.item_id for entry in await taken(lanes)]


async def keys(store: ObjectStore) -> set[str]:
    return {found.key async for found in store.objects("acme")}


async def count(engine: AsyncEngine, table: str) -> int:
    return int((await one(engine, f"SELECT count(*) AS n FROM {table}"))["n"])


async def passes(reconciler: Reconciler) -> None:
    while await reconciler.repair():
        pass
    await reconciler.repair()
