"""Notices over a real Valkey: who listens hears, also after the connection was cut."""

from __future__ import annotations

import asyncio
from uuid import uuid4

from redis.asyncio import Redis

from batching.events import Notice, subscribe
from batching.items import LaneKey, Taken
from batching.lanes import Lanes, connect


async def tell(client: Redis, notices: dict[str, Notice]) -> None:
    """As a worker does, which has settled an entry."""
    await Lanes(client).settle([Taken(LaneKey("bulk", "t"), "1-0", uuid4(), 1, "")], notices)


async def test_a_channel_gets_its_own_notices(redis_client: Redis, redis_url: str) -> None:
    mine, other = Notice(frozenset({uuid4()})), Notice(frozenset({uuid4()}), frozenset({uuid4()}))
    async with connect(redis_url, 30) as client:
        notices = subscribe(client, "api:1")
        assert await anext(notices) == Notice()
        await tell(redis_client, {"api:1": mine, "api:2": other})
        assert await asyncio.wait_for(anext(notices), 5) == mine
        await notices.aclose()


async def test_a_cut_connection_is_made_again_and_says_so(redis_client: Redis, redis_url: str) -> None:
    async with connect(redis_url, 30) as client:
        notices = subscribe(client, "api:1")
        assert await anext(notices) == Notice()
        await redis_client.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
        sent = Notice(frozenset({uuid4()}))

        async def send() -> None:
            while True:
                await tell(redis_client, {"api:1": sent})
                await asyncio.sleep(0.05)

        sending = asyncio.create_task(send())
        async with asyncio.timeout(10):
            while await anext(notices) != sent:
                pass
        sending.cancel()
        await notices.aclose()


async def test_what_is_no_notice_is_passed_over(redis_client: Redis, redis_url: str) -> None:
    async with connect(redis_url, 30) as client:
        notices = subscribe(client, "api:1")
        await anext(notices)
        for text in ("{", "[]", '{"items": ["x"], "batches": []}', '{"items": []}'):
            await redis_client.publish("api:1", text)
        last = Notice(frozenset({uuid4()}))
        await tell(redis_client, {"api:1": last})
        assert await asyncio.wait_for(anext(notices), 5) == last
        await notices.aclose()
