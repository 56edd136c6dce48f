"""What Redis is told once a group is committed. It may be away: the reconciler and the waiters' polls make up for it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence

from batching import failpoints
from batching.events import Notice, Publisher
from batching.items import Taken
from batching.lanes import LANES_DOWN, Lanes
from batching.telemetry import Tally

log = logging.getLogger(__name__)


class Farewell:
    """Settles entries and publishes notices; a Redis that does not answer is logged, never raised."""

    def __init__(self, publisher: Publisher, lanes: Lanes, tally: Tally) -> None:
        self._publisher, self._lanes, self._tally = publisher, lanes, tally

    async def settle(self, entries: Sequence[Taken], notices: Mapping[str, Notice]) -> None:
        """Removes entries and tells those who wait."""
        if not entries:
            return
        failpoints.hit("before_settle")
        with self._tally.stage("settle"):
            answers = await asyncio.gather(
                self._publisher.publish(notices), self._lanes.settle(entries), return_exceptions=True
            )
        for answer in answers:
            if isinstance(answer, LANES_DOWN):
                log.warning("could not settle %d entries: %s", len(entries), answer)
            elif isinstance(answer, BaseException):
                raise answer

    async def give_back(self, entries: Sequence[Taken]) -> None:
        """Puts entries where other workers find them."""
        if not entries:
            return
        try:
            await self._lanes.give_back(entries)
        except LANES_DOWN as error:
            log.warning("could not give %d entries back: %s", len(entries), error)
