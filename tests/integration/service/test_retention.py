"""What is older than it is kept goes, whole; bytes that no row needs go, and nothing that a row may still come to need."""

from __future__ import annotations

import os
import time
from pathlib import Path
from uuid import UUID

import pytest
from redis.asyncio import Redis

from batching.lanes import Lanes
from service.ids import new_id
from service.object_keys import Owner, needed
from service.repair import retention
from service.repair.orphans import Orphans, remove_orphans
from service.repair.reconciler import Keep, Reconciler, budgets
from service.settings import Settings
from service.store import ObjectStore
from service.truth.database import AsyncEngine, statement
from service.truth.ledger import SqlLedger
from tests.helpers.repairs import KEPT_S, count, keys, passes
from tests.helpers.rows import BatchRows, make_batch, make_done, now, one

DAY_S = 86_400
SHA = "ab" + "0" * 62


@pytest.fixture
def reconciler(engine: AsyncEngine, redis_client: Redis, store: ObjectStore) -> Reconciler:
    keep = Keep(batches_days=2, images_days=2, orphan_s=KEPT_S)
    return Reconciler(engine, Lanes(redis_client), store, 30.0, 1000, budgets(Settings()), keep)


async def finished(engine: AsyncEngine, store: ObjectStore, days_ago: float, items: int = 1) -> BatchRows:
    """A batch that ended so long ago, with its pictures and results in the store."""
    batch = await make_batch(engine, items=items)
    ledger = SqlLedger(engine, 30)
    done = [make_done(item) for item in await ledger.lease(batch.items, "w")]
    for outcome in done:
        for output in outcome.outputs:
            await store.put(output.object_key, b"abc")
    await ledger.finish(done)
    source = Owner("acme", "sources", batch.id).key(SHA)
    await store.put(source, b"picture")
    values = {"id": batch.id, "source": source, "ago": days_ago * DAY_S}
    await statement(
        engine, "UPDATE items SET source_key = :source WHERE batch_id = :id", {"id": batch.id, "source": source}
    )
    await statement(
        engine,
        """UPDATE batches SET created_at = now() - make_interval(secs => :ago),
                              finished_at = now() - make_interval(secs => :ago)
           WHERE id = :id""",
        {name: values[name] for name in ("id", "ago")},
    )
    await statement(
        engine,
        """INSERT INTO idempotency (tenant, key, fingerprint, batch_id, created_at)
           VALUES ('acme', CAST(:id AS text), 'f', :id, now() - make_interval(secs => :ago))""",
        {name: values[name] for name in ("id", "ago")},
    )
    return batch


async def image(engine: AsyncEngine, store: ObjectStore, days_ago: float) -> UUID:
    identity = new_id()
    key = Owner("acme", "images", identity).key(SHA)
    await store.put(key, b"picture")
    await statement(
        engine,
        """INSERT INTO images (id, tenant, sha256, bytes, format, width, height, object_key, created_at)
           VALUES (:id, 'acme', md5(CAST(:id AS text)), 5, 'jpeg', 1, 1, :key, now() - make_interval(secs => :ago))""",
        {"id": identity, "key": key, "ago": days_ago * DAY_S},
    )
    return identity


def aged(store_folder: Path, seconds: float) -> None:
    """Makes every object look as if it had been put that much earlier."""
    for path in store_folder.rglob("*"):
        if path.is_file():
            os.utime(path, (time.time() - seconds,) * 2)


async def test_batches_go_whole_days_after_their_end(
    engine: AsyncEngine, store: ObjectStore, reconciler: Reconciler
) -> None:
    old, young = await finished(engine, store, days_ago=9, items=3), await finished(engine, store, days_ago=1)
    running = await make_batch(engine)
    await statement(engine, "UPDATE batches SET created_at = now() - interval '9 days' WHERE id = :id", {"id": running.id})
    before = await keys(store)
    await passes(reconciler)
    assert await retention.Keys(engine).step() == (1, False)
    left = {row["id"] for row in await statement(engine, "SELECT id FROM batches", {})}
    assert left == {young.id, running.id}
    for table in ("items", "outputs", "state_log", "idempotency"):
        batches = {row["batch_id"] for row in await statement(engine, f"SELECT batch_id FROM {table}", {})}
        assert old.id not in batches, table
        assert young.id in batches, table
    gone = before - await keys(store)
    assert len(gone) == 4
    assert all(str(old.id) in key or any(str(item) in key for item in old.items) for key in gone)


async def test_a_batch_that_is_retried_meanwhile_stays(engine: AsyncEngine, store: ObjectStore) -> None:
    batch = await finished(engine, store, days_ago=9)
    await statement(engine, "UPDATE batches SET state = 'running', finished_at = NULL WHERE id = :id", {"id": batch.id})
    assert await retention.hide_batches(engine, 2) == 0


