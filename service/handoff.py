"""Hand-off: ids of committed items go to their lanes in Redis, and their rows are stamped with when, and in which epoch.

Rows of small batches are written with the stamp, which saves a statement and another version of each row: their hand-off
follows at once, and where it fails the stamp is taken back. Others are stamped after it. Nothing depends on it: what is
not handed off, or not stamped, the reconciler hands off again; so it does with what is stamped and in no lane, and an id
that is in a lane twice is leased once.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType
from uuid import UUID

from batching import failpoints
from batching.items import LaneKey, Waiting
from batching.lanes import LANES_DOWN, Lanes
from service.truth.database import AsyncEngine, DatabaseUnavailable, statement
from service.truth.partitions import bounds

log = logging.getLogger(__name__)

_NONE: Mapping[UUID, str] = MappingProxyType({})
CHUNK = 500
"""Items put in one atomic step of Redis and stamped by one statement."""

ATTEND_S = 1.5
"""An API process that has not said for so long that it lives is missed: what it wrote as handed off is looked for."""
_ATTEND_EVERY_S = 0.5

STAMP = """
WITH quick AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true)
), found AS MATERIALIZED (
  SELECT i.id FROM items i CROSS JOIN quick
  WHERE i.id = ANY(CAST(:ids AS uuid[])) AND i.id BETWEEN :low AND :high AND i.state = 'queued'
  ORDER BY i.id FOR NO KEY UPDATE OF i
)
UPDATE items i SET handed_off_at = now(), epoch = :epoch
WHERE i.id = ANY(ARRAY(SELECT id FROM found)) AND i.id BETWEEN :low AND :high
"""
"""Not waiting for the disk: a stamp that a power cut takes is made again."""

UNSTAMP = """
WITH quick AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true)
), found AS MATERIALIZED (
  SELECT i.id FROM items i CROSS JOIN quick
  WHERE i.id = ANY(CAST(:ids AS uuid[])) AND i.id BETWEEN :low AND :high AND i.state = 'queued'
    AND i.handed_off_at IS NOT NULL
  ORDER BY i.id FOR NO KEY UPDATE OF i
)
UPDATE items i SET handed_off_at = NULL, epoch = NULL
WHERE i.id = ANY(ARRAY(SELECT id FROM found)) AND i.id BETWEEN :low AND :high
"""


class Breaker:
    """Says when not to try: after `failures` in a row for `pause_s`, then one try decides."""

    def __init__(
        self,
        failures: int = 3,
        pause_s: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
        meanwhile: str = "new items wait for the reconciler",
    ) -> None:
        """meanwhile: what follows from it, for the log."""
        self._meanwhile = meanwhile
        self._most, self._pause_s, self._clock = failures, pause_s, clock
        self._failed, self._closed_until = 0, 0.0

    def allows(self) -> bool:
        """Whether to try now. After a pause it allows one try, and the next when that one's end is known."""
        if self._failed < self._most:
            return True
        if self._clock() < self._closed_until:
            return False
        self._closed_until = self._clock() + self._pause_s
        return True

    @property
    def closed(self) -> bool:
        """Whether the last tries failed."""
        return self._failed >= self._most

    def worked(self) -> None:
        """A try came through."""
        self._failed = 0

    def failed(self) -> None:
        """A try did not."""
        self._failed += 1
        if self._failed == self._most:
            log.warning("Redis does not answer: %s", self._meanwhile)
        if self._failed >= self._most:
            self._closed_until = self._clock() + self._pause_s


async def put_and_stamp(engine: AsyncEngine, lanes: Lanes, lane: LaneKey, waiting: Sequence[Waiting], window: int) -> int:
    """Puts items on their lane while it has room, and stamps those; says how many, the first ones.

    Errors: LANES_DOWN, DatabaseUnavailable.
    """
    accepted = 0
    for start in range(0, len(waiting), CHUNK):
        chunk = waiting[start : start + CHUNK]
        put = await lanes.hand_off(lane, chunk, window)
        failpoints.hit("handed_off")
        accepted += put.accepted
        if put.accepted:
            await _stamp(engine, [item.item_id for item in chunk[: put.accepted]], put.epoch)
        if put.accepted < len(chunk):
            break
    return accepted


async def keep_attending(lanes: Lanes, sender: str) -> None:
    """Says again and again, for ever, that this process lives. Where Redis is away nothing is handed off either."""
    while True:
        with suppress(*LANES_DOWN):
            await lanes.attend(sender, ATTEND_S)
        await asyncio.sleep(_ATTEND_EVERY_S)


async def part(lanes: Lanes, sender: str) -> None:
    """Says that this process has handed off what it had."""
    with suppress(*LANES_DOWN):
        await lanes.part(sender)


class HandOff:
    """The hand-off of one API process: never raises, and costs nothing while Redis is known to be away."""

    def __init__(
        self, engine: AsyncEngine, lanes: Lanes, window: int, *, timeout_s: float = 1.0, breaker: Breaker | None = None
    ) -> None:
        """`timeout_s` is for each chunk; nobody's answer waits for it."""
        self._engine, self._lanes, self._window, self._timeout_s = engine, lanes, window, timeout_s
        self._breaker = breaker or Breaker()
        self._epoch: str | None = None

    @property
    def epoch(self) -> str | None:
        """The epoch that rows may be written with as handed off, if that follows at once; None: not now."""
        return None if self._breaker.closed else self._epoch

    async def hand_off(self, waiting: Mapping[LaneKey, Sequence[Waiting]], stamped: Mapping[UUID, str] = _NONE) -> int:
        """Hands off what was just committed; says how many items were put on lanes.

        stamped: the epochs that items were written with as handed off.
        """
        accepted = 0
        for lane, items in waiting.items():
            done = 0
            for start in range(0, len(items), CHUNK):
                chunk = items[start : start + CHUNK]
                put = await self._hand_off(lane, chunk, stamped)
                done += put
                if put < len(chunk):
                    break
            accepted += done
            await self._take_back([item.item_id for item in items[done:] if item.item_id in stamped])
        return accepted

    async def _hand_off(self, lane: LaneKey, chunk: Sequence[Waiting], stamped: Mapping[UUID, str]) -> int:
        if not self._breaker.allows():
            return 0
        try:
            async with asyncio.timeout(self._timeout_s):
                put = await self._lanes.hand_off(lane, chunk, self._window)
        except LANES_DOWN as error:
            log.info("hand-off of %d items failed: %s", len(chunk), error or type(error).__name__)
            self._breaker.failed()
            return 0
        self._breaker.worked()
        self._epoch = put.epoch
        failpoints.hit("handed_off")
        ids = [item.item_id for item in chunk[: put.accepted] if stamped.get(item.item_id) != put.epoch]
        if ids:
            try:
                await _stamp(self._engine, ids, put.epoch)
            except DatabaseUnavailable as error:
                log.info("%d items were handed off, not stamped: %s", len(ids), error)
        return put.accepted

    async def _take_back(self, item_ids: Sequence[UUID]) -> None:
        """Items that were written as handed off, and were not."""
        if not item_ids:
            return
        try:
            await statement(self._engine, UNSTAMP, {"ids": list(item_ids), **bounds(item_ids)})
        except DatabaseUnavailable as error:
            log.info("%d items count as handed off, and are not: %s", len(item_ids), error)


async def _stamp(engine: AsyncEngine, item_ids: Sequence[UUID], epoch: str) -> None:
    await statement(engine, STAMP, {"ids": list(item_ids), "epoch": epoch, **bounds(item_ids)})
