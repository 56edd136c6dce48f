"""Lanes over a real Valkey: order, fairness and races."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from uuid import UUID

from redis.asyncio import Redis

from batching.items import Budget
from batching.lanes import Lanes, open_lanes
from tests.helpers.lanes import COST, SMALL, drain, lane, make_waiting, tenants


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
