"""Hand-off: put, then stamp; and nothing but quickness depends on it."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from uuid import UUID

from redis.asyncio import Redis

from batching.items import Budget, LaneKey, Waiting
from batching.lanes import Lanes
from service.handoff import Breaker, HandOff
from service.truth.database import AsyncEngine
from service.truth.ledger import SqlLedger
from tests.helpers.rows import item_row, make_batch

BULK, QUICK = LaneKey("bulk", "acme"), LaneKey("interactive", "acme")


def waiting(items: tuple[UUID, ...]) -> list[Waiting]:
    return [Waiting(item, 50176, "api:1") for item in items]


async def test_items_are_put_and_stamped(engine: AsyncEngine, lanes: Lanes) -> None:
    bulk, quick = await make_batch(engine, items=3), await make_batch(engine, items=1, priority="interactive")
    handing = HandOff(engine, lanes, window=100)
    assert await handing.hand_off({BULK: waiting(bulk.items), QUICK: waiting(quick.items)}) == 4
    row = await item_row(engine, bulk.items[0])
    assert row["epoch"] == await lanes.epoch()
    assert row["handed_off_at"] >= row["created_at"]
    batch = await lanes.take("w1", Budget(items=100))
    assert batch is not None
    assert [(entry.lane, entry.item_id, entry.channel) for entry in batch.entries] == [
        (QUICK, quick.items[0], "api:1"),
        *((BULK, item, "api:1") for item in bulk.items),
    ]


async def test_what_the_window_does_not_hold_is_not_stamped(engine: AsyncEngine, lanes: Lanes) -> None:
    batch = await make_batch(engine, items=1200)
    assert await HandOff(engine, lanes, window=700).hand_off({BULK: waiting(batch.items)}) == 700
    assert (await item_row(engine, batch.items[699]))["handed_off_at"] is not None
    assert (await item_row(engine, batch.items[700]))["handed_off_at"] is None


async def test_an_item_that_was_leased_meanwhile_is_not_stamped(engine: AsyncEngine, lanes: Lanes) -> None:
    batch = await make_batch(engine, items=2)
    await SqlLedger(engine, 30).lease(batch.items[:1], "w1")
    await HandOff(engine, lanes, window=100).hand_off({BULK: waiting(batch.items)})
    assert (await item_row(engine, batch.items[0]))["handed_off_at"] is None
    assert (await item_row(engine, batch.items[1]))["handed_off_at"] is not None


async def test_rows_written_with_their_stamp_keep_it_where_it_is_true(engine: AsyncEngine, lanes: Lanes) -> None:
    stamped = await make_batch(engine, items=3, handed_off=True)
    handing = HandOff(engine, lanes, window=2)
    assert handing.epoch is None
    assert await handing.hand_off({BULK: waiting(stamped.items)}, dict.fromkeys(stamped.items, "some")) == 2
    assert handing.epoch == await lanes.epoch()
    rows = [await item_row(engine, item) for item in stamped.items]
    assert [row["epoch"] for row in rows] == [handing.epoch, handing.epoch, None]  # stamped anew, and taken back
    assert rows[2]["handed_off_at"] is None


async def test_a_stamp_is_taken_back_when_redis_is_away(engine: AsyncEngine) -> None:
    stamped = await make_batch(engine, items=2, handed_off=True)
    now_s = 100.0
    async with Redis(host="127.0.0.1", port=1) as client:
        handing = HandOff(engine, Lanes(client), window=100, breaker=Breaker(failures=1, clock=lambda: now_s))
        assert await handing.hand_off({BULK: waiting(stamped.items)}, dict.fromkeys(stamped.items, "some")) == 0
    assert [(await item_row(engine, item))["handed_off_at"] for item in stamped.items] == [None, None]
    assert handing.epoch is None


async def test_a_redis_that_is_away_costs_one_try_a_pause(engine: AsyncEngine, tmp_path: Path) -> None:
    now_s = 100.0
    tries = 0

    class Counting(Lanes):
        async def hand_off(self, lane, waiting, window):  # type: ignore[no-untyped-def]  # as its parent
            nonlocal tries
            tries += 1
            return await super().hand_off(lane, waiting, window)

    away = Redis.from_url(f"unix://{tmp_path}/nothing.sock")
    handing = HandOff(engine, Counting(away), window=100, breaker=Breaker(clock=lambda: now_s))
    batch = await make_batch(engine, items=1)
    for _ in range(10):
        assert await handing.hand_off({BULK: waiting(batch.items)}) == 0
    assert tries == 3
    now_s += 1.1
    for _ in range(10):
        await handing.hand_off({BULK: waiting(batch.items)})
    assert tries == 4
    assert (await item_row(engine, batch.items[0]))["handed_off_at"] is None
    await away.aclose()


async def test_a_redis_that_does_not_answer_holds_nobody(engine: AsyncEngine, tmp_path: Path) -> None:
    heard: list[asyncio.StreamWriter] = []
    silent = await asyncio.start_unix_server(lambda _, writer: heard.append(writer), str(tmp_path / "s"))
    client = Redis.from_url(f"unix://{tmp_path}/s")
    handing = HandOff(engine, Lanes(client), window=100, timeout_s=0.05)
    batch = await make_batch(engine, items=1)
    started_s = time.monotonic()
    assert await handing.hand_off({BULK: waiting(batch.items)}) == 0
    assert time.monotonic() - started_s < 2
    assert heard
    await client.aclose()
    for writer in heard:
        writer.close()
        await writer.wait_closed()
    silent.close()
    await silent.wait_closed()


def test_the_breaker_lets_one_try_through_after_a_pause() -> None:
    now_s = 0.0
    breaker = Breaker(failures=2, pause_s=1.0, clock=lambda: now_s)
    breaker.failed()
    assert breaker.allows()
    breaker.failed()
    assert not breaker.allows()
    now_s = 1.5
    assert breaker.allows()
    assert not breaker.allows()
    breaker.worked()
    assert breaker.allows()
    breaker.failed()
    assert breaker.allows()
