"""run_worker while Redis, the database, the store or an item fails: what waits, what fails, and what is never lost."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Sequence
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from redis.asyncio import Redis

from batching import failpoints
from batching.errors import LedgerUnavailable, StoreUnavailable
from batching.items import Done, Failed, Outcome
from batching.lanes import LANES_DOWN, Lanes
from batching.ledger import Finish
from kernels import augment, codec
from service.system.embedded.valkey import valkey_program
from tests.helpers.ledger import MemoryFiles
from tests.helpers.worker import FLIP, Rig, eventually, make_rig


def test_a_flush_in_the_middle_loses_nothing(rig: Rig) -> None:
    items = rig.submit(600)

    async def scenario(lanes: Lanes) -> None:
        async with Redis.from_url(rig.config.redis_url) as client:
            await rig.hand_off(lanes, items)
            await rig.until(lambda: rig.ledger.states()["succeeded"] > 50)
            await client.flushall()
            lost = [item for item in items if rig.ledger.rows[item.id].state == "queued"]
            assert lost
            await rig.hand_off(lanes, lost)  # what the reconciler does once it sees that the epoch is gone
            await rig.until_final(items)
            await rig.until_registered(lanes)
            await asyncio.sleep(0.5)
            again = rig.submit(5)
            await rig.hand_off(lanes, again)
            await rig.until_final(again)

    assert rig.run(scenario) == 0
    assert rig.ledger.states() == {"succeeded": 605}


def test_a_flush_while_idle_is_forgotten_in_seconds(rig: Rig) -> None:
    items = rig.submit(1)

    async def scenario(lanes: Lanes) -> None:
        async with Redis.from_url(rig.config.redis_url) as client:
            await client.flushall()
        await rig.hand_off(lanes, items)  # no worker is registered: nobody is woken now
        await rig.until_final(items, timeout_s=6)

    assert rig.run(scenario) == 0


def test_a_database_that_is_away_is_waited_for(rig: Rig) -> None:
    items = rig.submit(200)

    async def scenario(lanes: Lanes) -> None:
        rig.ledger.failing = LedgerUnavailable("refused")
        await rig.hand_off(lanes, items[:100])
        await asyncio.sleep(0.5)
        rig.ledger.failing = None
        await rig.until_final(items[:100])
        await rig.hand_off(lanes, items[100:])
        await rig.until(lambda: rig.ledger.states()["succeeded"] > 110)
        rig.ledger.failing = RuntimeError("a bug in the driver")
        await asyncio.sleep(0.5)
        rig.ledger.failing = None
        await rig.until_final(items)

    assert rig.run(scenario) == 0
    assert rig.ledger.states() == {"succeeded": 200}
    assert rig.ledger.calls["lease"] < 100


def test_a_store_that_is_away_is_waited_for(rig: Rig) -> None:
    items = rig.submit(100)

    async def scenario(lanes: Lanes) -> None:
        rig.store.failing = StoreUnavailable("refused")
        await rig.hand_off(lanes, items)
        await asyncio.sleep(0.5)
        assert rig.ledger.states()["succeeded"] == 0
        rig.store.failing = None
        await rig.until_final(items)

    assert rig.run(scenario) == 0
    assert rig.ledger.states() == {"succeeded": 100}


def test_a_store_that_refuses_for_no_known_reason_fails_the_item(rig: Rig) -> None:
    [item] = rig.submit(1)

    async def scenario(lanes: Lanes) -> None:
        rig.store.failing = ValueError("a key that it cannot take")
        await rig.hand_off(lanes, [item])
        await rig.until_final([item])

    assert rig.run(scenario) == 0
    outcome = rig.ledger.outcome(item)
    assert isinstance(outcome, Failed)
    assert outcome.code == "internal"


async def registered(lanes: Lanes) -> bool:
    try:
        return bool(await lanes.workers())
    except LANES_DOWN:
        return False


def test_redis_may_go_and_come_back_empty(tmp_path: Path) -> None:
    socket = tmp_path / "s"
    command = [valkey_program(), "--port", "0", "--unixsocket", socket, "--dir", tmp_path, "--save", ""]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    rig = make_rig(f"unix://{socket}")
    first, second = rig.submit(300), rig.submit(50)

    async def scenario(lanes: Lanes) -> None:
        nonlocal server
        await rig.hand_off(lanes, first)
        await rig.until(lambda: rig.ledger.states()["succeeded"] > 20)
        server.kill()
        server.wait()
        await asyncio.sleep(1.0)
        assert rig.ledger.states()["leased"] == 0  # what was taken is finished without Redis
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: ASYNC220 - it returns at once
        await eventually(lambda: registered(lanes), 15)
        lost = [item for item in first if rig.ledger.rows[item.id].state == "queued"]
        await rig.hand_off(lanes, [*lost, *second])
        await rig.until_final([*first, *second])

    try:
        assert rig.run(scenario) == 0
    finally:
        server.kill()
        server.wait()
    assert rig.ledger.states() == {"succeeded": 350}


@pytest.mark.parametrize("place", ["taken", "leased", "fetched", "stored", "before_finish", "before_settle"])
def test_an_error_anywhere_leaves_no_item_hanging(rig: Rig, place: str) -> None:
    items = rig.submit(20)

    async def scenario(lanes: Lanes) -> None:
        failpoints.arm({place: "error"})
        await rig.hand_off(lanes, items)
        await asyncio.sleep(0.5)
        failpoints.arm({})
        for row in rig.ledger.rows.values():
            row.lease_until_s = 0.0 if row.state == "leased" and place == "leased" else row.lease_until_s
        await rig.hand_off(lanes, rig.ledger.expire(suspects=False))
        await rig.until_final(items)

    assert rig.run(scenario) == 0
    assert rig.ledger.states()["succeeded"] + rig.ledger.states()["failed"] == 20


@pytest.mark.parametrize("fault", ["none", "slow", "missing", "full", "crashing"])
def test_a_store_of_files_is_used_by_the_threads_of_the_engine(rig: Rig, fault: str) -> None:
    items = rig.submit(20)
    files = rig.store.files = MemoryFiles(rig.store)
    contents = dict(rig.store.objects)

    async def scenario(lanes: Lanes) -> None:
        match fault:
            case "slow":
                files.unready = set(contents)
            case "missing":
                del rig.store.objects[items[3].source_key]
            case "full":
                files.busy = True
            case "crashing":
                rig.store.failing = StoreUnavailable("planted")
        await rig.hand_off(lanes, items)
        if fault == "crashing":
            await asyncio.sleep(0.3)
            rig.store.failing = None
        await rig.until_final(items)

    assert rig.run(scenario) == 0
    for item in items:
        outcome = rig.ledger.outcome(item)
        if fault == "missing" and item is items[3]:
            assert isinstance(outcome, Failed)
            assert outcome.code == "source_missing"
            continue
        [content] = rig.store.contents(outcome)
        [expected] = augment([contents[item.source_key]], FLIP, seed=item.seed, keys=[item.key])
        assert expected.image is not None
        np.testing.assert_array_equal(codec.decode(content), expected.image.numpy())
    by_threads = {"none": 20, "missing": 19, "slow": 20, "full": 0}
    assert len(files.written) == by_threads.get(fault, len(files.written))


def test_an_outcome_that_the_database_refuses_does_not_hold_up_its_group(rig: Rig) -> None:
    items = rig.submit(10)
    finish = rig.ledger.finish

    async def picky(outcomes: Sequence[Outcome]) -> Finish:
        if any(outcome.item.id == items[4].id and isinstance(outcome, Done) for outcome in outcomes):
            raise RuntimeError("a value that it cannot take")
        return await finish(outcomes)

    rig.ledger.finish = picky  # type: ignore[method-assign]  # the fault that this test is about

    async def scenario(lanes: Lanes) -> None:
        await rig.hand_off(lanes, items)
        await rig.until_final(items)

    with mock.patch("batching.finishing.ODD_ERRORS", 2):
        assert rig.run(scenario) == 0
    assert rig.ledger.states() == {"succeeded": 9, "failed": 1}
