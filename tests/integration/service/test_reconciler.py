"""The reconciler on real servers: each thing that a crash leaves behind is made, then repaired."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest
from redis.asyncio import Redis

from batching.items import Budget, LaneKey, Taken, Waiting
from batching.lanes import Lanes
from service.handoff import put_and_stamp
from service.ids import new_id
from service.repair import repairs
from service.repair.reconciler import LOCK, MISSED_S, Reconciler, budgets, run
from service.repair.sole import Sole
from service.settings import Settings, as_environment
from service.store import ObjectStore, local_store
from service.truth.database import AsyncEngine, DatabaseUnavailable, make_engine, statement
from service.truth.fleet import dying
from service.truth.ledger import SqlLedger
from tests.helpers.rows import batch_row, check_books, item_row, make_batch, make_done, one, states

WIDE = Budget(cost_pixels=10**12, items=100_000)
BULK = LaneKey("bulk", "acme")


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    engine = make_engine(database_url)
    yield engine
    await engine.dispose()


@pytest.fixture
def lanes(redis_client: Redis) -> Lanes:
    return Lanes(redis_client)


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return local_store(tmp_path / "store")


@pytest.fixture
def reconciler(engine: AsyncEngine, lanes: Lanes, store: ObjectStore) -> Reconciler:
    return Reconciler(engine, lanes, store, lease_s=30.0, lane_window=1000, budgets=budgets(Settings()))


async def age(engine: AsyncEngine, seconds: float = 60.0) -> None:
    """Makes everything that happened look as if it had happened that much earlier."""
    await statement(
        engine,
        """UPDATE items SET queued_at = queued_at - make_interval(secs => :s),
                            lease_until = lease_until - make_interval(secs => :s),
                            handed_off_at = handed_off_at - make_interval(secs => :s)""",
        {"s": seconds},
    )


async def taken(lanes: Lanes, consumer: str = "w1") -> list[Taken]:
    """Everything that waits in lanes, taken."""
    found: list[Taken] = []
    while batch := await lanes.take(consumer, WIDE):
        found += batch.entries
    return found


async def ids(lanes: Lanes) -> list[UUID]:
    return [entry.item_id for entry in await taken(lanes)]


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


async def test_a_suspect_that_takes_its_workers_along_is_given_up(engine: AsyncEngine, reconciler: Reconciler) -> None:
    """It is charged when it is run alone, so that the death of the worker itself cannot make it go on for ever."""
    await finished_lately(engine)
    batch = await make_batch(engine, items=2, queued_s_ago=10)
    ledger = SqlLedger(engine, 30)
    for death in range(1 + Settings().max_crashes):
        items = await ledger.lease(batch.items, "w")
        assert [(item.suspect, item.crashes) for item in items] == [(death > 0, max(0, death - 1)), (death > 0, 0)]
        if death:
            charged = await ledger.charge(items[0])
            assert charged is not None
            assert (charged.crashes, charged.charged) == (death, True)
            assert await ledger.charge(items[0]) == charged
        await age(engine)
        await reconciler.repair()
    row = await item_row(engine, batch.items[0])
    assert (row["state"], row["error_code"], row["crashes"]) == ("failed", "poison", 3)
    [other] = await ledger.lease(batch.items, "w")
    assert (other.id, other.crashes, other.executions) == (batch.items[1], 0, 4)
    await ledger.finish([make_done(other)])
    assert (await batch_row(engine, batch.id))["state"] == "completed"
    assert reconciler.repaired["poisoned"] == 1
    await check_books(engine)


async def finished_lately(engine: AsyncEngine, micro_batches: int = 20) -> None:
    """A fleet that works: many micro-batches have come to their ends."""
    batch = await make_batch(engine, items=micro_batches)
    ledger = SqlLedger(engine, 30)
    for item in batch.items:
        await ledger.finish([make_done(leased) for leased in await ledger.lease([item], "w0")])


async def test_a_dying_fleet_charges_nobody(engine: AsyncEngine, reconciler: Reconciler) -> None:
    await finished_lately(engine, micro_batches=2)
    batch = await make_batch(engine, items=6, queued_s_ago=10)
    ledger = SqlLedger(engine, 30)
    for number in range(3):
        assert len(await ledger.lease(batch.items[:4], f"w{number}")) == 4
        assert not await dying(engine)
        await age(engine)
        await reconciler.repair()
    assert await dying(engine)
    for number in range(8):
        items = await ledger.lease(batch.items, f"x{number}")
        charged = await ledger.charge(items[0])
        assert charged is not None
        assert not charged.charged
        await age(engine)
        await reconciler.repair()
    assert await states(engine, batch.id) == {"queued": 6}
    row = await item_row(engine, batch.items[0])
    assert (row["crashes"], row["executions"]) == (0, 2)  # those before it was known
    await finished_lately(engine, micro_batches=20)
    assert not await dying(engine)
    await check_books(engine)


async def test_what_died_in_the_sandbox_waits_again_and_is_charged(engine: AsyncEngine) -> None:
    batch = await make_batch(engine, items=2)
    ledger = SqlLedger(engine, 30)
    died, left = await ledger.lease(batch.items, "w")
    charged = await ledger.charge(left)
    assert charged is not None
    await ledger.give_up(replace(died, crashes=1), "crashed")
    await ledger.hand_back([charged])
    row, other = await item_row(engine, died.id), await item_row(engine, left.id)
    assert (row["state"], row["crashes"], row["suspect"], row["executions"], row["handed_off_at"]) == (
        "queued",
        1,
        True,
        1,
        None,
    )
    assert (other["state"], other["crashes"], other["executions"]) == ("queued", 0, 0)
    await check_books(engine)


async def test_suspects_have_few_neighbours(engine: AsyncEngine, lanes: Lanes, reconciler: Reconciler) -> None:
    batch = await make_batch(engine, items=3, queued_s_ago=10)
    await statement(engine, "UPDATE items SET suspect = position > 1", {})
    await reconciler.repair()
    costs = {entry.item_id: entry.cost_pixels for entry in await taken(lanes)}
    assert [costs[item] for item in batch.items] == [50176, 3_000_000, 3_000_000]


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


async def test_a_deleted_batch_leaves_nothing(engine: AsyncEngine, reconciler: Reconciler, store: ObjectStore) -> None:
    batch, kept = await make_batch(engine, items=700, variants=1), await make_batch(engine, items=1)
    ledger = SqlLedger(engine, 30)
    outcomes = [make_done(item) for item in await ledger.lease([*batch.items, *kept.items], "w1")]
    for outcome in outcomes:
        for output in outcome.outputs:
            await store.put(output.object_key, b"abc")
    await ledger.finish(outcomes)
    await statement(
        engine, "UPDATE batches SET deleted_at = now(), cancel_requested_at = now() WHERE id = :id", {"id": batch.id}
    )
    while await reconciler.repair():
        pass
    await reconciler.repair()
    assert await statement(engine, "SELECT id FROM batches", {}) == [{"id": kept.id}]
    assert (await one(engine, "SELECT count(*) AS n FROM items"))["n"] == 1
    left = [found.key async for found in store.objects("acme")]
    assert left == [row["object_key"] for row in await statement(engine, "SELECT object_key FROM outputs", {})]
    assert reconciler.repaired["removed_objects"] == 700


async def make_image(engine: AsyncEngine, store: ObjectStore, key: str, deleted_s_ago: float | None) -> UUID:
    await store.put(key, b"bytes")
    image = new_id()
    await statement(
        engine,
        """INSERT INTO images (id, tenant, sha256, bytes, format, width, height, object_key, deleted_at)
           VALUES (:id, 'acme', right(:key, 64), 5, 'jpeg', 1, 1, CAST(:key AS text),
                   now() - make_interval(secs => CAST(:ago AS float8)))""",
        {"id": image, "key": key, "ago": deleted_s_ago},
    )
    return image


async def test_bytes_of_deleted_images_go_when_nobody_needs_them(
    engine: AsyncEngine, store: ObjectStore, tmp_path: Path
) -> None:
    from os import utime

    from service.repair.removals import remove_images

    batch = await make_batch(engine, items=2)
    ledger = SqlLedger(engine, 30)
    # its own item is done, but another one of the batch may still take it as its partner
    await ledger.finish([make_done(item) for item in await ledger.lease(batch.items[:1], "w")])
    for key, ago in {
        "gone": 2000.0,
        "needed": 2000.0,
        "young": 10.0,
        "again": 2000.0,
        "resent": 2000.0,
        "live": None,
    }.items():
        image = await make_image(engine, store, f"acme/images/{key}", ago)
        if key == "needed":
            await statement(engine, "UPDATE items SET image_id = :image WHERE position = 1", {"image": image})
        utime(tmp_path / "store" / "acme" / "images" / key, (1, 1))
    await make_image(engine, store, "acme/images/again", None)
    await store.put("acme/images/resent", b"bytes")
    await remove_images(engine, store)
    assert {found.key.rpartition("/")[2] async for found in store.objects("acme")} == {
        "needed",
        "young",
        "again",
        "resent",
        "live",
    }
    rows = await statement(engine, "SELECT object_key, deleted_at FROM images ORDER BY object_key, id", {})
    assert [(row["object_key"].rpartition("/")[2], row["deleted_at"] is None) for row in rows] == [
        ("again", True),
        ("live", True),
        ("needed", False),
        ("resent", False),
        ("young", False),
    ]
    await ledger.finish([make_done(item) for item in await ledger.lease(batch.items, "w")])
    await remove_images(engine, store)
    assert not await store.exists("acme/images/needed")


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
