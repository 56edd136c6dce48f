"""What lanes are after a loss: of a consumer, of a key, of all of Redis; and how old what is left is."""

from __future__ import annotations

import asyncio
import time

import pytest
from redis.asyncio import Redis

from batching.items import Budget, Taken
from batching.lanes import Lanes
from tests.helpers.lanes import SMALL, drain, lane, make_waiting


async def test_entries_of_a_dead_consumer_are_found(lanes: Lanes) -> None:
    await lanes.put(lane("a"), make_waiting(1100), window=2000)
    await lanes.put(lane("b"), make_waiting(3), window=2000)
    held = [entry for _ in range(20) if (batch := await lanes.take("dead", SMALL)) for entry in batch.entries]
    assert await lanes.dead_entries(idle_ms=60_000) == []
    await asyncio.sleep(0.05)
    found: list[Taken] = []
    while page := await lanes.dead_entries(idle_ms=20, most=500):
        assert len(page) <= 500
        found += page
        await lanes.settle(page)
    assert {entry.item_id for entry in found} == {entry.item_id for entry in held}
    assert found[0].channel == held[0].channel
    assert await lanes.depths() == {"interactive": 0, "bulk": 0}


async def test_ages_say_for_how_long_the_oldest_entry_has_been_there(lanes: Lanes) -> None:
    before_s = time.monotonic()
    await lanes.put(lane("a"), make_waiting(2), window=10)
    put_s = time.monotonic()
    await asyncio.sleep(0.05)
    asked_s = time.monotonic()
    [age, none] = await lanes.ages([lane("a"), lane("b")])
    assert none == 0
    # by the clock of Redis, which need not run as ours does
    assert (asked_s - put_s) / 2 < age < 2 * (time.monotonic() - before_s)
    batch = await lanes.take("w", Budget(items=1))
    assert batch is not None
    assert (await lanes.ages([lane("a")]))[0] >= age  # taken, not settled: still in the lane
    await asyncio.sleep(0.002)
    assert await lanes.lanes() == [lane("a")]


async def test_the_epoch_lasts_until_redis_is_emptied(lanes: Lanes, redis_client: Redis) -> None:
    assert await lanes.epoch() is None
    first = (await lanes.hand_off(lane(), make_waiting(1), window=10)).epoch
    assert first == await lanes.epoch() == await lanes.ensure_epoch()
    assert (await lanes.hand_off(lane(), make_waiting(1), window=10)).epoch == first
    await redis_client.flushall()
    assert await lanes.epoch() is None
    assert await lanes.ensure_epoch() != first


async def test_everything_works_on_after_a_flush(lanes: Lanes, redis_client: Redis) -> None:
    await lanes.put(lane(), make_waiting(100), window=1000)
    batch = await lanes.take("w", SMALL)
    assert batch is not None
    await redis_client.flushall()
    await redis_client.script_flush()
    assert await lanes.settle(batch.entries) == 0
    assert await lanes.take("w", SMALL) is None
    assert await lanes.dead_entries(0) == []
    assert await lanes.put(lane(), make_waiting(10), window=1000) == 10
    assert len(await drain(lanes)) == 10


async def test_a_deleted_group_delivers_what_is_left_again(lanes: Lanes, redis_client: Redis) -> None:
    await lanes.put(lane(), make_waiting(10), window=1000)
    first = await lanes.take("w", Budget(items=4))
    assert first is not None
    await redis_client.xgroup_destroy("lane:bulk:a", "workers")
    assert await lanes.dead_entries(0) == []
    await lanes.settle(first.entries)
    assert len(await drain(lanes)) == 6


@pytest.mark.parametrize("lost", ["lane:bulk:a", "ready:bulk", "lanes"])
async def test_losing_one_key_breaks_nothing(lanes: Lanes, redis_client: Redis, lost: str) -> None:
    await lanes.put(lane(), make_waiting(3), window=1000)
    await redis_client.delete(lost)
    await drain(lanes)
    await lanes.put(lane(), make_waiting(1), window=1000)
    assert len(await drain(lanes)) >= 1
