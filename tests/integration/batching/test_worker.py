"""run_worker over a real Valkey: from a lane to stored results, and everything that may happen on the way."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from numpy.typing import NDArray
from redis import Redis as Blocking
from redis.asyncio import Redis

from batching import failpoints
from batching.events import Notice, subscribe
from batching.execute import decoder
from batching.items import Done, Failed, MicroBatch
from batching.lanes import Lanes
from batching.wake import enqueue_serve, forget_queue
from kernels import augment, codec
from kernels.codec import Limits
from kernels.recipe import Recipe
from tests.helpers.worker import FLIP, Rig, empty, make_rig


def test_a_thousand_pictures_take_tens_of_micro_batches_and_a_handful_of_jobs(rig: Rig) -> None:
    items = rig.submit(1000)

    async def scenario(lanes: Lanes) -> None:
        await rig.hand_off(lanes, items)
        await rig.until_final(items)
        await asyncio.sleep(2.1)
        [facts] = (await lanes.workers()).values()
        assert int(facts["jobs"]) <= 3
        assert facts["outcome:succeeded"] == "1000"
        assert facts["state"] == "idle"
        assert await lanes.lanes() == []

    assert rig.run(scenario) == 0
    assert rig.ledger.states() == {"succeeded": 1000}
    assert rig.ledger.calls["lease"] <= 40
    assert rig.ledger.calls["finish"] <= 60
    for item in items[::200]:
        [expected] = augment([rig.store.objects[item.source_key]], FLIP, seed=item.seed, keys=[item.key])
        assert expected.image is not None
        [content] = rig.store.contents(rig.ledger.outcome(item))
        np.testing.assert_array_equal(codec.decode(content), expected.image.numpy())


def test_the_sandbox_begins_to_load_before_there_is_a_suspect(rig: Rig) -> None:
    def loading() -> bool:
        children = " ".join(path.read_text() for path in Path("/proc/self/task").glob("*/children")).split()
        return any("batching.sandbox.zygote" in Path(f"/proc/{pid}/cmdline").read_text() for pid in children)

    async def scenario(lanes: Lanes) -> None:
        for _ in range(1500):
            if loading():
                return
            await asyncio.sleep(0.02)
        raise AssertionError("the sandbox was not started")

    assert rig.run(scenario) == 0
    assert not loading()


def test_a_bad_picture_fails_alone_and_a_missing_one_too(rig: Rig) -> None:
    good = rig.submit(30)
    bad = rig.submit(1, content=b"not a picture")
    gone = rig.submit(1)
    del rig.store.objects[gone[0].source_key]

    async def scenario(lanes: Lanes) -> None:
        await rig.hand_off(lanes, [*good[:15], *bad, *gone, *good[15:]])
        await rig.until_final([*good, *bad, *gone])

    assert rig.run(scenario) == 0
    codes = [outcome.code for item in (*bad, *gone) if isinstance(outcome := rig.ledger.outcome(item), Failed)]
    assert codes == ["unsupported_format", "source_missing"]
    assert all(isinstance(rig.ledger.outcome(item), Done) for item in good)


def test_a_batch_is_asked_once_who_is_in_it_and_a_lost_partner_fails_who_takes_it(rig: Rig) -> None:
    batch = rig.submit(1)[0].batch_id
    rig.ledger.rows.clear()
    mixing = Recipe.parse({"steps": [{"op": "mosaic", "size": [24, 32]}], "output": {"format": "png"}})
    items = rig.submit(30, batch_id=batch, recipe=mixing)
    gone = items[7]
    sources = [rig.store.objects[item.source_key] for item in items]
    del rig.store.objects[gone.source_key]

    async def scenario(lanes: Lanes) -> None:
        await rig.hand_off(lanes, items)
        await rig.until_final(items)

    assert rig.run(scenario) == 0
    assert rig.ledger.calls["members"] == 1
    expected = augment(sources, mixing, seed=7, keys=[item.key for item in items])
    takers = 0
    for item, wanted in zip(items, expected, strict=True):
        outcome = rig.ledger.outcome(item)
        takes = f"{gone.key:016x}" in [partner["key"] for partner in wanted.draws[0]["partners"]]
        if item is gone or takes:
            assert isinstance(outcome, Failed)
            assert outcome.code == "source_missing"
            assert outcome.detail.startswith(f"its partner {gone.key}: ") is takes
            takers += takes
        else:
            assert wanted.image is not None
            np.testing.assert_array_equal(codec.decode(*rig.store.contents(outcome)), wanted.image.numpy())
    assert 0 < takers < 15


def test_those_who_wait_are_told_of_items_and_of_the_batch(rig: Rig) -> None:
    batch = rig.submit(1)[0].batch_id
    items = rig.submit(20, batch_id=batch, variants=2)
    told: list[Notice] = []

    async def scenario(lanes: Lanes) -> None:
        async with Redis.from_url(rig.config.redis_url, socket_timeout=30) as client:
            notices = subscribe(client, "api:test")
            assert await anext(notices) == Notice()
            await rig.hand_off(lanes, items, channel="api:test")
            async with asyncio.timeout(10):
                while len({item for notice in told for item in notice.items}) < 20:
                    told.append(await anext(notices))
            await notices.aclose()

    assert rig.run(scenario) == 0
    assert {item for notice in told for item in notice.items} == {item.id for item in items}
    # One item of the batch was never handed off, so the batch is not complete.
    assert not any(notice.batches for notice in told)


def test_at_most_one_job_is_outstanding(rig: Rig) -> None:
    items = rig.submit(300)
    most = 0

    async def scenario(lanes: Lanes) -> None:
        nonlocal most
        [worker] = await lanes.workers()
        async with Redis.from_url(rig.config.redis_url) as client:
            for start in range(0, 300, 10):
                await rig.hand_off(lanes, items[start : start + 10])
                waiting = await client.llen(f"rq:queue:serve:{worker}")
                running = await client.zcard(f"rq:wip:serve:{worker}")
                most = max(most, waiting + running)
                await asyncio.sleep(0.02)
        await rig.until_final(items)

    assert rig.run(scenario, slice_s=0.2, linger_s=0.02) == 0
    assert most <= 2  # a job that has just enqueued its successor


def test_a_time_slice_that_is_over_goes_on_in_the_next_job(rig: Rig) -> None:
    items = rig.submit(400)

    async def scenario(lanes: Lanes) -> None:
        await rig.hand_off(lanes, items)
        await rig.until_final(items)
        await asyncio.sleep(2.1)
        [facts] = (await lanes.workers()).values()
        assert int(facts["jobs"]) >= 2

    assert rig.run(scenario, slice_s=0.05) == 0


def test_interactive_items_do_not_wait_for_the_bulk(rig: Rig) -> None:
    bulk = rig.submit(3000, tenant="crowd")
    waits: list[float] = []

    async def scenario(lanes: Lanes) -> None:
        await rig.hand_off(lanes, bulk)
        await rig.until(lambda: rig.ledger.states()["succeeded"] > 100)
        for _ in range(5):
            urgent = rig.submit(1, priority="interactive")
            start = time.perf_counter()
            await rig.hand_off(lanes, urgent)
            await rig.until_final(urgent)
            waits.append(time.perf_counter() - start)
        assert rig.ledger.states()["queued"] > 500

    assert rig.run(scenario) == 0
    assert sorted(waits)[2] < 0.1


def test_a_drain_finishes_what_is_begun_and_hands_the_rest_back(rig: Rig) -> None:
    items = rig.submit(500)
    failpoints.arm({})

    async def scenario(lanes: Lanes) -> None:
        await rig.hand_off(lanes, items)
        await rig.until(lambda: rig.ledger.states()["succeeded"] > 20)
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    start = time.monotonic()
    assert rig.run(scenario, failpoints="ran=sleep:0.01") == 0
    assert time.monotonic() - start < 10
    states = rig.ledger.states()
    assert states["leased"] == 0
    assert states["queued"] > 0
    assert states["succeeded"] + states["queued"] == 500
    assert all(row.item.executions == 0 for row in rig.ledger.rows.values() if row.state == "queued")

    async def after(lanes: Lanes) -> None:
        """What was handed back is in its lane, where the next worker finds it without the reconciler."""
        await rig.until_final(items)

    assert rig.run(after) == 0
    assert rig.ledger.states() == {"succeeded": 500}
    assert rig.ledger.fenced == 0


def test_what_arrives_when_the_worker_begins_to_leave_is_given_back(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    items, real, taken = rig.submit(10), Lanes.take, threading.Event()

    async def late(lanes: Lanes, *asked: Any) -> MicroBatch | None:
        batch = await real(lanes, *asked)
        if batch and not taken.is_set():
            taken.set()
            await asyncio.sleep(0.5)
        return batch

    async def scenario(lanes: Lanes) -> None:
        await rig.hand_off(lanes, items)
        await rig.until(taken.is_set)
        os.kill(os.getpid(), signal.SIGTERM)

    async def after(lanes: Lanes) -> None:
        await rig.until_final(items)

    monkeypatch.setattr(Lanes, "take", late)
    assert rig.run(scenario) == 0
    assert rig.ledger.states() == {"queued": 10}
    assert rig.ledger.calls["lease"] == 0
    assert rig.run(after) == 0
    assert rig.ledger.states() == {"succeeded": 10}


def test_what_does_not_finish_in_the_drain_is_handed_back_too(rig: Rig) -> None:
    gate, real = threading.Event(), decoder(Limits())

    def stuck(content: bytes, alpha: Literal["drop", "keep"]) -> NDArray[np.uint8]:
        gate.wait(20)
        return real(content, alpha)

    rig.decode = stuck
    items = rig.submit(10)

    async def scenario(lanes: Lanes) -> None:
        await rig.hand_off(lanes, items)
        await rig.until(lambda: rig.ledger.states()["leased"] == 10)
        await asyncio.sleep(0.05)
        os.kill(os.getpid(), signal.SIGTERM)
        await rig.until(lambda: rig.ledger.states()["queued"] == 10)
        gate.set()

    start = time.monotonic()
    assert rig.run(scenario, drain_s=0.5) == 0
    assert time.monotonic() - start < 8
    assert rig.ledger.states() == {"queued": 10}


def test_leases_are_renewed_for_as_long_as_an_item_runs(redis_url: str) -> None:
    rig = make_rig(redis_url, lease_s=0.5)
    items = rig.submit(4)

    async def scenario(lanes: Lanes) -> None:
        await rig.hand_off(lanes, items)
        for _ in range(40):
            await asyncio.sleep(0.05)
            assert rig.ledger.expire() == []
        await rig.until_final(items)

    assert rig.run(scenario, failpoints="encoded=sleep:1.0") == 0
    failpoints.arm({})
    assert rig.ledger.states() == {"succeeded": 4}
    assert {row.item.executions for row in rig.ledger.rows.values()} == {1}


def test_an_item_whose_lease_went_to_another_is_not_written(rig: Rig) -> None:
    items = rig.submit(5)

    async def scenario(lanes: Lanes) -> None:
        await rig.hand_off(lanes, items)
        await rig.until(lambda: rig.ledger.states()["leased"] == 5)
        for row in rig.ledger.rows.values():
            row.lease_until_s = 0.0
        assert len(rig.ledger.expire()) == 5
        taken = await rig.ledger.lease([item.id for item in items], "another")
        assert len(taken) == 5
        await asyncio.sleep(1.5)
        await asyncio.sleep(2.0)
        [facts] = (await lanes.workers()).values()
        assert int(facts["fenced"]) == 5

    assert rig.run(scenario, failpoints="ran=sleep:0.3") == 0
    failpoints.arm({})
    assert {row.worker for row in rig.ledger.rows.values()} == {"another"}
    assert rig.ledger.states() == {"leased": 5}


def test_an_item_that_is_in_a_lane_twice_runs_once(rig: Rig) -> None:
    items = rig.submit(50)

    async def scenario(lanes: Lanes) -> None:
        await rig.hand_off(lanes, items)
        await rig.hand_off(lanes, items)
        await rig.until_final(items)
        await empty(lanes)

    assert rig.run(scenario) == 0
    assert {row.item.executions for row in rig.ledger.rows.values()} == {1}


def test_a_worker_that_ends_leaves_nothing_of_itself_in_redis(rig: Rig) -> None:
    items = rig.submit(3)

    async def scenario(lanes: Lanes) -> None:
        await rig.hand_off(lanes, items)
        await rig.until_final(items)

    assert rig.run(scenario) == 0
    with Blocking.from_url(rig.config.redis_url) as client:
        left = {key.decode() for key in client.keys("*")}
    assert left <= {"epoch", "rq:clean_groups", "rq:queues", "wake:bulk", "wake:newcomer"}


def test_a_killed_workers_queue_is_forgotten(rig: Rig) -> None:
    with Blocking.from_url(rig.config.redis_url) as client:
        enqueue_serve(client, "killed")
        client.sadd("rq:workers", "rq:worker:killed")
        client.sadd("rq:workers:serve:killed", "rq:worker:killed")
        forget_queue(client, "killed")
        assert not client.keys("*killed*")
        assert not client.smembers("rq:workers")
        assert not client.keys("rq:job:*")
