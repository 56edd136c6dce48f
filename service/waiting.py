"""Waiting for batches: each API process hears of them on one channel, and looks them all up in one query a second.

Redis only makes it quick: what a waiter acts on is always the batch's row, and a lost message costs a second.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from uuid import UUID

from kernels.errors import AugmentationError
from service.ids import new_id
from service.truth import queries
from service.truth.database import AsyncEngine

log = logging.getLogger(__name__)

POLL_S = 1.0
LIVE_POLL_S = 0.25
"""While somebody follows a batch's progress."""
BatchMark = tuple[str, int, int]
"""State, final items, outputs done: differs whenever there is something new to say."""


class Watch:
    """One party's interest in one batch: in its end, or in every change. `changed` is set when its row may say so."""

    def __init__(self, live: bool = False) -> None:
        self.live, self.changed = live, asyncio.Event()
        self.mark: BatchMark | None = None

    async def change(self, timeout_s: float) -> bool:
        """Waits for a change; False: there was none in time."""
        try:
            async with asyncio.timeout(timeout_s):
                await self.changed.wait()
        except TimeoutError:
            return False
        self.changed.clear()
        return True


class Waiting:
    """Who waits for which batch in this process."""

    def __init__(self, engine: AsyncEngine, poll_s: float = POLL_S) -> None:
        self.channel = f"api:{new_id().hex}"
        """The channel that hand-offs of this process name, and results are announced on."""
        self._engine, self._poll_s = engine, poll_s
        self._watches: defaultdict[UUID, set[Watch]] = defaultdict(set)
        self._live = 0

    @contextmanager
    def watch(self, batch_id: UUID, *, live: bool = False) -> Iterator[Watch]:
        """An interest in a batch. Begin it before what it waits for is set going, then read the row, then wait.

        `live`: in every change, looked for four times a second; otherwise in its end, looked for once.
        """
        watch = Watch(live)
        self._watches[batch_id].add(watch)
        self._live += live
        try:
            yield watch
        finally:
            self._live -= live
            self._watches[batch_id].discard(watch)
            if not self._watches[batch_id]:
                del self._watches[batch_id]

    async def until_final(
        self, watch: Watch, read: Callable[[], Awaitable[queries.Batch]], timeout_s: float
    ) -> queries.Batch:
        """The batch as `read` finds it when it is final, or when the time is over."""
        loop = asyncio.get_running_loop()
        end = loop.time() + timeout_s
        while not (batch := await read()).final:
            if not await watch.change(end - loop.time()):
                break
        return batch

    def announced(self, batch_ids: Iterable[UUID]) -> None:
        """Wakes those who wait for one of these batches."""
        for batch_id in batch_ids:
            for watch in self._watches.get(batch_id, ()):
                watch.changed.set()

    async def poll(self) -> None:
        """Looks all watched batches up once, and wakes those who wait for one that changed, or that is final or gone."""
        if not self._watches:
            return
        marks = await queries.states(self._engine, list(self._watches))
        for batch_id, watches in list(self._watches.items()):
            mark = marks.get(batch_id)
            ended = mark is None or mark[0] in queries.FINAL_BATCH
            for watch in watches:
                if watch.mark != mark:
                    watch.mark = mark
                    if watch.live or ended:
                        watch.changed.set()

    async def keep_polling(self) -> None:
        """Polls for ever; what fails is tried again with the next turn."""
        while True:
            await asyncio.sleep(LIVE_POLL_S if self._live else self._poll_s)
            try:
                await self.poll()
            except AugmentationError as error:
                log.warning("batches that are waited for could not be looked up: %s", error)
