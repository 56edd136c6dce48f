"""Lanes over a real Valkey: order, fairness, races, and what is left after a loss."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Sequence
from uuid import UUID, uuid4

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from batching.items import Budget, LaneKey, MicroBatch, Priority, Taken, Waiting
from batching.lanes import FLAG_MS, LANES_DOWN, Lanes, open_lanes
from batching.wake import queue_of

COST = 100_000
SMALL = Budget(cost_pixels=64 * COST, items=64)


def make_waiting(number: int = 1, cost: int = COST, channel: str = "") -> list[Waiting]:
    return [Waiting(uuid4(), cost, channel) for _ in range(number)]


def lane(tenant: str = "a", priority: Priority = "bulk") -> LaneKey:
    return LaneKey(priority, tenant)


def tenants(batch: MicroBatch | None) -> Counter[str]:
    assert batch is not None
    return Counter(entry.lane.tenant for entry in batch.entries)


async def drain(lanes: Lanes, budget: Budget = SMALL, consumer: str = "w") -> list[Taken]:
    """Takes and settles everything."""
    entries: list[Taken] = []
    while batch := await lanes.take(consumer, budget):
        entries += batch.entries
        await lanes.settle(batch.entries)
    return entries


async def test_what_is_put_is_taken_in_order_with_all_it_says(lanes: Lanes) -> None:
    waiting = make_waiting(200, channel="api:1")
    assert await lanes.put(lane("ten:ant/ü"), waiting, window=1000) == 200
    entries = await drain(lanes)
    assert [(entry.item_id, entry.cost_pixels, entry.channel) for entry in entries] == [
        (item.item_id, item.cost_pixels, item.channel) for item in waiting
    ]
    assert {entry.lane for entry in entries} == {lane("ten:ant/ü")}


async def test_nothing_waits_nothing_is_taken(lanes: Lanes) -> None:
    assert await lanes.take("w", SMALL) is None
    assert await lanes.put(lane(), [], window=10) == 0


async def test_a_lane_takes_no_more_than_its_window_of_unsettled_entries(lanes: Lanes) -> None:
    assert await lanes.put(lane(), make_waiting(1500), window=1200) == 1200
    assert await lanes.put(lane(), make_waiting(5), window=1200) == 0
    batch = await lanes.take("w", SMALL)
    assert batch is not None
    assert await lanes.put(lane(), make_waiting(5), window=1200) == 0
    await lanes.settle(batch.entries)
    assert await lanes.put(lane(), make_waiting(100), window=1200) == len(batch.entries)
    assert await lanes.lengths([lane(), lane("none")]) == [1200, 0]


async def test_a_micro_batch_keeps_to_its_budget(lanes: Lanes) -> None:
    await lanes.put(lane(), make_waiting(100), window=1000)
    by_items = await lanes.take("w", Budget(cost_pixels=10**9, items=7))
    by_cost = await lanes.take("w", Budget(cost_pixels=10 * COST, items=1000))
    assert by_items is not None
    assert by_cost is not None
    assert len(by_items.entries) == 7
    assert len(by_cost.entries) == 10


async def test_one_item_above_the_budget_runs_alone(lanes: Lanes) -> None:
    await lanes.put(lane(), make_waiting(1, cost=10**9) + make_waiting(1), window=10)
    first = await lanes.take("w", SMALL)
    assert first is not None
    assert [entry.cost_pixels for entry in first.entries] == [10**9]


async def test_tenants_share_by_cost_whatever_they_have_waiting(lanes: Lanes) -> None:
    await lanes.put(lane("crowd"), make_waiting(1000), window=1000)
    await lanes.put(lane("quiet"), make_waiting(400), window=1000)
    await lanes.put(lane("large"), make_waiting(100, cost=10 * COST), window=1000)
    spent: Counter[str] = Counter()
    for _ in range(10):
        batch = await lanes.take("w", SMALL)
        assert batch is not None
        for entry in batch.entries:
            spent[entry.lane.tenant] += entry.cost_pixels
    assert set(spent) == {"crowd", "quiet", "large"}
    assert max(spent.values()) - min(spent.values()) <= 20 * COST
    assert sum(spent.values()) > 500 * COST


async def test_a_tenant_that_is_held_keeps_its_turn(lanes: Lanes) -> None:
    await lanes.put(lane("crowd"), make_waiting(100), window=1000)
    assert await lanes.take("w", SMALL, held={"crowd"}) is None
    await lanes.put(lane("late"), make_waiting(3), window=1000)
    await lanes.put(lane("crowd", "interactive"), make_waiting(2), window=1000)
    batch = await lanes.take("w", SMALL, held={"crowd"})
    assert batch is not None
    assert Counter(entry.lane for entry in batch.entries) == {lane("late"): 3, lane("crowd", "interactive"): 2}
    assert tenants(await lanes.take("w", SMALL)) == {"crowd": 64}


async def test_a_bell_rings_for_a_tenant_who_had_nothing_waiting(lanes: Lanes) -> None:
    await lanes.put(lane("crowd"), make_waiting(100), window=1000)
    assert await lanes.wait("newcomer", 1)
    await lanes.put(lane("crowd"), make_waiting(100), window=1000)
    await lanes.put(lane("other", "interactive"), make_waiting(1), window=1000)
    assert not await lanes.wait("newcomer", 0.05)
    await lanes.put(lane("late"), make_waiting(1), window=1000)
    assert await lanes.wait("newcomer", 1)


async def test_a_tenant_that_comes_late_is_served_in_the_next_micro_batch(lanes: Lanes) -> None:
    await lanes.put(lane("crowd"), make_waiting(1000), window=1000)
    assert tenants(await lanes.take("w", SMALL)) == {"crowd": 64}
    await lanes.put(lane("late"), make_waiting(3), window=1000)
    assert tenants(await lanes.take("w", SMALL))["late"] == 3


async def test_an_overdrawn_turn_is_paid_for(lanes: Lanes) -> None:
    await lanes.put(lane("huge"), make_waiting(20, cost=100 * COST), window=1000)
    await lanes.put(lane("small"), make_waiting(2000), window=5000)
    spent: Counter[str] = Counter()
    for _ in range(20):
        batch = await lanes.take("w", SMALL)
        assert batch is not None
        for entry in batch.entries:
            spent[entry.lane.tenant] += entry.cost_pixels
    assert abs(spent["huge"] - spent["small"]) <= 110 * COST


async def test_everybody_in_debt_is_still_served(lanes: Lanes) -> None:
    for tenant in ("a", "b", "c"):
        await lanes.put(lane(tenant), make_waiting(10, cost=10**9), window=100)
    assert len(await drain(lanes)) == 30


async def test_many_tenants_all_get_their_turn(lanes: Lanes) -> None:
    for number in range(300):
        await lanes.put(lane(f"t{number}"), make_waiting(5), window=100)
    seen: Counter[str] = Counter()
    for _ in range(6):
        seen += tenants(await lanes.take("w", Budget(cost_pixels=10**9, items=64)))
    assert len(seen) >= 70  # 13 of them in each micro-batch
    assert len(await drain(lanes)) == 300 * 5 - 6 * 64


async def test_interactive_comes_first_and_leaves_bulk_its_share(lanes: Lanes) -> None:
    await lanes.put(lane("crowd", "bulk"), make_waiting(1000), window=1000)
    for tenant in ("x", "y", "z"):
        await lanes.put(lane(tenant, "interactive"), make_waiting(200), window=1000)
    batch = await lanes.take("w", SMALL)
    assert batch is not None
    by_priority = Counter(entry.lane.priority for entry in batch.entries)
    assert by_priority["bulk"] >= 12
    assert by_priority["interactive"] >= 48
    assert batch.entries[0].lane.priority == "interactive"


async def test_one_tenant_cannot_have_all_of_the_interactive_share(lanes: Lanes) -> None:
    await lanes.put(lane("greedy", "interactive"), make_waiting(500), window=1000)
    await lanes.put(lane("crowd", "bulk"), make_waiting(500), window=1000)
    assert tenants(await lanes.take("w", SMALL))["greedy"] <= 33


async def test_an_otherwise_idle_system_gives_one_tenant_everything(lanes: Lanes) -> None:
    await lanes.put(lane("only", "interactive"), make_waiting(500), window=1000)
    assert tenants(await lanes.take("w", SMALL)) == {"only": 64}


async def test_only_the_wanted_priorities_are_taken(lanes: Lanes) -> None:
    await lanes.put(lane("a", "bulk"), make_waiting(5), window=1000)
    assert await lanes.take("w", SMALL, ("interactive",)) is None
    await lanes.put(lane("a", "interactive"), make_waiting(5), window=1000)
    batch = await lanes.take("w", SMALL, ("interactive",))
    assert batch is not None
    assert {entry.lane.priority for entry in batch.entries} == {"interactive"}


async def test_every_key_of_a_lane_dies_with_its_last_entry(lanes: Lanes, redis_client: Redis) -> None:
    for priority in ("interactive", "bulk"):
        for tenant in ("a", "b"):
            await lanes.put(lane(tenant, priority), make_waiting(70, cost=7 * COST), window=1000)
    await drain(lanes)
    keys = {key.decode() for key in await redis_client.keys("*")}
    assert {key for key in keys if not key.startswith("wake:")} == {"epoch"}
    assert min([await redis_client.pttl(key) for key in keys - {"epoch"}]) > 0
    assert await lanes.depths() == {"interactive": 0, "bulk": 0}


async def test_settling_twice_or_what_is_gone_is_harmless(lanes: Lanes) -> None:
    await lanes.put(lane(), make_waiting(3), window=10)
    batch = await lanes.take("w", SMALL)
    assert batch is not None
    assert await lanes.settle(batch.entries) == 3
    assert await lanes.settle(batch.entries) == 0
    assert await lanes.settle([]) == 0


async def test_settling_one_part_leaves_the_rest(lanes: Lanes) -> None:
    await lanes.put(lane("a"), make_waiting(3), window=10)
    await lanes.put(lane("b"), make_waiting(3), window=10)
    batch = await lanes.take("w", SMALL)
    assert batch is not None
    await lanes.settle(batch.entries[:4])
    assert await lanes.depths() == {"interactive": 0, "bulk": 2}


async def test_entries_given_back_are_taken_again(lanes: Lanes) -> None:
    waiting = make_waiting(5, channel="api:7")
    await lanes.put(lane(), waiting, window=10)
    batch = await lanes.take("gone", SMALL)
    assert batch is not None
    await lanes.give_back(batch.entries)
    again = await lanes.take("other", SMALL)
    assert again is not None
    assert [(entry.item_id, entry.channel) for entry in again.entries] == [(one.item_id, "api:7") for one in waiting]
    assert await lanes.lengths([lane()]) == [5]


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
    assert asked_s - put_s - 0.002 < age < time.monotonic() - before_s + 0.002
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


async def test_several_consumers_lose_nothing_and_share_everything(lanes: Lanes, redis_url: str) -> None:
    """Three producers and four consumers at random speeds: each entry goes to exactly one consumer."""
    chance = random.Random(5)
    put: list[UUID] = []
    taken: list[UUID] = []
    producing = 3

    async def produce(number: int) -> None:
        nonlocal producing
        async with open_lanes(redis_url) as own:
            for _ in range(60):
                waiting = make_waiting(chance.randint(1, 20))
                key = lane(f"t{chance.randrange(4)}", chance.choice(["interactive", "bulk"]))
                accepted = await own.put(key, waiting, window=10_000)
                put.extend(item.item_id for item in waiting[:accepted])
                await asyncio.sleep(chance.random() / 500)
        producing -= 1

    async def consume(name: str) -> None:
        async with open_lanes(redis_url) as own:
            while True:
                over = producing == 0
                batch = await own.take(name, Budget(cost_pixels=10**9, items=chance.randint(1, 30)))
                if batch is not None:
                    taken.extend(entry.item_id for entry in batch.entries)
                    await asyncio.sleep(chance.random() / 200)
                    await own.settle(batch.entries)
                elif over:
                    return

    await asyncio.gather(*(produce(number) for number in range(3)), *(consume(f"w{number}") for number in range(4)))
    assert sorted(taken) == sorted(put)
    assert await lanes.lanes() == []


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
