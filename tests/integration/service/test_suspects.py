"""Items whose worker died run again with few others, until they are given up; a fleet that dies charges nobody."""

from __future__ import annotations

from dataclasses import replace

import pytest

from batching.lanes import Lanes
from service.repair.reconciler import Reconciler, budgets
from service.settings import Settings
from service.store import ObjectStore
from service.truth.database import AsyncEngine, statement
from service.truth.fleet import dying
from service.truth.ledger import SqlLedger
from tests.helpers.repairs import age, taken
from tests.helpers.rows import batch_row, check_books, item_row, make_batch, make_done, states


@pytest.fixture
def reconciler(engine: AsyncEngine, lanes: Lanes, store: ObjectStore) -> Reconciler:
    return Reconciler(engine, lanes, store, lease_s=30.0, lane_window=1000, budgets=budgets(Settings()))


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
