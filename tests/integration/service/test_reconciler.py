"""The reconciler on real servers: each thing that a crash leaves behind is made, then repaired."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from uuid import UUID

import pytest
from redis.asyncio import Redis

from batching.items import LaneKey, Waiting
from batching.lanes import Lanes
from service.handoff import put_and_stamp
from service.repair import repairs
from service.repair.reconciler import MISSED_S, Reconciler, budgets
from service.settings import Settings, as_environment
from service.store import ObjectStore
from service.truth.database import AsyncEngine, statement
from service.truth.ledger import SqlLedger
from tests.helpers.repairs import age, ids, taken
from tests.helpers.rows import batch_row, check_books, item_row, make_batch, make_done, states

BULK = LaneKey("bulk", "acme")


@pytest.fixture
def reconciler(engine: AsyncEngine, lanes: Lanes, store: ObjectStore) -> Reconciler:
    return Reconciler(engine, lanes, store, lease_s=30.0, lane_window=1000, budgets=budgets(Settings()))


def waiting(items: tuple[UUID, ...]) -> list[Waiting]:
    return [Waiting(item, 50176) for item in items]


async def hand_off(engine: AsyncEngine, lanes: Lanes, items: tuple[UUID, ...], lane: LaneKey = BULK) -> None:
    assert await put_and_stamp(engine, lanes, lane, waiting(items), 10_000) == len(items)


async def test_an_expired_lease_returns_and_another_worker_finishes(
    engine: AsyncEngine, lanes: Lanes, reconciler: Reconciler
) -> None:
    batch = await make_batch(engine, items=3)
    await hand_off(engine, lanes, batch.items)
    await taken(lanes)
    dead = await SqlLedger(engine, 30).lease(batch.items, "w1")
    alive = SqlLedger(engine, 30)
    await alive.finish([make_done(dead[0])])
    await reconciler.repair()
    assert await states(engine, batch.id) == {"succeeded": 1, "leased": 2}
    await age(engine)
    await reconciler.repair()
    assert await states(engine, batch.id) == {"succeeded": 1, "queued": 2}
    assert reconciler.repaired["expired"] == 2
    row = await item_row(engine, dead[1].id)
    assert (row["executions"], row["crashes"], row["suspect"], row["token"]) == (0, 0, True, None)
    again = await ids(lanes)
    assert set(again) == set(batch.items[1:])
    fresh = await alive.lease(again, "w2")
    assert (await alive.finish([make_done(item) for item in dead[1:]])).fenced == set(again)
    assert (await alive.finish([make_done(item) for item in fresh])).completed_batches == {batch.id}
    await check_books(engine)


async def test_what_was_never_handed_off_is_but_not_at_once(
    engine: AsyncEngine, lanes: Lanes, reconciler: Reconciler
) -> None:
    old = await make_batch(engine, items=3, queued_s_ago=10)
    await make_batch(engine, items=3)
    other = await make_batch(engine, items=2, tenant="other", priority="interactive", queued_s_ago=10)
    await reconciler.repair()
    assert set(await ids(lanes)) == {*old.items, *other.items}
    assert reconciler.repaired["refilled"] == 5
    epoch = await lanes.epoch()
    row = await item_row(engine, old.items[0])
    assert row["handed_off_at"] is not None
    assert row["epoch"] == epoch
    await reconciler.repair()
    assert await ids(lanes) == []


async def test_a_lane_is_refilled_up_to_its_window(engine: AsyncEngine, lanes: Lanes, reconciler: Reconciler) -> None:
    batch = await make_batch(engine, items=2500, queued_s_ago=10)
    await reconciler.repair()
    assert await lanes.lengths([BULK]) == [1000]
    seen: list[UUID] = []
    for _ in range(3):
        entries = await taken(lanes)
        seen += [entry.item_id for entry in entries]
        await statement(
            engine, "UPDATE items SET state = 'leased' WHERE id = ANY(:ids)", {"ids": [entry.item_id for entry in entries]}
        )
        await lanes.settle(entries)
        await reconciler.repair()
    assert seen == list(batch.items)


async def test_an_emptied_redis_is_filled_again(
    engine: AsyncEngine, lanes: Lanes, redis_client: Redis, reconciler: Reconciler
) -> None:
    batch = await make_batch(engine, items=1500, queued_s_ago=10)
    await reconciler.repair()
    before = await lanes.epoch()
    assert await lanes.lengths([BULK]) == [1000]
    await redis_client.flushall()
    while await reconciler.repair():
        pass
    assert await lanes.epoch() != before
    assert reconciler.repaired["lost"] == 1000
    assert await ids(lanes) == list(batch.items[:1000])


async def test_an_emptied_redis_is_noticed_by_a_reconciler_that_was_not_there(
    engine: AsyncEngine, lanes: Lanes, redis_client: Redis, reconciler: Reconciler
) -> None:
    batch = await make_batch(engine, items=5, queued_s_ago=10)
    await hand_off(engine, lanes, batch.items)
    await redis_client.flushall()
    await lanes.ensure_epoch()
    await reconciler.repair()
    assert set(await ids(lanes)) == set(batch.items)


async def test_items_that_vanished_from_their_lane_are_found(
    engine: AsyncEngine, lanes: Lanes, redis_client: Redis, reconciler: Reconciler
) -> None:
    """Handed off, and then neither in the lane nor leased: the lane is empty, or holds only later ones."""
    empty = await make_batch(engine, items=3, tenant="empty", queued_s_ago=60)
    lane = LaneKey("bulk", "empty")
    await hand_off(engine, lanes, empty.items, lane)
    passed = await make_batch(engine, items=3, queued_s_ago=60)
    await hand_off(engine, lanes, passed.items)
    entries = await taken(lanes)
    await lanes.settle(entries)
    await age(engine)
    later = await make_batch(engine, items=1)
    await hand_off(engine, lanes, later.items)
    await reconciler.repair()
    assert reconciler.repaired["stranded"] == 6
    assert set(await ids(lanes)) == {*empty.items, *passed.items, *later.items}


async def test_what_a_dead_api_process_promised_is_found_in_a_full_lane(
    engine: AsyncEngine, lanes: Lanes, reconciler: Reconciler
) -> None:
    """It died between its commit, which says that they are handed off, and the hand-off; older entries wait in the lane."""
    older = await make_batch(engine, items=600)
    await hand_off(engine, lanes, older.items)
    promised = await make_batch(engine, items=2, handed_off=True)
    another = await make_batch(engine, items=2)
    await hand_off(engine, lanes, another.items)
    await statement(
        engine, "UPDATE items SET epoch = :epoch, queued_at = now() - interval '9 s'", {"epoch": await lanes.epoch()}
    )
    await lanes.attend("alive", 60)
    await lanes.attend("parted", 0)
    await lanes.part("parted")
    await asyncio.sleep(repairs.SETTLED_S + 0.1)
    await reconciler.repair()
    assert reconciler.repaired["stranded"] == 0, "nobody is missed"
    await lanes.attend("dead", 0)
    await asyncio.sleep(MISSED_S + 0.1)
    await reconciler.repair()
    assert reconciler.repaired["stranded"] == 2
    assert set(await lanes.absent()) == set()
    await reconciler.repair()
    assert await ids(lanes) == [*older.items, *another.items, *promised.items]


async def test_items_that_wait_in_their_lane_are_left_alone(
    engine: AsyncEngine, lanes: Lanes, reconciler: Reconciler
) -> None:
    batch = await make_batch(engine, items=3, queued_s_ago=60)
    await hand_off(engine, lanes, batch.items)
    for _ in range(3):
        await reconciler.repair()
    assert sum(reconciler.repaired.values()) == 0
    assert await ids(lanes) == list(batch.items)


async def test_entries_of_a_dead_consumer_are_handed_off_again(
    engine: AsyncEngine, lanes: Lanes, store: ObjectStore
) -> None:
    reconciler = Reconciler(engine, lanes, store, lease_s=0.5, lane_window=1000, budgets=budgets(Settings()))
    batch = await make_batch(engine, items=4, queued_s_ago=10)
    await hand_off(engine, lanes, batch.items)
    await taken(lanes, "dead")
    leased = await SqlLedger(engine, 30).lease(batch.items[:1], "alive")
    await reconciler.repair()
    assert reconciler.repaired["dead"] == 0
    await asyncio.sleep(1.1)
    await reconciler.repair()
    assert reconciler.repaired["dead"] == 4
    assert await lanes.dead_entries(0) == []
    await asyncio.sleep(0.01)
    assert set(await ids(lanes)) == set(batch.items[1:])
    assert (await item_row(engine, leased[0].id))["token"] == leased[0].token


async def test_a_cancelled_batch_ends_and_its_workers_are_fenced(engine: AsyncEngine, reconciler: Reconciler) -> None:
    batch = await make_batch(engine, items=5)
    ledger = SqlLedger(engine, 30)
    done, running = await ledger.lease(batch.items[:2], "w1")
    await ledger.finish([make_done(done)])
    await statement(engine, "UPDATE batches SET cancel_requested_at = now() WHERE id = :id", {"id": batch.id})
    await reconciler.repair()
    row = await batch_row(engine, batch.id)
    assert (row["state"], row["succeeded"], row["cancelled"]) == ("cancelled", 1, 4)
    assert (await ledger.finish([make_done(running)])).fenced == {running.id}
    assert (await item_row(engine, batch.items[4]))["error_code"] == "cancelled"
    assert await ledger.lease(batch.items, "w1") == []
    await check_books(engine)


async def test_large_cancelled_batches_are_paged(engine: AsyncEngine, reconciler: Reconciler) -> None:
    batches = [await make_batch(engine, items=1300) for _ in range(3)]
    await statement(engine, "UPDATE batches SET cancel_requested_at = now()", {})
    await reconciler.repair()
    assert [(await batch_row(engine, batch.id))["state"] for batch in batches] == ["cancelled"] * 3
    assert reconciler.repaired["cancelled"] == 3900
    await check_books(engine)


async def test_a_batch_past_its_time_expires(engine: AsyncEngine, reconciler: Reconciler) -> None:
    batch = await make_batch(engine, items=2, expires_in_s=-1)
    later = await make_batch(engine, items=2, expires_in_s=60)
    await reconciler.repair()
    assert (await batch_row(engine, batch.id))["state"] == "expired"
    assert (await item_row(engine, batch.items[0]))["error_code"] == "expired"
    assert (await batch_row(engine, later.id))["state"] == "queued"
    await check_books(engine)


async def test_two_reconcilers_that_both_think_they_are_alone_do_no_harm(
    engine: AsyncEngine, lanes: Lanes, store: ObjectStore
) -> None:
    batches = [await make_batch(engine, items=300, queued_s_ago=10) for _ in range(4)]
    ledger = SqlLedger(engine, 30)
    held = await ledger.lease([item for batch in batches for item in batch.items[:100]], "w1")
    await age(engine)
    await statement(engine, "UPDATE batches SET cancel_requested_at = now() WHERE id = :id", {"id": batches[0].id})
    both = [Reconciler(engine, lanes, store, 30.0, 10_000, budgets(Settings())) for _ in range(2)]
    results = await asyncio.gather(
        *(one.repair() for one in both for _ in range(2)), ledger.finish([make_done(item) for item in held[150:]])
    )
    assert len(results) == 5
    await check_books(engine)
    assert await states(engine, batches[0].id) == {"cancelled": 300}
    while found := await ids(lanes):
        items = await ledger.lease(found, "w2")
        await ledger.finish([make_done(item) for item in items])
    assert {(await batch_row(engine, batch.id))["state"] for batch in batches[1:]} == {"completed"}
    await check_books(engine)


async def test_a_lost_redis_does_not_stop_the_rest(engine: AsyncEngine, store: ObjectStore, tmp_path: Path) -> None:
    away = Redis.from_url(f"unix://{tmp_path}/nothing.sock")
    reconciler = Reconciler(engine, Lanes(away), store, lease_s=30.0, lane_window=1000, budgets=budgets(Settings()))
    batch = await make_batch(engine, items=2)
    await statement(engine, "UPDATE batches SET cancel_requested_at = now() WHERE id = :id", {"id": batch.id})
    await reconciler.repair()
    assert (await batch_row(engine, batch.id))["state"] == "cancelled"
    await away.aclose()


async def test_the_process_stops_on_sigterm(settings: Settings, engine: AsyncEngine, lanes: Lanes) -> None:
    batch = await make_batch(engine, items=2, queued_s_ago=10)
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "service", "reconciler", env={**as_environment(settings), "PATH": "/usr/bin:/bin"}
    )
    try:
        found: list[UUID] = []
        for _ in range(300):
            found += await ids(lanes)
            if found:
                break
            await asyncio.sleep(0.1)
        assert set(found) == set(batch.items)
        child.terminate()
        assert await asyncio.wait_for(child.wait(), 10) == 0
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()


def test_the_reconciler_does_without_torch() -> None:
    code = "import sys, service.repair.reconciler; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0, "it would be ten times as large"