async def test_a_key_of_a_deleted_batch_is_known_for_a_week(engine: AsyncEngine, store: ObjectStore) -> None:
    for ago in (1, 8):
        batch = await finished(engine, store, days_ago=ago)
        await statement(engine, "DELETE FROM batches WHERE id = :id", {"id": batch.id})
    kept = await finished(engine, store, days_ago=20)
    assert await retention.Keys(engine).step() == (1, False)
    ages = await statement(engine, "SELECT batch_id, created_at FROM idempotency ORDER BY created_at", {})
    assert len(ages) == 2
    assert ages[0]["batch_id"] == kept.id
    assert (now() - ages[1]["created_at"]).days == 1


async def make_keys(engine: AsyncEngine, days_ago: float, count: int, batch_id: UUID | None = None) -> None:
    """Keys that were all used at that moment, of one batch or, without, of batches that are gone."""
    await statement(
        engine,
        """INSERT INTO idempotency (tenant, key, fingerprint, batch_id, created_at)
           SELECT 'acme', CAST(gen_random_uuid() AS text), 'f', coalesce(CAST(:id AS uuid), gen_random_uuid()),
                  now() - make_interval(secs => :ago)
           FROM generate_series(1, CAST(:count AS int))""",
        {"id": batch_id, "ago": days_ago * DAY_S, "count": count},
    )


@pytest.mark.parametrize("days_ago", [8, 57, 90, 400])
async def test_a_key_goes_however_late_its_batch_went(engine: AsyncEngine, days_ago: float) -> None:
    await make_keys(engine, days_ago, 1)
    await make_keys(engine, days_ago, 1, (await make_batch(engine)).id)
    assert await retention.Keys(engine).step() == (1, False)
    assert await count(engine, "idempotency") == 1


async def test_keys_that_stay_do_not_hide_those_behind_them(engine: AsyncEngine) -> None:
    """A page of keys of one moment that stay, and one more; then those of the next walk."""
    there = (await make_batch(engine)).id
    await make_keys(engine, 400, retention.PAGE + 1, there)
    await make_keys(engine, 90, 2)
    walk = retention.Keys(engine)
    assert await walk.step() == (0, True)
    assert await walk.step() == (2, False)
    await make_keys(engine, 500, 1)
    assert await walk.step() == (1, True)
    assert await walk.step() == (0, False)
    assert await count(engine, "idempotency") == retention.PAGE + 1


async def test_the_reconciler_walks_all_keys(engine: AsyncEngine, reconciler: Reconciler) -> None:
    await make_keys(engine, 400, retention.PAGE + 1, (await make_batch(engine)).id)
    await make_keys(engine, 60, 3)
    await passes(reconciler)
    assert reconciler.repaired["retired_keys"] == 3
    assert await count(engine, "idempotency") == retention.PAGE + 1


async def test_images_go_days_after_their_last_use(
    engine: AsyncEngine, store: ObjectStore, reconciler: Reconciler, tmp_path: Path
) -> None:
    unused, used, waited_for, young = [await image(engine, store, days) for days in (3, 3, 3, 1)]
    recent = await finished(engine, store, days_ago=1)
    long_ago = await finished(engine, store, days_ago=1.9)
    open_batch = await make_batch(engine)
    await statement(
        engine, "UPDATE batches SET created_at = now() - interval '9 days' WHERE id = :id", {"id": open_batch.id}
    )
    await statement(engine, "UPDATE batches SET created_at = now() - interval '9 days' WHERE id = :id", {"id": long_ago.id})
    for batch, identity in ((recent, used), (open_batch, waited_for), (long_ago, unused)):
        await statement(
            engine, "UPDATE items SET image_id = :image WHERE batch_id = :id", {"image": identity, "id": batch.id}
        )
    walk = retention.Images(engine, days=2)
    assert await walk.step() == (1, False)
    rows = await statement(engine, "SELECT id FROM images WHERE deleted_at IS NULL", {})
    assert {row["id"] for row in rows} == {used, waited_for, young}
    await statement(engine, "UPDATE images SET deleted_at = deleted_at - interval '1 hour'", {})
    aged(tmp_path / "store", 2000)
    await passes(reconciler)
    assert await count(engine, "images") == 3
    assert not any(str(unused) in key for key in await keys(store))


async def test_objects_without_a_row_go_and_what_may_get_one_stays(
    engine: AsyncEngine, store: ObjectStore, tmp_path: Path
) -> None:
    batch = await finished(engine, store, days_ago=0)
    kept_image = await image(engine, store, days_ago=0)
    kept = await keys(store)
    leased = await make_batch(engine)
    [held] = await SqlLedger(engine, 30).lease(leased.items, "w")
    [in_flight] = make_done(held).outputs
    await store.put(in_flight.object_key, b"not yet written")
    await store.put("_other/thing", b"none of ours")
    never = Owner("acme", "sources", new_id()).key(SHA), Owner("acme", "images", new_id()).key(SHA)
    fenced = f"acme/outputs/2026-01-02/ab/{batch.items[0]}-0-999999999"
    for key in (*never, fenced):
        await store.put(key, b"nobody's")
    everything = await keys(store)

    young = Orphans(engine, store, KEPT_S)
    while await young.step():
        assert young.removed == 0
    assert await keys(store) == everything

    aged(tmp_path / "store", 2 * KEPT_S)
    page = [found async for found in store.objects("acme")]
    assert await remove_orphans(engine, store, page, now()) == 3
    assert await keys(store) == kept | {in_flight.object_key}
    assert any(str(kept_image) in key for key in kept)
    assert await store.exists("_other/thing")


