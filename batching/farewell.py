"""What Redis is told once a group is committed. It may be away: the reconciler and the waiters' polls make up for it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from batching import failpoints
from batching.events import Notice
from batching.items import Taken
from batching.lanes import LANES_DOWN, Lanes
from batching.telemetry import Tally

log = logging.getLogger(__name__)


class Farewell:
    """Settles entries and publishes notices; a Redis that does not answer is logged, never raised."""

    def __init__(self, lanes: Lanes, tally: Tally) -> None:
        self._lanes, self._tally = lanes, tally

    async def settle(self, entries: Sequence[Taken], notices: Mapping[str, Notice]) -> None:
        """Removes entries and tells those who wait."""
        if not entries:
            return
        failpoints.hit("before_settle")
        with self._tally.stage("settle"):
            try:
                await self._lanes.settle(entries, notices)
            except LANES_DOWN as error:
                log.warning("could not settle %d entries: %s", len(entries), error)

    async def give_back(self, entries: Sequence[Taken]) -> None:
        """Puts entries where other workers find them."""
        if not entries:
            return
        try:
            await self._lanes.give_back(entries)
        except LANES_DOWN as error:
            log.warning("could not give %d entries back: %s", len(entries), error)
