"""The ledger on a real PostgreSQL: each item leased once, stale workers fenced, counts exact under concurrency."""

from __future__ import annotations

import asyncio
import json
import random
from typing import Any
from uuid import uuid4

import pytest

from batching.items import Item
from service.truth.database import AsyncEngine, DatabaseUnavailable, Row, make_engine, statement
from service.truth.ledger import SqlLedger
from tests.helpers.rows import batch_row, check_books, item_row, make_batch, make_done, make_failed, one, states


@pytest.fixture
def ledger(engine: AsyncEngine) -> SqlLedger:
    return SqlLedger(engine, lease_s=30)


async def expire(engine: AsyncEngine, *items: Item) -> None:
    """Lets leases end as the reconciler would: the items wait again, and their tokens are nobody's."""
    await statement(
        engine,
        """WITH moved AS (UPDATE items SET state = 'queued', token = NULL, worker = NULL, lease_until = NULL
                          WHERE id = ANY(:ids) RETURNING *)
           INSERT INTO state_log (tenant, batch_id, item_id, from_state, to_state, reason)
           SELECT tenant, batch_id, id, 'leased', 'queued', 'test' FROM moved""",
        {"ids": [item.id for item in items]},
    )


async def test_a_lease_brings_all_that_a_run_needs(engine: AsyncEngine, ledger: SqlLedger) -> None:
    batch = await make_batch(
        engine, items=3, variants=4, seed=2**53 - 1, labels={"boxes": {"values": []}}, priority="interactive"
    )
    items = await ledger.lease(batch.items, "w1")
    assert [item.id for item in items] == list(batch.items)
    item = items[2]
    assert (item.batch_id, item.tenant, item.priority, item.day) == (batch.id, "acme", "interactive", "2026-01-02")
    assert (item.source_key, item.source_sha256, item.key, item.name) == ("acme/images/3", "0" * 64, 3, "picture 3")
    assert (item.seed, item.variants, item.executions, item.cost_pixels) == (2**53 - 1, 4, 1, 50176)
    assert item.recipe.steps[0].op == "solarize"
    assert item.labels == {"boxes": {"values": []}}
    assert item.token > 0
    assert (await batch_row(engine, batch.id))["state"] == "running"
    row = await item_row(engine, item.id)
    assert (row["state"], row["worker"], row["token"]) == ("leased", "w1", item.token)


async def test_items_of_many_batches_keep_their_own_recipe(engine: AsyncEngine, ledger: SqlLedger) -> None:
    recipes = [{"steps": [{"op": "solarize", "threshold": [low, 0.9]}]} for low in (0.1, 0.2, 0.3)]
    batches = [await make_batch(engine, items=3, recipe=recipe) for recipe in recipes * 2]
    ids = [item for batch in batches for item in batch.items]
    random.Random(3).shuffle(ids)
    items = await ledger.lease(ids, "w1")
    assert {item.id for item in items} == set(ids)
    for batch, recipe in zip(batches, recipes * 2, strict=True):
        for item in items:
            if item.batch_id == batch.id:
                assert item.recipe.steps[0].model_dump(mode="json")["threshold"] == recipe["steps"][0]["threshold"]


async def test_unknown_final_and_leased_items_are_not_leased(engine: AsyncEngine, ledger: SqlLedger) -> None:
    batch = await make_batch(engine, items=3)
    first = await ledger.lease(batch.items[:1], "w1")
    await ledger.finish([make_done(first[0])])
    second = await ledger.lease(batch.items[1:2], "w1")
    assert len(second) == 1
    items = await ledger.lease([*batch.items, uuid4()], "w2")
    assert [item.id for item in items] == [batch.items[2]]
    assert await ledger.lease([], "w1") == []


@pytest.mark.parametrize("column", ["cancel_requested_at", "expires_at", "deleted_at"])
async def test_a_batch_that_is_over_is_not_leased(engine: AsyncEngine, ledger: SqlLedger, column: str) -> None:
    batch = await make_batch(engine, items=2)
    await statement(engine, f"UPDATE batches SET {column} = now() WHERE id = :id", {"id": batch.id})
    assert await ledger.lease(batch.items, "w1") == []


