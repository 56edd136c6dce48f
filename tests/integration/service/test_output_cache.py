"""The output cache on a real PostgreSQL: which finished items answer for an item, and which never do."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from batching.items import Item
from benchmarks import measured_system
from benchmarks.measured_system import NotComputed, check_computed
from service.settings import load
from service.truth import batch_moves, queries
from service.truth.database import AsyncEngine, make_engine, statement
from service.truth.ledger import SqlLedger
from service.truth.output_cache import FIND, OutputCache
from tests.helpers.rows import check_books, item_row, make_batch, make_done, make_failed

VERSION = "test"
"""That of `make_done`."""


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    engine = make_engine(database_url, planned_once=True)
    yield engine
    await engine.dispose()


@pytest.fixture
def ledger(engine: AsyncEngine) -> SqlLedger:
    return SqlLedger(engine, 30, cache=OutputCache(engine, days=7))


async def leased(engine: AsyncEngine, ledger: SqlLedger, **fields: Any) -> Item:
    """The only item of a new batch; those of equal fields have equal causes."""
    batch = await make_batch(engine, **fields)
    [item] = await ledger.lease(batch.items, "w1")
    return item


async def finished(engine: AsyncEngine, ledger: SqlLedger, **fields: Any) -> Item:
    item = await leased(engine, ledger, **fields)
    await ledger.finish([make_done(item, labels={"boxes": {"values": [[1.5, 2, 3, 4]]}})])
    return item


async def test_an_equal_item_is_answered_with_every_variant(engine: AsyncEngine, ledger: SqlLedger) -> None:
    first = await finished(engine, ledger, variants=3)
    kept = await ledger.kept(await leased(engine, ledger, variants=3), VERSION)
    assert kept is not None
    assert kept.outputs == make_done(first, labels={"boxes": {"values": [[1.5, 2, 3, 4]]}}).outputs
    assert kept.device == "cpu"


@pytest.mark.parametrize("variants", [1, 2])
async def test_fewer_variants_are_the_first_ones(engine: AsyncEngine, ledger: SqlLedger, variants: int) -> None:
    await finished(engine, ledger, variants=3)
    kept = await ledger.kept(await leased(engine, ledger, variants=variants), VERSION)
    assert kept is not None
    assert [output.variant for output in kept.outputs] == list(range(variants))


@pytest.mark.parametrize(
    "fields",
    [
        {"variants": 3},
        {"seed": 8},
        {"labels": {"boxes": {"values": []}}},
        {"recipe": {"steps": [{"op": "hflip"}], "output": {"format": "png"}}},
        {"tenant": "other"},
    ],
    ids=lambda fields: next(iter(fields)),
)
async def test_what_differs_is_not_answered(engine: AsyncEngine, ledger: SqlLedger, fields: dict[str, Any]) -> None:
    await finished(engine, ledger, variants=2)
    assert await ledger.kept(await leased(engine, ledger, **{"variants": 2, **fields}), VERSION) is None


async def test_another_tenant_gets_nothing_even_by_the_same_digest(engine: AsyncEngine, ledger: SqlLedger) -> None:
    first = await finished(engine, ledger)
    await statement(engine, "UPDATE items SET tenant = 'other' WHERE id = :id", {"id": first.id})
    assert await ledger.kept(await leased(engine, ledger), VERSION) is None


async def test_another_engine_version_is_not_answered(engine: AsyncEngine, ledger: SqlLedger) -> None:
    await finished(engine, ledger)
    item = await leased(engine, ledger)
    assert await ledger.kept(item, "another") is None
    assert await ledger.kept(item, VERSION) is not None


async def test_a_failed_item_answers_for_nothing(engine: AsyncEngine, ledger: SqlLedger) -> None:
    first = await leased(engine, ledger)
    await ledger.finish([make_failed(first)])
    assert (await item_row(engine, first.id))["cache_key"] is None
    assert await ledger.kept(await leased(engine, ledger), VERSION) is None


async def test_a_deleted_batch_or_result_answers_for_nothing(engine: AsyncEngine, ledger: SqlLedger) -> None:
    hidden = await finished(engine, ledger)
    item = await leased(engine, ledger, variants=2)
    assert await batch_moves.hide(engine, "acme", hidden.batch_id)
    assert await ledger.kept(await leased(engine, ledger), VERSION) is None
    holed = await finished(engine, ledger, variants=2)
    assert await ledger.kept(item, VERSION) is not None
    second = (await queries.outputs_of(engine, "acme", [holed.id]))[1]
    assert await queries.remove_output(engine, "acme", second.id)
    assert await ledger.kept(item, VERSION) is None
    assert await ledger.kept(await leased(engine, ledger), VERSION) is not None  # the first variant is there


async def test_a_whole_item_is_found_behind_one_with_a_hole(engine: AsyncEngine, ledger: SqlLedger) -> None:
    whole, holed = await finished(engine, ledger), await finished(engine, ledger)
    assert await queries.remove_output(engine, "acme", (await queries.outputs_of(engine, "acme", [holed.id]))[0].id)
    kept = await ledger.kept(await leased(engine, ledger), VERSION)
    assert kept is not None
    assert kept.outputs[0].object_key.split("/")[4][:36] == str(whole.id)


async def test_results_of_too_many_days_ago_do_not_answer(engine: AsyncEngine, ledger: SqlLedger) -> None:
    await finished(engine, ledger)
    item = await leased(engine, ledger)
    assert await SqlLedger(engine, 30, cache=OutputCache(engine, days=1e-9)).kept(item, VERSION) is None
    assert await ledger.kept(item, VERSION) is not None


async def test_copies_are_said_to_be_copies_and_answer_for_nothing(engine: AsyncEngine, ledger: SqlLedger) -> None:
    first = await finished(engine, ledger, variants=2)
    item = await leased(engine, ledger, variants=2)
    done = replace(make_done(item), cached=True)
    assert not (await ledger.finish([done])).fenced
    await ledger.finish([done])  # as after a lost answer
    row = await item_row(engine, item.id)
    assert (row["state"], row["cache_key"]) == ("succeeded", None)
    outputs = await queries.outputs_of(engine, "acme", [first.id, item.id])
    assert [(output.item_id, output.cached) for output in outputs] == [
        *[(first.id, False)] * 2,
        *[(item.id, True)] * 2,
    ]
    log = await statement(
        engine, "SELECT reason FROM state_log WHERE item_id = :id AND to_state = 'succeeded'", {"id": item.id}
    )
    assert [row["reason"] for row in log] == ["cached"]
    assert await batch_moves.hide(engine, "acme", first.batch_id)
    assert await ledger.kept(await leased(engine, ledger, variants=2), VERSION) is None
    await check_books(engine)


async def test_many_at_once_each_get_their_own(engine: AsyncEngine, ledger: SqlLedger) -> None:
    batch = await make_batch(engine, items=40, variants=2)
    items = await ledger.lease(batch.items, "w1")
    await ledger.finish([make_done(item) for item in items if item.key % 2])
    again = await ledger.lease((await make_batch(engine, items=40, variants=2)).items, "w1")
    found = await asyncio.gather(*(ledger.kept(item, VERSION) for item in again))
    by_key = {item.key: item for item in items}
    for item, kept in zip(again, found, strict=True):
        assert (kept.outputs if kept else None) == (make_done(by_key[item.key]).outputs if item.key % 2 else None)


async def test_without_a_cache_nothing_is_written_for_it(engine: AsyncEngine, ledger: SqlLedger) -> None:
    off = SqlLedger(engine, 30)
    first = await finished(engine, off)
    assert (await item_row(engine, first.id))["cache_key"] is None
    item = await leased(engine, off)
    assert await off.kept(item, VERSION) is None
    assert await ledger.kept(item, VERSION) is None


async def test_it_looks_into_an_index_of_each_day_in_question(engine: AsyncEngine, ledger: SqlLedger) -> None:
    low = (await make_batch(engine)).id
    asked = {"tenants": ["acme"], "keys": ["00" * 32], "variants": [1]}
    values = {**asked, "low": low, "high": UUID(int=low.int + (60_000 << 80))}
    plan = "\n".join(
        row["QUERY PLAN"] for row in await statement(engine, f"EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) {FIND}", values)
    )
    looked = [line for line in plan.splitlines() if " on items_" in line and "never executed" not in line]
    assert looked
    assert all("cache_key" in line for line in looked), plan
    assert len(looked) <= 2, plan  # today's partition, and the default one


async def test_a_benchmark_says_where_results_may_have_been_copies(
    engine: AsyncEngine, ledger: SqlLedger, database_url: str
) -> None:
    await finished(engine, SqlLedger(engine, 30))
    await check_computed(database_url)
    await finished(engine, ledger)
    with pytest.raises(NotComputed):
        await check_computed(database_url)
    await statement(engine, "UPDATE items SET cache_key = NULL", {})
    await check_computed(database_url)
    await statement(engine, "UPDATE batches SET use_cache = true", {})
    with pytest.raises(NotComputed):
        await check_computed(database_url)


def test_every_benchmark_of_a_system_has_it_off() -> None:
    folder = Path(measured_system.__file__).parent
    sources = {path: path.read_text() for path in folder.rglob("*.py") if path.name != "measured_system.py"}
    assert sum("with measured_system" in text or "measured_system(" in text for text in sources.values()) >= 5
    for path, text in sources.items():
        assert not re.search(r"\bown_system\(|import own_system|\bup\(", text), path
        assert "Settings(" not in text or "output_cache=False" in text, path
    assert load(measured_system.COMPUTES).output_cache is False
