"""What was deleted is removed, bytes and rows, when nobody needs it any more."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import pytest

from batching.lanes import Lanes
from service.ids import new_id
from service.repair.reconciler import Reconciler, budgets
from service.settings import Settings
from service.store import ObjectStore
from service.truth.database import AsyncEngine, statement
from service.truth.ledger import SqlLedger
from tests.helpers.rows import make_batch, make_done, one


@pytest.fixture
def reconciler(engine: AsyncEngine, lanes: Lanes, store: ObjectStore) -> Reconciler:
    return Reconciler(engine, lanes, store, lease_s=30.0, lane_window=1000, budgets=budgets(Settings()))


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
