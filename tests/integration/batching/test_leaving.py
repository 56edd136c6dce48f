"""Several workers, and workers that must leave: what they held goes on elsewhere."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Iterator
from typing import Literal
from unittest import mock

import numpy as np
import pytest
from numpy.typing import NDArray
from redis.asyncio import Redis

from batching import life as life_module
from batching.execute import decoder
from batching.lanes import Lanes
from batching.life import DEVICE_LOST, HUNG, Life
from kernels.codec import Limits
from kernels.errors import DeviceLost
from tests.helpers.worker import Rig, empty, eventually, make_rig


@pytest.fixture
async def rig(redis_client: Redis, redis_url: str) -> Rig:
    return make_rig(redis_url)


def serving(life: Life, until: threading.Event) -> threading.Thread:
    """A thread that does what RQ's jobs do."""

    def body() -> None:
        while not until.is_set() and not life.draining:
            life.serve()

    thread = threading.Thread(target=body)
    thread.start()
    return thread


async def idle(lanes: Lanes, worker: str) -> bool:
    """Whether the worker says that nothing is in flight."""
    return (await lanes.workers())[worker]["in_flight:bulk"] == "0"


@pytest.fixture
def over() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


async def test_three_workers_share_the_work_and_lose_nothing(rig: Rig, lanes: Lanes, over: threading.Event) -> None:
    gate, real = threading.Event(), rig.decode

    def gated(content: bytes, alpha: Literal["drop", "keep"]) -> NDArray[np.uint8]:
        gate.wait(20)
        return real(content, alpha)

    def workers() -> set[str]:
        return {row.worker for row in rig.ledger.rows.values() if row.worker}

    rig.decode = gated
    items = [item for tenant in "abcd" for item in rig.submit(150, tenant=tenant)]
    with rig.life("w1") as first, rig.life("w2") as second, rig.life("w3") as third:
        threads = [serving(life, over) for life in (first, second, third)]
        await rig.hand_off(lanes, items)
        # two of them take at most 384 while they finish nothing, so the rest is for the third
        await rig.until(lambda: len(workers()) == 3)
        gate.set()
        await rig.until_final(items)
        over.set()
        for thread in threads:
            await asyncio.to_thread(thread.join)
    assert workers() == {"w1", "w2", "w3"}
    assert rig.ledger.states() == {"succeeded": 600}
    assert rig.ledger.fenced == 0
    await empty(lanes)


async def test_a_lost_device_hands_everything_back_and_leaves(rig: Rig, lanes: Lanes, over: threading.Event) -> None:
    items = rig.submit(30)
    left = threading.Event()
    codes: list[int] = []

    def leave(code: int, reason: str) -> None:
        codes.append(code)
        left.set()

    with mock.patch("batching.device.run", side_effect=DeviceLost("cuda", "an illegal address")):
        with rig.life("broken", leave) as life:
            thread = serving(life, over)
            await rig.hand_off(lanes, items)
            assert await asyncio.to_thread(left.wait, 10)
            assert rig.ledger.states() == {"queued": 30}
            assert {row.item.executions for row in rig.ledger.rows.values()} == {0}
        over.set()
        await asyncio.to_thread(thread.join)
    assert codes == [DEVICE_LOST]
    over.clear()
    with rig.life("healthy") as life:
        thread = serving(life, over)
        await rig.until_final(items)
        over.set()
        await asyncio.to_thread(thread.join)
    assert rig.ledger.states() == {"succeeded": 30}


async def test_an_item_that_hangs_makes_the_worker_leave_with_only_that_item_charged(
    redis_client: Redis, redis_url: str, lanes: Lanes, over: threading.Event
) -> None:
    rig = make_rig(redis_url, item_timeout_s=0.5, lease_s=1.0, threads=1)
    gate, left, real = threading.Event(), threading.Event(), decoder(Limits())
    codes: list[int] = []
    items = rig.submit(10)
    culprit = rig.store.objects[items[3].source_key]

    def hanging(content: bytes, alpha: Literal["drop", "keep"]) -> NDArray[np.uint8]:
        if content == culprit:
            gate.wait(30)
        return real(content, alpha)

    def leave(code: int, reason: str) -> None:
        codes.append(code)
        left.set()

    rig.decode = hanging
    with mock.patch.object(life_module, "HUNG_GRACE_S", 0.5), rig.life("stuck", leave) as life:
        thread = serving(life, over)
        await rig.hand_off(lanes, items)
        assert await asyncio.to_thread(left.wait, 10)
        states = {item.key: rig.ledger.rows[item.id].state for item in items}
        gate.set()
        over.set()
        await asyncio.to_thread(thread.join)
    assert codes == [HUNG]
    assert states[3] == "leased"
    assert set(states.values()) == {"leased", "queued", "succeeded"}
    assert list(states.values()).count("leased") == 1


async def test_entries_of_a_killed_worker_are_found_as_dead(rig: Rig, lanes: Lanes) -> None:
    items = rig.submit(100)
    await rig.hand_off(lanes, items)
    batch = await lanes.take("killed", rig.config.budget)
    assert batch is not None
    await rig.ledger.lease([entry.item_id for entry in batch.entries], "killed")
    await asyncio.sleep(0.05)
    found = await lanes.dead_entries(idle_ms=40)
    assert {entry.item_id for entry in found} == {entry.item_id for entry in batch.entries}


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["old ends first", "new ends first"])
async def test_a_worker_may_run_an_item_again_while_its_own_lost_attempt_goes_on(
    rig: Rig, lanes: Lanes, over: threading.Event, order: tuple[int, int]
) -> None:
    gates, begun, ended = (threading.Event(), threading.Event()), itertools.count(), threading.Semaphore(0)
    real = decoder(Limits())

    def gated(content: bytes, alpha: Literal["drop", "keep"]) -> NDArray[np.uint8]:
        attempt = next(begun)
        reached.append(attempt)
        gates[attempt].wait(20)
        ended.release()
        return real(content, alpha)

    reached: list[int] = []
    rig.decode = gated
    [item] = rig.submit(1)
    with rig.life("resumed") as life:
        thread = serving(life, over)
        await rig.hand_off(lanes, [item])
        await rig.until(lambda: len(reached) == 1)
        rig.ledger.rows[item.id].state = "queued"  # its lease ran out, as it does for a worker that was stopped
        await rig.hand_off(lanes, [item])
        await rig.until(lambda: len(reached) == 2)
        for attempt in order:
            gates[attempt].set()
            assert await asyncio.to_thread(ended.acquire, timeout=10)
            await asyncio.sleep(0.3)  # its outcome is dropped or committed
        await rig.until_final([item])
        over.set()
        await asyncio.to_thread(thread.join)
        await eventually(lambda: idle(lanes, "resumed"), 5)
    assert rig.ledger.states() == {"succeeded": 1}
    assert rig.ledger.rows[item.id].item.executions == 2


async def test_a_worker_that_can_no_longer_commit_leaves_instead_of_holding_its_leases(
    rig: Rig, lanes: Lanes, over: threading.Event
) -> None:
    items = rig.submit(3)
    left = threading.Event()
    codes: list[int] = []

    def leave(code: int, reason: str) -> None:
        codes.append(code)
        left.set()

    with mock.patch("batching.finishing.Finisher._part_with", side_effect=KeyError("a fault of ours")):
        with rig.life("broken", leave) as life:
            thread = serving(life, over)
            await rig.hand_off(lanes, items)
            assert await asyncio.to_thread(left.wait, 10)
            over.set()
        await asyncio.to_thread(thread.join)
    assert codes[0] == HUNG
