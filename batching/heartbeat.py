"""The heartbeat of a worker: a thread, an event loop and a database connection of its own, so that no load delays it.

It renews leases, announces the worker in Redis, wakes workers that a lost message left asleep, and makes the process leave
when an item hangs in native code or the loop thread stands still: nothing else can end those.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, suppress

from batching.lanes import LANES_DOWN, Lanes, connect
from batching.leases import Leases
from batching.ledger import Ledger
from batching.telemetry import Tally
from batching.wake import forgetter

log = logging.getLogger(__name__)
ANNOUNCE_S = 2.0
BEAT_S = 1.0
"""Pause between two signs of life to the one who watches over this process. Nothing that is asked may hold one up."""
REGISTERED_S = 10.0
"""A worker silent for this long gets no jobs."""
FORGET_S = 300.0

LedgerFactory = Callable[[], AbstractAsyncContextManager[Ledger]]


class Heartbeat:
    """Runs from `start` to `stop`."""

    def __init__(
        self,
        worker: str,
        redis_url: str,
        make_ledger: LedgerFactory,
        leases: Leases,
        lease_s: float,
        tally: Tally,
        facts: Callable[[], dict[str, str]],
        hung: Callable[[], str | None],
        leave: Callable[[str], None],
        beats: int | None = None,
    ) -> None:
        """hung() says why the process must leave, or None; leave(reason) makes it; `beats` gets a byte each time."""
        self._beats = beats
        self._worker, self._redis_url, self._make_ledger = worker, redis_url, make_ledger
        self._leases, self._renew_s, self._tally = leases, lease_s / 5, tally
        self._facts, self._hung, self._leave = facts, hung, leave
        self._stopping = False
        self._loop = asyncio.new_event_loop()
        self._stopped = asyncio.Event()
        self.registered = True
        """Whether the worker wants jobs; false once it drains."""
        self._thread = threading.Thread(target=self._run_loop, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Begins to beat."""
        self._thread.start()

    def stop(self) -> None:
        """Ends it, after at most one beat."""
        self._stopping = True
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopped.set)
            self._thread.join(timeout=5)

    def _run_loop(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._beat())

    async def _beat(self) -> None:
        try:
            async with connect(self._redis_url, timeout_s=ANNOUNCE_S) as client:
                await asyncio.gather(self._renewals(), self._announcements(Lanes(client)), self._signs_of_life())
        finally:
            if not self._stopping:
                self._leave("the heartbeat ended")

    async def _renewals(self) -> None:
        while not self._stopping:
            try:
                async with self._make_ledger() as ledger:
                    while not self._stopping:
                        await self._renew(ledger)
                        await self._pause(self._renew_s)
            except Exception as error:
                log.warning("leases are not renewed: %s", error)
                await self._pause(self._renew_s)

    async def _renew(self, ledger: Ledger) -> None:
        items, since_s = self._leases.items(), time.monotonic()
        if not items:
            return
        # A database that does not answer must not hold up the next try, which may still be in time.
        renewed = await asyncio.wait_for(ledger.renew(items), 2 * self._renew_s)
        lost = self._leases.renew(items, renewed, since_s)
        self._tally.count("renewed", len(renewed))
        if lost:
            log.warning("%d leases were lost", lost)

    async def _announcements(self, lanes: Lanes) -> None:
        forget = forgetter(self._redis_url)
        while not self._stopping:
            if reason := self._hung():
                self._leave(reason)
            try:
                if self.registered:
                    await lanes.announce(self._worker, self._facts() | self._tally.facts(), REGISTERED_S)
                    await lanes.wake()
                for worker in await lanes.forget_dead_workers(FORGET_S):
                    await asyncio.to_thread(forget, worker)
            except (*LANES_DOWN, TimeoutError) as error:
                log.warning("the worker is not announced: %s", error)
            await self._pause(ANNOUNCE_S)

    async def _signs_of_life(self) -> None:
        while self._beats is not None and not self._stopping:
            with suppress(OSError):  # full, or nobody listens
                os.write(self._beats, b".")
            await self._pause(BEAT_S)

    async def _pause(self, pause_s: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopped.wait(), pause_s)
