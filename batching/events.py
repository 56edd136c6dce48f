"""Notices that items and batches became final, over Redis publish/subscribe: one channel for each API process.

A notice may be lost; who waits also reads the database now and then.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import UUID

import redis.asyncio as aredis

log = logging.getLogger(__name__)
QUIET_S = 5.0
"""Longest silence before a subscription looks whether its connection still lives."""
BACK_OFF_S = 0.5


@dataclass(frozen=True)
class Notice:
    """Items that became final, and batches whose last item did."""

    items: frozenset[UUID] = frozenset()
    batches: frozenset[UUID] = frozenset()

    def document(self) -> str:
        """The notice as JSON: {"items": [id, ...], "batches": [id, ...]}."""
        return json.dumps({"items": sorted(map(str, self.items)), "batches": sorted(map(str, self.batches))})


def parse_notice(document: str | bytes) -> Notice:
    """The notice that a document says. Errors: ValueError."""
    value = json.loads(document)
    return Notice(frozenset(map(UUID, value["items"])), frozenset(map(UUID, value["batches"])))


async def subscribe(client: aredis.Redis, channel: str) -> AsyncIterator[Notice]:
    """Notices sent to `channel`, for ever; connects again, with a pause, whenever Redis was away.

    An empty notice says that the subscription has just begun (again): what was sent before is lost, so look now.
    """
    while True:
        try:
            async with client.pubsub() as subscription:
                await subscription.subscribe(channel)
                yield Notice()
                async for notice in _notices(subscription):
                    yield notice
        except aredis.RedisError as error:
            log.warning("subscription to %s is interrupted: %s", channel, error)
            await asyncio.sleep(BACK_OFF_S)


async def _notices(subscription: aredis.client.PubSub) -> AsyncIterator[Notice]:
    while True:
        message = await subscription.get_message(ignore_subscribe_messages=True, timeout=QUIET_S)
        if message is None:
            await subscription.ping()
            continue
        if message["type"] != "message":
            continue
        try:
            yield parse_notice(message["data"])
        except (ValueError, KeyError, TypeError):
            log.warning("a message on %s is not a notice", message["channel"])
