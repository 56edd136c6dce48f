"""Of several reconcilers one works: it holds a lock, and loses it when it says nothing."""

from __future__ import annotations

import asyncio

import pytest

from batching.lanes import Lanes
from service.repair.reconciler import LOCK, run
from service.repair.sole import Sole
from service.settings import Settings
from service.truth.database import AsyncEngine, DatabaseUnavailable
from tests.helpers.repairs import ids
from tests.helpers.rows import make_batch


async def test_only_one_holds_the_lock(database_url: str) -> None:
    first, second = Sole(database_url, LOCK), Sole(database_url, LOCK)
    assert await first.held()
    assert not await second.held()
    assert await first.held()
    await first.release()
    assert await second.held()
    assert not await first.held()
    await first.close()
    await second.close()


async def test_a_holder_that_says_nothing_loses_the_lock(database_url: str) -> None:
    stopped, other = Sole(database_url, LOCK, idle_s=0.3), Sole(database_url, LOCK)
    assert await stopped.held()
    assert not await other.held()
    await asyncio.sleep(0.6)
    assert await other.held()
    with pytest.raises(DatabaseUnavailable):
        await stopped.held()
    assert not await stopped.held()
    await stopped.close()
    await other.close()


async def test_of_two_only_one_works_and_the_other_takes_over(
    engine: AsyncEngine, lanes: Lanes, settings: Settings
) -> None:
    other = Sole(settings.database_url, LOCK)
    assert await other.held()
    batch = await make_batch(engine, items=20, queued_s_ago=10)
    stop = asyncio.Event()
    standing_by = asyncio.create_task(run(settings.model_copy(update={"reconcile_s": 0.05}), stop))
    await asyncio.sleep(0.5)
    assert await ids(lanes) == []
    await other.release()
    await asyncio.sleep(0.5)
    assert await ids(lanes) == list(batch.items)
    assert int((await lanes.recall("reconciler"))["refilled"]) == 20
    assert not await other.held()
    stop.set()
    await standing_by
    await asyncio.sleep(0.1)
    assert await other.held()
    await other.close()