async def test_what_killed_processes_were_writing_goes_when_it_is_old(
    engine: AsyncEngine, store: ObjectStore, tmp_path: Path
) -> None:
    batch = await finished(engine, store, days_ago=0)
    whole = await keys(store)
    folder = tmp_path / "store"
    beside = folder / f"{min(key for key in whole if str(batch.items[0]) in key)}#71000003"
    alone, probe = folder / "acme/outputs/2026-01-03/x/0/5#1000001", folder / "_ready/probe#77000000"
    for file in (beside, alone, probe):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"half of")
    no_mark = alone.with_name("5#now")
    no_mark.write_bytes(b"whole")
    young = Orphans(engine, store, KEPT_S)
    while await young.step():
        assert young.removed == 0
    assert all(file.exists() for file in (beside, alone, probe))

    aged(folder, 2 * KEPT_S)
    alone.touch()
    await statement(engine, "DELETE FROM sweeps", {})
    old, removed = Orphans(engine, store, KEPT_S), 0
    while await old.step():
        removed += old.removed
    assert removed + old.removed == 2
    assert [file.exists() for file in (beside, alone, probe, no_mark)] == [False, True, False, True]
    assert await keys(store) >= whole

    aged(folder, 2 * KEPT_S)
    no_mark.unlink()
    await statement(engine, "DELETE FROM sweeps", {})
    last = Orphans(engine, store, KEPT_S)
    while await last.step():
        pass
    assert not (folder / "acme/outputs/2026-01-03").exists()
    assert await keys(store) >= whole


async def test_an_upload_under_way_is_never_collected(engine: AsyncEngine, store: ObjectStore, tmp_path: Path) -> None:
    """Its bytes are young; and what is written between the listing and the look at the rows is seen by the look."""
    batch_id = new_id()
    key = Owner("acme", "sources", batch_id).key(SHA)
    await store.put(key, b"picture")
    listed = [found async for found in store.objects("acme")]
    assert await remove_orphans(engine, store, listed, listed[0].modified_at) == 0
    aged(tmp_path / "store", 2 * KEPT_S)
    [old] = [found async for found in store.objects("acme")]
    batch = await make_batch(engine)
    await statement(engine, "ALTER TABLE items DISABLE TRIGGER ALL", {})
    await statement(engine, "ALTER TABLE batches DISABLE TRIGGER ALL", {})
    await statement(engine, "UPDATE batches SET id = :new WHERE id = :id", {"new": batch_id, "id": batch.id})
    assert await remove_orphans(engine, store, [old], now()) == 0
    assert await store.exists(key)


async def test_a_sweep_goes_on_where_the_last_process_was(engine: AsyncEngine, store: ObjectStore, tmp_path: Path) -> None:
    for tenant in ("a", "b", "c"):
        for day in ("2026-01-01", "2026-01-02"):
            await store.put(f"{tenant}/outputs/{day}/ab/{new_id()}-0-1", b"nobody's")
    aged(tmp_path / "store", 2 * KEPT_S)
    first = Orphans(engine, store, KEPT_S)
    for _ in range(3):
        assert await first.step()
        assert first.removed == 1
    # it had begun with the third day of the six, and written down that two are done
    assert (await one(engine, "SELECT position FROM sweeps"))["position"] == "a/outputs/2026-01-02"
    await store.put(f"a/outputs/2026-01-01/ab/{new_id()}-0-1", b"nobody's")
    aged(tmp_path / "store", 2 * KEPT_S)
    second = Orphans(engine, store, KEPT_S)
    removed = 0
    while await second.step():
        removed += second.removed
    assert removed == 3
    assert len([found async for found in store.objects("a")]) == 1
    assert (await one(engine, "SELECT position, ended_at FROM sweeps"))["position"] == ""
    # the next one is not due yet, for any process
    assert not await Orphans(engine, store, KEPT_S).step()
    await statement(engine, "UPDATE sweeps SET ended_at = ended_at - interval '1 hour'", {})
    third = Orphans(engine, store, KEPT_S)
    assert await third.step()
    assert third.removed == 1


def test_keys_say_who_needs_them() -> None:
    identity = new_id()
    assert needed(Owner("acme", "sources", identity).key(SHA)) is not None
    for key in ("_ready/probe", "acme/images/ab/abcdef", "acme/outputs/x", f"acme/sources/2026-01-01/ab/{SHA}", "", "a/b"):
        assert needed(key) is None, key
    found = needed(f"some/tenant/outputs/2026-01-01/ab/{identity}-3-77")
    assert found is not None
    assert (found.kind, found.id, found.token) == ("outputs", identity, 77)
