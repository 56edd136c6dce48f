"""What is older than it is kept goes, whole; bytes that no row needs go, and nothing that a row may still come to need."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from redis.asyncio import Redis

from batching.lanes import Lanes
from service.ids import new_id
from service.object_keys import Owner, needed
from service.repair import days, retention
from service.repair.days import Days
from service.repair.orphans import Orphans, remove_orphans
from service.repair.reconciler import Keep, Reconciler, budgets
from service.settings import Settings
from service.store import ObjectStore, local_store
from service.truth.database import AsyncEngine, fetch, make_engine, statement, transaction
from service.truth.ledger import SqlLedger
from service.truth.partitions import PARTITIONED, first_id, make_ahead, name_of
from tests.helpers.rows import BatchRows, check_books, make_batch, make_done, now, one

DAY_S = 86_400
KEPT_S = 3600.0
SHA = "ab" + "0" * 62


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    engine = make_engine(database_url)
    yield engine
    await engine.dispose()


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return local_store(tmp_path / "store")


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


async def keys(store: ObjectStore) -> set[str]:
    return {found.key async for found in store.objects("acme")}


async def count(engine: AsyncEngine, table: str) -> int:
    return int((await one(engine, f"SELECT count(*) AS n FROM {table}"))["n"])


async def passes(reconciler: Reconciler) -> None:
    while await reconciler.repair():
        pass
    await reconciler.repair()


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
    assert await retention.forget_keys(engine) == 1
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
    assert await retention.forget_keys(engine) == 1
    ages = await statement(engine, "SELECT batch_id, created_at FROM idempotency ORDER BY created_at", {})
    assert len(ages) == 2
    assert ages[0]["batch_id"] == kept.id
    assert (now() - ages[1]["created_at"]).days == 1


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


OLD = 12
"""Days ago."""


def day_ago(days: int) -> date:
    return datetime.now(UTC).date() - timedelta(days=days)


async def of_day(engine: AsyncEngine, store: ObjectStore, day: date, tenant: str = "acme") -> BatchRows:
    """A batch that was made and ended on that day, of two pictures of 5 bytes, each with a result of 3."""
    batch = await make_batch(engine, items=2, tenant=tenant, like=UUID(int=first_id(day).int + (1 << 100)))
    await statement(
        engine,
        """UPDATE items SET day = CAST(:day AS text), source_bytes = 5,
                            source_key = concat(tenant, '/sources/', CAST(:day AS text), '/ab/', batch_id, '-', position)
           WHERE batch_id = :id""",
        {"id": batch.id, "day": day.isoformat()},
    )
    await statement(engine, "SELECT meter(:tenant, 0, 0, 0, 10)", {"tenant": tenant})
    ledger = SqlLedger(engine, 30)
    await ledger.finish([make_done(item) for item in await ledger.lease(batch.items, "w")])
    await statement(
        engine,
        "UPDATE batches SET created_at = :at, finished_at = :at WHERE id = :id",
        {"id": batch.id, "at": datetime(day.year, day.month, day.day, 12, tzinfo=UTC)},
    )
    rows = await statement(
        engine,
        """SELECT object_key AS key FROM outputs WHERE batch_id = :id
           UNION ALL SELECT source_key FROM items WHERE batch_id = :id""",
        {"id": batch.id},
    )
    for row in rows:
        await store.put(row["key"], b"abc")
    return batch


async def there(engine: AsyncEngine, day: date) -> set[str]:
    rows = await statement(engine, "SELECT relname AS name FROM pg_class WHERE relispartition", {})
    return {row["name"] for row in rows} & {name_of(table, day) for table in PARTITIONED}


async def stored(engine: AsyncEngine) -> tuple[dict[str, int], dict[str, int]]:
    """Bytes of each tenant as they are counted, and as its rows say."""
    counted = await statement(engine, "SELECT tenant, bytes_stored AS bytes FROM tenant_counters", {})
    rows = await statement(
        engine,
        """SELECT tenant, sum(bytes) AS bytes FROM (
             SELECT tenant, source_bytes AS bytes FROM items UNION ALL SELECT tenant, bytes FROM outputs
             UNION ALL SELECT tenant, bytes FROM images) AS kept GROUP BY tenant""",
        {},
    )
    return {row["tenant"]: row["bytes"] for row in counted if row["bytes"]}, {
        row["tenant"]: int(row["bytes"]) for row in rows
    }


async def steps(walk: Days) -> Counter[str]:
    removed: Counter[str] = Counter()
    more = True
    while more:
        found, more = await walk.step()
        removed += found
    return removed


async def test_a_day_goes_whole_with_its_partitions_and_prefixes(
    engine: AsyncEngine, store: ObjectStore, reconciler: Reconciler
) -> None:
    day, young = day_ago(OLD), day_ago(1)
    await make_ahead(engine, day, 0)
    await make_ahead(engine, young, 0)
    for tenant in ("acme", "others"):
        for _ in range(2):
            await of_day(engine, store, day, tenant)
    deleted = await of_day(engine, store, day, "gone")
    await statement(engine, "UPDATE batches SET deleted_at = now() WHERE id = :id", {"id": deleted.id})
    kept = await of_day(engine, store, young)
    await store.put(f"acme/images/{day.isoformat()}/ab/{new_id()}-x", b"a picture that was uploaded")
    await passes(reconciler)
    assert reconciler.repaired["dropped_partitions"] >= 2
    assert await there(engine, day) == set()
    assert len(await there(engine, young)) == 2
    for table, column in (("batches", "id"), ("items", "batch_id"), ("outputs", "batch_id"), ("state_log", "batch_id")):
        rows = await statement(engine, f"SELECT DISTINCT {column} AS batch FROM {table}", {})
        assert {row["batch"] for row in rows} == {kept.id}, table
    left = await keys(store)
    assert len(left) == 5
    assert all("/images/" in key or f"/{young.isoformat()}/" in key for key in left)
    assert [found.key async for found in store.objects("others")] == []
    counted, by_rows = await stored(engine)
    assert counted == by_rows == {"acme": 2 * (5 + 3)}
    await check_books(engine)


async def test_a_day_of_which_something_is_wanted_waits_and_then_goes_row_by_row(
    engine: AsyncEngine, store: ObjectStore, reconciler: Reconciler
) -> None:
    day = day_ago(OLD)
    await make_ahead(engine, day, 0)
    over = await of_day(engine, store, day)
    retried = await of_day(engine, store, day)
    await statement(engine, "UPDATE batches SET finished_at = now() WHERE id = :id", {"id": retried.id})
    await passes(reconciler)
    assert len(await there(engine, day)) == 2
    assert await count(engine, "outputs") == 4, "it waits for the rest of its day"
    assert (await one(engine, "SELECT retired FROM batches WHERE deleted_at IS NOT NULL"))["retired"]
    await statement(engine, "UPDATE batches SET deleted_at = now() - interval '3 days' WHERE id = :id", {"id": over.id})
    reconciler = replace(reconciler)
    await passes(reconciler)
    assert {row["batch_id"] for row in await statement(engine, "SELECT batch_id FROM outputs", {})} == {retried.id}
    assert {row["id"] for row in await statement(engine, "SELECT id FROM batches", {})} == {retried.id}
    assert len(await keys(store)) == 4
    counted, by_rows = await stored(engine)
    assert counted == by_rows
    await check_books(engine)


class Killed(Exception):
    """The process ends here."""


@pytest.mark.parametrize("after", ["a page of objects", "all objects", "the partitions", "a page of the log"])
async def test_a_day_is_gone_on_with_by_the_next_process(
    engine: AsyncEngine, store: ObjectStore, after: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = day_ago(OLD)
    await make_ahead(engine, day, 0)
    for tenant in ("acme", "others"):
        await of_day(engine, store, day, tenant)
    await retention.hide_batches(engine, 2)
    first = Days(engine, store, KEPT_S)
    with monkeypatch.context() as patch:
        if after == "a page of objects":
            patch.setattr(days, "PAGES_A_STEP", 1)
            await first.step()
        elif after == "all objects":

            async def killed(*_: object) -> None:
                raise Killed

            patch.setattr(days, "drop_day", killed)
            with pytest.raises(Killed):
                await first.step()
        else:
            await first.step()
            if after == "a page of the log":
                patch.setattr(days, "LOG_PAGE", 1)
                await first.step()
    await steps(Days(engine, store, KEPT_S))
    assert await there(engine, day) == set()
    for table in ("batches", "items", "outputs", "state_log"):
        assert await count(engine, table) == 0, table
    assert await keys(store) == set()
    assert await stored(engine) == ({}, {})


async def test_a_day_that_never_had_partitions_goes_row_by_row(
    engine: AsyncEngine, store: ObjectStore, reconciler: Reconciler
) -> None:
    await of_day(engine, store, day_ago(OLD))
    await passes(reconciler)
    for table in ("batches", "items", "outputs", "state_log"):
        assert await count(engine, table) == 0, table
    assert await keys(store) == set()
    assert await stored(engine) == ({}, {})


async def test_a_table_that_is_in_use_is_dropped_another_time(engine: AsyncEngine, store: ObjectStore) -> None:
    day = day_ago(OLD)
    await make_ahead(engine, day, 0)
    await of_day(engine, store, day)
    await retention.hide_batches(engine, 2)
    async with transaction(engine) as reader:
        await fetch(reader, f"SELECT count(*) FROM {name_of('items', day)}", {})
        assert (await steps(Days(engine, store, KEPT_S)))["dropped_partitions"] == 0
        assert len(await there(engine, day)) == 2
    assert (await steps(Days(engine, store, KEPT_S)))["dropped_partitions"] == 2
    assert await count(engine, "batches") == 0
