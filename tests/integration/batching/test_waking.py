"""Who is woken by a put: workers by jobs, those that linger by bells; and what parts say of themselves."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import replace

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from batching.items import PRIORITIES, Priority
from batching.lanes import FLAG_MS, LANES_DOWN, Lanes, open_lanes
from batching.wake import queue_of
from tests.helpers.lanes import SMALL, drain, lane, make_waiting


async def outstanding(redis_client: Redis, worker: str) -> int:
    return int(await redis_client.llen(f"rq:queue:serve:{worker}"))


async def test_a_put_wakes_idle_workers_once(lanes: Lanes, redis_client: Redis) -> None:
    for worker in ("w1", "w2"):
        await lanes.announce(worker, {"device": "cpu"}, ttl_s=30)
    await lanes.put(lane(), make_waiting(1), window=100)
    assert await outstanding(redis_client, "w1") + await outstanding(redis_client, "w2") == 1
    for _ in range(5):
        await lanes.put(lane(), make_waiting(3), window=100)
    assert [await outstanding(redis_client, worker) for worker in ("w1", "w2")] == [1, 1]
    assert await lanes.wake() == 0


@pytest.mark.parametrize("priority", PRIORITIES)
async def test_what_a_take_leaves_behind_has_rung_a_bell(lanes: Lanes, priority: Priority) -> None:
    """So nobody needs to look again after a take: a worker with room waits for a bell, and hears of the rest at once."""
    await lanes.put(lane(priority=priority), make_waiting(3), window=100)
    assert await lanes.wait(priority, 1)
    for left in (2, 1):
        assert await lanes.take("w", replace(SMALL, items=1))
        assert await lanes.wait(priority, 1), f"{left} wait"
    assert await lanes.take("w", SMALL)
    assert not await lanes.wait(priority, 0.1)


async def test_the_job_is_json_and_names_the_worker(lanes: Lanes, redis_url: str) -> None:
    from redis import Redis as Blocking

    await lanes.announce("w1", {"device": "cpu"}, ttl_s=30)
    await lanes.put(lane(), make_waiting(1), window=100)
    with Blocking.from_url(redis_url) as blocking:
        [job] = queue_of("w1", blocking).jobs
        assert (job.func_name, job.args) == ("batching.worker.serve", ["w1"])
        assert b"serve" in blocking.hget(job.key, "description")


async def test_workers_that_are_gone_are_not_woken(lanes: Lanes, redis_client: Redis) -> None:
    await lanes.announce("slow", {"device": "cpu"}, ttl_s=0.05)
    await lanes.announce("left", {"device": "cpu"}, ttl_s=30)
    await lanes.retire("left")
    await asyncio.sleep(0.1)
    await lanes.put(lane(), make_waiting(1), window=100)
    assert await outstanding(redis_client, "slow") == 0
    assert await outstanding(redis_client, "left") == 0
    assert await lanes.workers() == {}
    assert await lanes.forget_dead_workers(grace_s=0) == ["slow"]
    assert await lanes.forget_dead_workers(grace_s=0) == []


async def test_release_is_refused_while_work_is_ready(lanes: Lanes, redis_client: Redis) -> None:
    await lanes.announce("w", {"device": "cpu"}, ttl_s=30)
    await lanes.serving("w")
    await lanes.put(lane(), make_waiting(1), window=100)
    assert await outstanding(redis_client, "w") == 0  # it is serving: a job is outstanding
    assert not await lanes.release("w")
    await drain(lanes)
    assert await lanes.release("w")
    await lanes.put(lane(), make_waiting(1), window=100)
    assert await outstanding(redis_client, "w") == 1
    assert 0 < await redis_client.pttl("job:w") <= FLAG_MS


async def test_no_item_falls_between_the_last_look_and_the_end_of_a_job(lanes: Lanes, redis_url: str) -> None:
    """A worker that releases whenever the lanes are empty, and a producer: whatever was put, a job is outstanding or it
    was taken."""
    await lanes.announce("w", {"device": "cpu"}, ttl_s=60)
    taken = 0
    jobs = asyncio.Queue[str]()

    def enqueue(workers: Sequence[str]) -> None:
        loop.call_soon_threadsafe(lambda: [jobs.put_nowait(worker) for worker in workers])

    loop = asyncio.get_running_loop()

    async def produce(own: Lanes) -> None:
        for _ in range(400):
            await own.put(lane(), make_waiting(1), window=1000)
            await asyncio.sleep(random.random() / 2000)

    async def work(own: Lanes) -> None:
        nonlocal taken
        while taken < 400:
            await asyncio.wait_for(jobs.get(), 5)
            assert jobs.empty()  # never two outstanding
            await own.serving("w")
            while True:
                if batch := await own.take("w", SMALL):
                    taken += len(batch.entries)
                    await own.settle(batch.entries)
                elif await own.release("w"):
                    break

    async with open_lanes(redis_url) as first, Redis.from_url(redis_url, socket_timeout=5) as client:
        await asyncio.gather(produce(Lanes(client, enqueue)), work(first))
    assert taken == 400


async def test_a_bell_rings_for_one_who_waits(lanes: Lanes, redis_url: str) -> None:
    async with open_lanes(redis_url, timeout_s=10) as waiting:
        bell = asyncio.create_task(waiting.wait("interactive", 5))
        await asyncio.sleep(0.05)
        await lanes.put(lane("a", "bulk"), make_waiting(1), window=10)
        await asyncio.sleep(0.05)
        assert not bell.done()
        await lanes.put(lane("a", "interactive"), make_waiting(1), window=10)
        assert await asyncio.wait_for(bell, 2)
        assert not await waiting.wait("interactive", 0.05)


async def test_what_a_take_leaves_rings_for_the_next_worker(lanes: Lanes) -> None:
    await lanes.put(lane(), make_waiting(100), window=1000)
    assert await lanes.wait("bulk", 1)
    await lanes.take("w", SMALL)
    assert await lanes.wait("bulk", 1)
    await lanes.take("w", SMALL)
    assert not await lanes.wait("bulk", 0.05)


async def test_a_bell_rings_for_a_tenant_who_had_nothing_waiting(lanes: Lanes) -> None:
    await lanes.put(lane("crowd"), make_waiting(100), window=1000)
    assert await lanes.wait("newcomer", 1)
    await lanes.put(lane("crowd"), make_waiting(100), window=1000)
    await lanes.put(lane("other", "interactive"), make_waiting(1), window=1000)
    assert not await lanes.wait("newcomer", 0.05)
    await lanes.put(lane("late"), make_waiting(1), window=1000)
    assert await lanes.wait("newcomer", 1)


async def test_facts_of_parts_are_remembered_for_a_while(lanes: Lanes) -> None:
    await lanes.announce("w", {"device": "cpu", "jobs": "3"}, ttl_s=30)
    assert await lanes.workers() == {"w": {"device": "cpu", "jobs": "3"}}
    await lanes.remember("reconciler", {"repaired": "2"}, ttl_s=30)
    assert await lanes.recall("reconciler") == {"repaired": "2"}
    assert await lanes.recall("nobody") == {}


async def test_without_redis_calls_fail_quickly() -> None:
    async with open_lanes("unix:///nowhere/socket", timeout_s=0.5) as lanes:
        with pytest.raises(LANES_DOWN) as caught:
            await asyncio.wait_for(lanes.put(lane(), make_waiting(1), window=10), 2)
    assert isinstance(caught.value, RedisError)
