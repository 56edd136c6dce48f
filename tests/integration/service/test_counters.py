"""What is counted of tenants agrees with the rows there are, whoever moves them and however many do."""

from __future__ import annotations

import asyncio

from service.ids import new_id
from service.truth import queries
from service.truth.database import AsyncEngine, make_engine, statement
from service.truth.ledger import SqlLedger
from tests.helpers.rows import make_batch, make_done, one

STORED = """
SELECT (SELECT coalesce(sum(source_bytes), 0) FROM items WHERE tenant = :tenant)
     + (SELECT coalesce(sum(bytes), 0) FROM outputs WHERE tenant = :tenant)
     + (SELECT coalesce(sum(bytes), 0) FROM images WHERE tenant = :tenant) AS bytes
"""


async def stored(engine: AsyncEngine, tenant: str) -> int:
    """What the counter says, after a check that it is what there is."""
    counter = await one(engine, "SELECT bytes_stored AS bytes FROM tenant_counters WHERE tenant = :tenant", tenant=tenant)
    assert counter == await one(engine, STORED, tenant=tenant)
    return int(counter["bytes"])


async def test_counters_agree_with_the_rows_whoever_moves_them(database_url: str) -> None:
    engine = make_engine(database_url)
    ledger = SqlLedger(engine, 30.0)
    batch = await make_batch(engine, 3, tenant="acme", variants=2)
    other = await make_batch(engine, 1, tenant="bolt")
    items = await ledger.lease([*batch.items, *other.items], "w")
    assert not (await ledger.finish([make_done(item) for item in items])).fenced
    await ledger.finish([make_done(item) for item in items])  # again: counts nothing twice
    assert (await stored(engine, "acme"), await stored(engine, "bolt")) == (18, 3)
    picture = queries.Picture("0" * 64, 100, "jpeg", 4, 4, "acme/images/0")
    image, new = await queries.keep_image(engine, "acme", new_id(), picture, "a.jpg")
    assert (new, (await queries.keep_image(engine, "acme", new_id(), picture, "a.jpg"))[1]) == (True, False)
    assert await stored(engine, "acme") == 118
    output = (await queries.outputs_page(engine, "acme", batch.id, None, 1))[0]
    assert await queries.remove_output(engine, "acme", output.id)
    assert await stored(engine, "acme") == 115
    await queries.hide_image(engine, "acme", image.id)
    assert await stored(engine, "acme") == 115  # hidden, and its bytes still there
    await statement(engine, "DELETE FROM images WHERE id = :id", {"id": image.id})
    await statement(engine, "DELETE FROM batches WHERE id = :id", {"id": batch.id})  # items and outputs go with it
    assert (await stored(engine, "acme"), await stored(engine, "bolt")) == (0, 3)
    row = await one(engine, "SELECT * FROM usage_days WHERE tenant = 'acme'")
    assert (row["pictures"], row["outputs"], row["pixels"], row["bytes_stored"]) == (3, 6, 3 * 50176, 0)
    await engine.dispose()


async def test_counters_stand_many_writers(database_url: str) -> None:
    engine = make_engine(database_url, pool_size=8)
    await asyncio.gather(
        *(make_batch(engine, 2, tenant=tenant) for _ in range(12) for tenant in ("acme", "bolt", "cork")),
    )
    ledger = SqlLedger(engine, 60.0)
    ids = [row["id"] for row in await statement(engine, "SELECT id FROM items ORDER BY md5(CAST(id AS text))", {})]
    groups = [await ledger.lease(ids[start : start + 6], "w") for start in range(0, len(ids), 6)]
    await asyncio.gather(*(ledger.finish([make_done(item) for item in group]) for group in groups))
    assert [await stored(engine, tenant) for tenant in ("acme", "bolt", "cork")] == [72, 72, 72]
    rows = await statement(engine, "SELECT pictures, outputs FROM usage_days", {})
    assert [(row["pictures"], row["outputs"]) for row in rows] == [(24, 24)] * 3
    await engine.dispose()