async def test_racing_workers_lease_each_item_once(engine: AsyncEngine, ledger: SqlLedger) -> None:
    batches = [await make_batch(engine, items=50) for _ in range(4)]
    ids = [item for batch in batches for item in batch.items]
    ledgers = [SqlLedger(engine, lease_s=30) for _ in range(8)]

    async def work(number: int) -> list[Item]:
        order = random.Random(number).sample(ids, len(ids))
        got: list[Item] = []
        for start in range(0, len(order), 20):
            got += await ledgers[number].lease(order[start : start + 20], f"w{number}")
        return got

    got = [item for part in await asyncio.gather(*(work(number) for number in range(8))) for item in part]
    assert len(got) == len(ids) == len({item.id for item in got})
    for item in got:
        assert (await item_row(engine, item.id))["token"] == item.token
    await check_books(engine)


async def test_tokens_of_all_ledgers_differ(engine: AsyncEngine) -> None:
    batch = await make_batch(engine, items=20)
    tokens = [(await SqlLedger(engine, lease_s=30).lease([item], "w"))[0].token for item in batch.items]
    assert len(set(tokens)) == 20


async def test_finish_writes_outputs_states_and_counts(engine: AsyncEngine, ledger: SqlLedger) -> None:
    batch = await make_batch(engine, items=3, variants=2)
    good, bad, late = await ledger.lease(batch.items, "w1")
    labels = {"boxes": {"format": "xyxy", "values": [[1, 2, 3, 4.5]]}}
    result = await ledger.finish([make_done(good, labels=labels), make_failed(bad, "image_corrupt", "the data is damaged")])
    assert result.fenced == frozenset()
    assert result.completed_batches == frozenset()
    row = await batch_row(engine, batch.id)
    assert (row["state"], row["succeeded"], row["failed"], row["outputs_done"]) == ("running", 1, 1, 2)
    result = await ledger.finish([make_done(late)])
    assert result.completed_batches == {batch.id}
    row = await batch_row(engine, batch.id)
    assert (row["state"], row["succeeded"], row["failed"], row["outputs_done"]) == ("completed", 2, 1, 4)
    assert row["finished_at"] >= row["started_at"] >= row["created_at"]
    outputs = await statement(engine, "SELECT * FROM outputs WHERE item_id = :id ORDER BY variant", {"id": good.id})
    assert [output["variant"] for output in outputs] == [0, 1]
    assert outputs[0]["draws"] == [{"op": "solarize", "threshold": 0.5}]
    assert outputs[0]["labels"] == labels
    assert outputs[0]["token"] == good.token
    assert (outputs[0]["device"], outputs[0]["engine_version"]) == ("cpu", "test")
    none = await one(engine, "SELECT labels IS NULL AS none FROM outputs WHERE item_id = :id AND variant = 0", id=late.id)
    assert none["none"]
    failed = await item_row(engine, bad.id)
    assert (failed["state"], failed["error_code"], failed["error_detail"]) == (
        "failed",
        "image_corrupt",
        "the data is damaged",
    )
    await check_books(engine)


async def test_finishing_twice_changes_nothing_and_says_the_same(engine: AsyncEngine, ledger: SqlLedger) -> None:
    batch = await make_batch(engine, items=2)
    items = await ledger.lease(batch.items, "w1")
    outcomes = [make_done(items[0]), make_failed(items[1])]
    first = await ledger.finish(outcomes)
    before = await batch_row(engine, batch.id)
    again = await ledger.finish(outcomes)
    assert first == again
    assert again.completed_batches == {batch.id}
    assert await batch_row(engine, batch.id) == before
    assert (await one(engine, "SELECT count(*) AS n FROM outputs"))["n"] == 1
    await check_books(engine)


async def test_a_stale_token_writes_nothing(engine: AsyncEngine, ledger: SqlLedger) -> None:
    batch = await make_batch(engine, items=2)
    stale = await ledger.lease(batch.items, "w1")
    await expire(engine, *stale)
    fresh = await ledger.lease(batch.items, "w2")
    result = await ledger.finish([make_done(stale[0]), make_failed(stale[1])])
    assert result.fenced == set(batch.items)
    assert (await one(engine, "SELECT count(*) AS n FROM outputs"))["n"] == 0
    assert await states(engine, batch.id) == {"leased": 2}
    assert await ledger.renew(stale) == frozenset()
    await ledger.hand_back(stale)
    assert await states(engine, batch.id) == {"leased": 2}
    assert (await ledger.finish([make_done(item) for item in fresh])).completed_batches == {batch.id}
    late = await ledger.finish([make_done(stale[0]), make_failed(stale[1])])
    assert late.fenced == set(batch.items)
    assert [output["token"] for output in await statement(engine, "SELECT token FROM outputs", {})] == [fresh[0].token] * 2
    await check_books(engine)


