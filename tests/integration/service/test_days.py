"""Days that retention has hidden go whole: objects by prefix, rows by dropping partitions, and on after a kill."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from redis.asyncio import Redis

from batching.lanes import Lanes
from service.ids import new_id
from service.repair import days, retention
from service.repair.days import Days
from service.repair.reconciler import Keep, Reconciler, budgets
from service.settings import Settings
from service.store import ObjectStore
from service.truth.database import AsyncEngine, fetch, statement, transaction
from service.truth.ledger import SqlLedger
from service.truth.partitions import PARTITIONED, first_id, make_ahead, name_of
from tests.helpers.repairs import KEPT_S, count, keys, passes
from tests.helpers.rows import BatchRows, check_books, make_batch, make_done, one

OLD = 12
"""Days ago."""


@pytest.fixture
def reconciler(engine: AsyncEngine, redis_client: Redis, store: ObjectStore) -> Reconciler:
    keep = Keep(batches_days=2, images_days=2, orphan_s=KEPT_S)
    return Reconciler(engine, Lanes(redis_client), store, 30.0, 1000, budgets(Settings()), keep)


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
