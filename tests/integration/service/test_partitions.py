"""Items and outputs lie in the partition of their batch's day, and statements touch no other."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine, text

from service.ids import new_id
from service.truth import ledger, queries, replays
from service.truth.database import AsyncEngine, make_engine, normalised, statement
from service.truth.ledger import SqlLedger
from service.truth.migrations import migrate, scripts
from service.truth.partitions import EVERYTHING, bounds, bounds_of, drop_empty, first_id, make_ahead, name_of
from tests.helpers.rows import BatchRows, check_books, make_batch, make_done, one

Row = dict[str, Any]


def today() -> date:
    return datetime.now(UTC).date()


async def finished(engine: AsyncEngine, items: int = 2, at: UUID | None = None) -> BatchRows:
    """A finished batch, made at the time of the id `at`."""
    batch = await make_batch(engine, items=items, like=at)
    store = SqlLedger(engine, 30)
    await store.finish([make_done(item) for item in await store.lease(batch.items, "w")])
    return batch


async def places(engine: AsyncEngine, table: str) -> set[str]:
    rows = await statement(engine, f"SELECT DISTINCT CAST(tableoid AS regclass)::text AS name FROM {table}", {})
    return {row["name"] for row in rows}


async def touched(engine: AsyncEngine, sql: str, values: Row) -> set[str]:
    """The partitions that a statement really looks into."""
    names: set[str] = set()

    def walk(node: Row) -> None:
        if node.get("Actual Loops", 1) and node.get("Relation Name", "").startswith(("items_", "outputs_")):
            names.add(node["Relation Name"])
        for below in node.get("Plans", ()):
            walk(below)

    async with engine.connect() as connection:
        await connection.execution_options(isolation_level="READ COMMITTED")
        result = await connection.execute(text(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}"), values)
        plan = result.scalar_one()
        await connection.rollback()
    walk((json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"])
    return names


async def test_rows_lie_in_the_partition_of_their_batch(engine: AsyncEngine) -> None:
    await finished(engine)
    tomorrow = today() + timedelta(days=1)
    await finished(engine, at=UUID(int=first_id(tomorrow).int + (123 << 80)))
    for table in ("items", "outputs"):
        assert await places(engine, table) == {name_of(table, today()), name_of(table, tomorrow)}
    await check_books(engine)


async def test_hot_statements_touch_only_the_partitions_of_their_rows(engine: AsyncEngine) -> None:
    for ago in range(1, 20):
        await make_ahead(engine, today() - timedelta(days=ago), 0)
        await finished(engine, items=1, at=first_id(today() - timedelta(days=ago)))
    batch = await make_batch(engine, items=20)
    ours = {name_of("items", today()), name_of("outputs", today())}
    values: Row = {"ids": list(batch.items), "worker": "w", "token": 1 << 60, "lease_s": 30.0, **bounds(batch.items)}
    assert await touched(engine, ledger.LEASE, values) == {name_of("items", today())}
    store = SqlLedger(engine, 30)
    done = [make_done(item) for item in await store.lease(batch.items, "w")]
    sent: list[Row] = []
    real = ledger.statement

    async def kept(engine: AsyncEngine, sql: str, values: Row) -> Any:
        sent.append(values)
        return await real(engine, sql, values)

    ledger.statement = kept  # type: ignore[assignment]  # to see the very values that a finish is sent with
    try:
        await store.finish(done[:1])
    finally:
        ledger.statement = real
    assert await touched(engine, ledger.FINISH, sent[0]) <= ours
    await store.finish(done)
    columns = queries.OUTPUT_COLUMNS
    page = f"""SELECT {columns} FROM outputs o {queries.OF_ITEM} JOIN batches b ON b.id = o.batch_id
               WHERE o.batch_id = :batch AND {queries.WITHIN} ORDER BY o.item_id, o.variant LIMIT 100"""
    assert await touched(engine, page, {"batch": batch.id, **bounds_of(batch.id)}) <= ours | {
        name_of(table, today() + timedelta(days=1)) for table in ("items", "outputs")
    }
    everywhere = await touched(engine, page, {"batch": batch.id, **EVERYTHING})
    assert len(everywhere) > 19


async def test_a_group_of_a_large_batch_reads_its_own_rows_alone(database_url: str) -> None:
    """Planned once, before there is any row: what is read must not grow with the batch that the group is of."""
    engine = make_engine(database_url, pool_size=1, overflow=0, planned_once=True)
    try:
        store = SqlLedger(engine, 30)
        before = await make_batch(engine, items=8)
        await store.finish([make_done(item) for item in await store.lease(before.items, "w")])
        batch = await make_batch(engine, items=2000)
        first = await index_entries_read(engine)
        group = batch.items[::250]
        await store.finish([make_done(item) for item in await store.lease(group, "w")])
        assert await index_entries_read(engine) - first < 100 * len(group)
    finally:
        await engine.dispose()


async def index_entries_read(engine: AsyncEngine) -> int:
    await statement(engine, "SELECT pg_stat_force_next_flush()", {})
    sql = "SELECT CAST(sum(idx_tup_read) AS bigint) AS read FROM pg_stat_user_indexes WHERE relname LIKE 'items%'"
    return int((await statement(engine, sql, {}))[0]["read"])


async def test_a_day_without_a_partition_fails_nothing(engine: AsyncEngine) -> None:
    """The reconciler was away for weeks: rows go to the default partition, and are found there like any others."""
    far = today() + timedelta(days=40)
    batch = await finished(engine, items=3, at=first_id(far))
    assert await places(engine, "items") == {"items_default"}
    page = await queries.outputs_page(engine, "acme", batch.id, None, 10)
    assert len(page) == 3
    assert [item.state for item in await queries.items(engine, "acme", batch.id, None, -1, 10)] == ["succeeded"] * 3
    found = await queries.output(engine, "acme", page[0].id)
    assert found is not None
    assert (await replays.origin(engine, "acme", page[0].id)) is not None
    # the partition comes too late for this day, and in time for the next
    assert await make_ahead(engine, far, 1) == 2
    await finished(engine, at=first_id(far + timedelta(days=1)))
    assert await places(engine, "items") == {"items_default", name_of("items", far + timedelta(days=1))}
    assert await queries.remove_output(engine, "acme", page[0].id) == page[0].object_key
    assert await queries.output(engine, "acme", page[0].id) is None


async def test_partitions_are_made_once_whoever_makes_them(engine: AsyncEngine) -> None:
    day = today() + timedelta(days=100)
    made = await asyncio.gather(*(make_ahead(engine, day, 2) for _ in range(2)))
    assert sum(made) >= 6
    assert await make_ahead(engine, day, 2) == 0
    await finished(engine, at=first_id(day))
    assert await places(engine, "outputs") == {name_of("outputs", day)}


async def test_empty_days_are_dropped_and_others_stay(engine: AsyncEngine) -> None:
    days = [today() - timedelta(days=ago) for ago in (5, 4, 3)]
    for day in days:
        await make_ahead(engine, day, 0)
    kept = await finished(engine, at=first_id(days[1]))
    assert await drop_empty(engine, today() - timedelta(days=3)) == 2
    there = {
        row["name"] for row in await statement(engine, "SELECT relname AS name FROM pg_class WHERE relispartition", {})
    }
    assert name_of("items", days[0]) not in there
    assert {name_of("items", days[1]), name_of("outputs", days[1]), name_of("items", days[2]), "items_default"} <= there
    assert len(await queries.outputs_page(engine, "acme", kept.id, None, 10)) == 2


async def test_a_database_of_before_keeps_its_rows(database_url: str) -> None:
    """Ids of items were then made after that of their batch, and ids of outputs when they were written."""
    libpq = normalised(database_url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(libpq, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    blocking = create_engine(normalised(database_url))
    with blocking.begin() as connection_before:
        directory = scripts()
        context = MigrationContext.configure(
            connection_before, opts={"script": directory, "fn": lambda now, _: directory._upgrade_revs("0004", now)}
        )
        context.run_migrations(op=Operations(context))
    batch, item, output = new_id(), new_id(), new_id()
    output = UUID(int=output.int + (9 * 86_400_000 << 80))
    with psycopg.connect(libpq, autocommit=True) as connection:
        connection.execute(
            """INSERT INTO batches (id, tenant, priority, recipe, recipe_digest, seed, variants, total)
               VALUES (%s, 'acme', 'bulk', '{}', 'd', 1, 1, 1)""",
            (batch,),
        )
        connection.execute(
            """INSERT INTO items (id, tenant, batch_id, day, position, custom_id, name, item_key, priority, cost_pixels)
               VALUES (%s, 'acme', %s, '2026-01-01', 0, 'a', 'a', 'k', 'bulk', 1)""",
            (item, batch),
        )
        connection.execute(
            """INSERT INTO outputs (id, tenant, batch_id, item_id, variant, object_key, width, height, bytes, sha256,
                                    format, draws, device, engine_version, token)
               VALUES (%s, 'acme', %s, %s, 0, 'k', 1, 1, 1, 's', 'png', '[]', 'cpu', 'e', 1)""",
            (output, batch, item),
        )
    blocking.dispose()
    migrate(database_url)
    engine = make_engine(database_url)
    assert await places(engine, "items") == {name_of("items", today())}
    assert [row.id for row in await queries.items(engine, "acme", batch, None, -1, 10)] == [item]
    assert [row.id for row in await queries.outputs_page(engine, "acme", batch, None, 10)] == [output]
    found = await queries.output(engine, "acme", output)
    assert found is not None
    assert found.item_id == item
    assert (await one(engine, "SELECT count(*) AS n FROM outputs"))["n"] == 1
    await engine.dispose()