async def test_a_fenced_item_does_not_harm_its_group(engine: AsyncEngine, ledger: SqlLedger) -> None:
    batch = await make_batch(engine, items=3)
    items = await ledger.lease(batch.items, "w1")
    await expire(engine, items[1])
    result = await ledger.finish([make_done(item) for item in items])
    assert result.fenced == {items[1].id}
    assert await states(engine, batch.id) == {"succeeded": 2, "queued": 1}
    await check_books(engine)


async def test_renewing_extends_what_is_ours(engine: AsyncEngine) -> None:
    batch = await make_batch(engine, items=2)
    short, long = SqlLedger(engine, lease_s=1), SqlLedger(engine, lease_s=60)
    items = await short.lease(batch.items, "w1")
    await short.finish([make_done(items[0])])
    assert await long.renew(items) == {items[1].id}
    left = await one(
        engine, "SELECT extract(epoch FROM lease_until - now())::float8 AS s FROM items WHERE id = :id", id=items[1].id
    )
    assert 50 < left["s"] <= 60


async def test_handing_back_is_not_charged(engine: AsyncEngine, ledger: SqlLedger) -> None:
    batch = await make_batch(engine, items=2)
    items = await ledger.lease(batch.items, "w1")
    await ledger.hand_back(items)
    await ledger.hand_back(items)
    row = await item_row(engine, items[0].id)
    assert (row["state"], row["executions"], row["token"], row["worker"]) == ("queued", 0, None, None)
    again = await ledger.lease(batch.items, "w2")
    assert [item.executions for item in again] == [1, 1]
    assert (await ledger.finish([make_done(item) for item in items])).fenced == set(batch.items)
    await check_books(engine)


async def test_what_the_database_refuses_of_one_fails_that_one_alone(engine: AsyncEngine, ledger: SqlLedger) -> None:
    batch = await make_batch(engine, items=4)
    items = await ledger.lease(batch.items, "w1")
    result = await ledger.finish(
        [
            make_done(items[0]),
            make_done(items[1], draws=({"threshold": float("nan")},)),
            make_done(items[2], labels={"classes": ["\0"]}),
            make_failed(items[3], "image_corrupt", "text with \0 and \ud800" + "x" * 5000),
        ]
    )
    assert result.fenced == frozenset()
    assert result.completed_batches == {batch.id}
    rows = [await item_row(engine, item.id) for item in items]
    assert [(row["state"], row["error_code"]) for row in rows] == [
        ("succeeded", None),
        ("failed", "internal"),
        ("failed", "internal"),
        ("failed", "image_corrupt"),
    ]
    await check_books(engine)


async def test_a_recipe_that_no_longer_parses_fails_its_items(engine: AsyncEngine, ledger: SqlLedger) -> None:
    old = await make_batch(engine, items=2, recipe={"steps": [{"op": "once_was"}]})
    new = await make_batch(engine, items=2)
    items = await ledger.lease([*old.items, *new.items], "w1")
    assert {item.id for item in items} == set(new.items)
    assert (await item_row(engine, old.items[0]))["error_code"] == "unknown_op"
    assert (await batch_row(engine, old.id))["state"] == "completed"
    await check_books(engine)


async def test_counts_are_exact_with_many_finishers_of_overlapping_batches(engine: AsyncEngine) -> None:
    """Eight workers lease, finish, fail, hand back and renew parts of the same six batches, in any order."""
    batches = [await make_batch(engine, items=40, variants=2) for _ in range(6)]
    ids = [item for batch in batches for item in batch.items]
    completed: list[object] = []

    async def work(number: int) -> None:
        chance = random.Random(number)
        ledger = SqlLedger(engine, lease_s=30)
        while True:
            left = await statement(engine, "SELECT id FROM items WHERE state = 'queued'", {})
            if not left:
                return
            asked = chance.sample([row["id"] for row in left], min(len(left), 12))
            items = await ledger.lease(asked, f"w{number}")
            back = [item for item in items if chance.random() < 0.2]
            rest = [item for item in items if item not in back]
            outcomes = [make_done(item) if chance.random() < 0.8 else make_failed(item) for item in rest]
            chance.shuffle(outcomes)
            half = len(outcomes) // 2
            results = await asyncio.gather(
                ledger.hand_back(back),
                ledger.renew(items),
                ledger.finish(outcomes[:half]),
                ledger.finish(outcomes[half:]),
            )
            for result in results[2:]:
                assert result is not None
                assert result.fenced == frozenset()
                completed.extend(result.completed_batches)

    await asyncio.gather(*(work(number) for number in range(8)))
    assert {batch.id for batch in batches} == set(completed)
    assert len(completed) == len(batches)
    assert len(ids) == (await one(engine, "SELECT count(*) AS n FROM items WHERE state IN ('succeeded', 'failed')"))["n"]
    await check_books(engine)


