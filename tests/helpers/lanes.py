"""Lanes filled and emptied by tests."""

from __future__ import annotations

from collections import Counter
from uuid import uuid4

from batching.items import Budget, LaneKey, MicroBatch, Priority, Taken, Waiting
from batching.lanes import Lanes

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
