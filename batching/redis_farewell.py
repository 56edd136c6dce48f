"""What Redis is told once a group is committed. It may be away: the reconciler and the waiters' polls make up for it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

import redis.asyncio as aredis

from batching import failpoints
from batching.events import Notice, publish
from batching.items import Taken
from batching.lanes import Lanes
from batching.telemetry import Tally

log = logging.getLogger(__name__)


class RedisFarewell:
    """Settles entries and publishes notices; a Redis that does not answer is logged, never raised."""

    def __init__(self, client: aredis.Redis, lanes: Lanes, tally: Tally) -> None:
        self._client, self._lanes, self._tally = client, lanes, tally

    async def settle(self, entries: Sequence[Taken], notices: dict[str, Notice]) -> None:
        """Removes entries and tells those who wait."""
        failpoints.hit("before_settle")
        with self._tally.stage("settle"):
            answers = await asyncio.gather(
                publish(self._client, notices), self._lanes.settle(entries), return_exceptions=True
            )
        for answer in answers:
            if isinstance(answer, aredis.RedisError):
                log.warning("could not settle %d entries: %s", len(entries), answer)
            elif isinstance(answer, BaseException):
                raise answer

    async def give_back(self, entries: Sequence[Taken]) -> None:
        """Puts entries where other workers find them."""
        try:
            await self._lanes.give_back(entries)
        except aredis.RedisError as error:
            log.warning("could not give %d entries back: %s", len(entries), error)