async def test_a_lease_whose_answer_was_lost_is_found_again(engine: AsyncEngine, ledger: SqlLedger) -> None:
    """The statement ran, the connection died: running it again reports the same items, charged once."""
    batch = await make_batch(engine, items=3)
    await ledger.lease([], "w1")
    first = await ledger.lease(batch.items, "w1")
    tokens = ledger._tokens
    assert tokens is not None
    ledger._tokens = iter([first[0].token])  # type: ignore[assignment]  # the same statement once more
    assert await ledger.lease(batch.items, "w1") == first
    await check_books(engine)


async def test_a_lease_whose_answer_never_came_is_found_when_it_is_asked_for_again(
    engine: AsyncEngine, ledger: SqlLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lease was taken, and then the database was away for longer than one call tries: nobody is charged for it."""
    batch = await make_batch(engine, items=3)

    async def deaf(*asked: Any) -> list[Row]:
        await statement(*asked)
        raise DatabaseUnavailable("the answer was lost")

    await ledger.lease((await make_batch(engine)).items, "w1")  # takes the ledger's block of tokens
    with monkeypatch.context() as patched:
        patched.setattr("service.truth.ledger.statement", deaf)
        with pytest.raises(DatabaseUnavailable):
            await ledger.lease(batch.items, "w1")
    assert (await item_row(engine, batch.items[0]))["state"] == "leased"
    items = await ledger.lease(batch.items, "w1")
    assert [item.id for item in items] == list(batch.items)
    assert {item.executions for item in items} == {1}
    assert (await ledger.finish([make_done(item) for item in items])).fenced == frozenset()
    assert await ledger.lease(batch.items, "w1") == []
    await check_books(engine)


async def test_lost_connections_do_not_show(engine: AsyncEngine, ledger: SqlLedger, database_url: str) -> None:
    """Every backend is ended a few times a second; each outcome is still written once."""
    batch = await make_batch(engine, items=600)
    other = make_engine(database_url, application_name="killer", pool_size=1)
    ended = 0

    async def kill() -> None:
        nonlocal ended
        while True:
            [row] = await statement(
                other,
                """SELECT count(pg_terminate_backend(pid)) AS n FROM pg_stat_activity
                   WHERE datname = current_database() AND application_name = 'augment'""",
                {},
            )
            ended += row["n"]
            await asyncio.sleep(0.2)

    killer = asyncio.create_task(kill())
    try:
        for start in range(0, 600, 3):
            items = await ledger.lease(batch.items[start : start + 3], "w1")
            assert len(items) == 3
            assert (await ledger.finish([make_done(item) for item in items])).fenced == frozenset()
    finally:
        killer.cancel()
        await asyncio.gather(killer, return_exceptions=True)
        await other.dispose()
    assert ended > 2
    assert (await batch_row(engine, batch.id))["state"] == "completed"
    await check_books(engine)


async def test_members_are_the_pictures_whose_bytes_were_kept(engine: AsyncEngine, ledger: SqlLedger) -> None:
    labels = {"boxes": {"values": [[1, 2, 3, 4]]}}
    batch, other = await make_batch(engine, items=3, labels=labels), await make_batch(engine, items=1)
    await statement(engine, "UPDATE items SET width = 70000, height = 65000 WHERE batch_id = :id", {"id": batch.id})
    await statement(engine, "UPDATE items SET state = 'failed', source_key = '' WHERE id = :id", {"id": batch.items[1]})
    before = await ledger.members(batch.id)
    found = {member.name: member for member in before}
    assert set(found) == {"picture 1", "picture 3"}
    assert (found["picture 3"].source_key, found["picture 3"].source_sha256) == ("acme/images/3", "0" * 64)
    assert found["picture 3"].pixels == 70000 * 65000
    assert json.loads(found["picture 3"].labels or "") == labels
    # whatever becomes of them later, who may be taken stays the same
    await ledger.finish([make_failed(item) for item in await ledger.lease(batch.items, "w")])
    assert sorted(await ledger.members(batch.id), key=str) == sorted(before, key=str)
    assert [member.labels for member in await ledger.members(other.id)] == [None]
