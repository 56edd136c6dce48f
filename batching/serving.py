"""Server: takes micro-batches, leases their items, and moves each through fetch, engine and store to the finisher.

All of it runs on the one loop thread of a worker process, for the process's life; RQ jobs only ask it to `serve`.
While one micro-batch runs, the next is taken, leased and fetched.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from uuid import UUID

from batching import failpoints
from batching.bells import Bells
from batching.engine import Engine
from batching.errors import Internal, Unavailable
from batching.farewell import Farewell
from batching.finishing import Finished, Finisher, Returned
from batching.inflight import InFlight, Room
from batching.items import PRIORITIES, Budget, Failed, Item, MicroBatch, Taken
from batching.lanes import LANES_DOWN, Lanes
from batching.leases import Leases
from batching.ledger import Ledger, Store
from batching.passage import Crashed, Made, NotOurs, Passage
from batching.retries import back_off
from batching.sandbox.sandbox import Sandbox
from batching.telemetry import Tally

log = logging.getLogger(__name__)
FLAG_EVERY_S = 5.0
LAST_WORDS_S = 3.0
"""Time to hand back what a drain did not finish."""


@dataclass(frozen=True)
class ServeConfig:
    """How a worker serves."""

    worker: str
    made: Made
    """What results of the engine say they were made by."""
    made_alone: Made
    """What those of the sandbox say."""
    budget: Budget = field(default_factory=Budget)
    threads: int = 1
    """Engine threads."""
    slice_s: float = 60.0
    linger_s: float = 2.0
    max_crashes: int = 3


@dataclass(frozen=True)
class Tools:
    """What a server works with; all of it lives on the server's loop."""

    lanes: Lanes
    bells: Lanes
    """The same lanes over a client whose socket waits as long as a bell does."""
    ledger: Ledger
    store: Store
    engine: Engine
    sandbox: Sandbox
    leases: Leases
    tally: Tally
    farewell: Farewell


class Server:
    """Serves all lanes. `serve` is called by RQ jobs, `drain` once, at the end."""

    def __init__(self, config: ServeConfig, tools: Tools) -> None:
        self._config, self._tools = config, tools
        self._tally, self._leases = tools.tally, tools.leases
        self._in_flight = InFlight(config.budget, config.threads)
        self._bells = Bells(tools.bells)
        self._tasks: set[asyncio.Task[None]] = set()
        self._taking = asyncio.Lock()
        """Held while a micro-batch is under way from its lanes."""
        self._passage = Passage(
            tools.store,
            tools.ledger,
            tools.engine,
            tools.sandbox,
            tools.leases,
            tools.tally,
            {False: config.made, True: config.made_alone},
            config.max_crashes,
        )
        self._entries: dict[tuple[UUID, int], Taken] = {}
        """By attempt."""
        self._finisher = Finisher(
            tools.ledger, tools.farewell, tools.leases, tools.tally, lambda: bool(self._tasks), self._in_flight
        )
        self._finishing = asyncio.get_running_loop().create_task(self._finisher.run())
        self._finishing.add_done_callback(self._ended)
        self.draining = False
        self.last_progress_s = time.monotonic()

    async def serve(self) -> bool:
        """Serves until the lanes stay empty for the linger (False) or the time slice is over (True: call again)."""
        slice_end_s = time.monotonic() + self._config.slice_s
        try:
            for pause_s in back_off():
                try:
                    return await self._serve_until(slice_end_s)
                except LANES_DOWN as error:
                    log.warning("lanes are out of reach: %s", error)
                if self.draining or time.monotonic() > slice_end_s:
                    return not self.draining
                await asyncio.sleep(pause_s)
        finally:
            await self._bells.rest()
        raise AssertionError("back_off never ends")

    async def _serve_until(self, slice_end_s: float) -> bool:
        lanes, worker = self._tools.lanes, self._config.worker
        flagged_s = float("-inf")
        active_s = time.monotonic()
        looked: Room | None = None
        """What was last asked for. What was left of it, or came since, has rung a bell."""
        while not self.draining and (now_s := time.monotonic()) < slice_end_s:
            if now_s - flagged_s > FLAG_EVERY_S:
                await lanes.serving(worker)
                flagged_s = now_s
            room = self._in_flight.room()
            if room.priorities and not (looked and looked.covers(room)):
                looked = room
                if await self._take(room):
                    active_s = time.monotonic()
                    continue
            if self._in_flight:
                active_s = time.monotonic()
            idle_left_s = active_s + self._config.linger_s - time.monotonic()
            if idle_left_s <= 0 and await lanes.release(worker):
                return False
            if await self._bells.wait(room.bells, self._in_flight.freed, max(0.01, min(idle_left_s, FLAG_EVERY_S))):
                looked = None
        return not self.draining

    async def _take(self, room: Room) -> bool:
        async with self._taking:
            start_s = time.perf_counter()
            batch = await self._tools.lanes.take(self._config.worker, room.budget, room.priorities, room.held)
            if batch is None:
                return False
            if self.draining:  # nobody would hand back what is leased now
                await self._tools.farewell.give_back(batch.entries)
                return False
            self._tally.spent("take", time.perf_counter() - start_s)
            self._tally.micro_batch(len(batch.entries))
            self._in_flight.add(batch.entries)
            self._begin(self._open(batch))
            return True

    def _begin(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not self._tasks:
            self._finisher.look()
        if not task.cancelled() and (error := task.exception()):
            log.error("a task of the worker failed", exc_info=error)

    async def _open(self, batch: MicroBatch) -> None:
        """Leases a micro-batch and begins its items; entries whose items are not ours are dropped: PostgreSQL decides."""
        entries = {entry.item_id: entry for entry in batch.entries}
        try:
            items = await self._lease(list(entries))
        except BaseException:
            # Cancelled, or a fault of this file: whatever was leased lapses, and the entries are found as dead.
            self._in_flight.free(batch.entries)
            raise
        if items is None:
            self._in_flight.free(batch.entries)
            await self._tools.farewell.give_back(batch.entries)
            return
        for item in items:
            if item.suspect:
                self._in_flight.set_aside(entries[item.id])
            self._begin(self._run(entries[item.id], item))
        ours = {entries[item.id].entry_id for item in items}
        dropped = [entry for entry in batch.entries if entry.entry_id not in ours]
        if dropped:
            self._tally.count("not_leased", len(dropped))
            self._in_flight.free(dropped)
            await self._tools.farewell.settle(dropped, {})

    async def _lease(self, item_ids: list[UUID]) -> list[Item] | None:
        for pause_s in back_off():
            since_s = time.monotonic()
            try:
                failpoints.hit("taken")
                with self._tally.stage("lease"):
                    items = await self._tools.ledger.lease(item_ids, self._config.worker)
            except Exception as error:
                log.warning("cannot lease %d items: %s", len(item_ids), error, exc_info=not isinstance(error, Unavailable))
            else:
                failpoints.hit("leased")
                self._leases.add(items, since_s)
                return items
            if self.draining:
                return None
            await asyncio.sleep(pause_s)
        return None

    async def _run(self, entry: Taken, item: Item) -> None:
        """Moves one leased item to the finisher, as an outcome or as one to hand back."""
        self._entries[item.attempt] = entry
        begun_s = time.monotonic() - entry.waited_s
        try:
            outcome = await self._passage.outcome(item)
        except (NotOurs, asyncio.CancelledError):
            self._finisher.give_back(Returned(entry, item))
            return
        except Crashed as crashed:
            self._finisher.give_back(Returned(entry, crashed.item, crashed.reason))
            return
        except Exception:
            log.exception("item %s failed outside of the engine", item.id)
            outcome = Failed(item, Internal.code, Internal().message)
        finally:
            del self._entries[item.attempt]
            self._in_flight.ran(entry)
        self.last_progress_s = time.monotonic()
        self._finisher.add(Finished(entry, outcome, self.last_progress_s - begun_s))

    async def drain(self, drain_s: float) -> None:
        """Takes nothing more, hands back what is not begun, finishes what is within `drain_s`, hands back the rest."""
        self.draining = True
        self._in_flight.freed.set()
        self._passage.leave()
        with suppress(TimeoutError):
            async with asyncio.timeout(drain_s):
                await self._taking.acquire()  # for good: what was on its way here has arrived
                await self._in_flight.empty.wait()
        for task in self._tasks:
            task.cancel()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._in_flight.empty.wait(), LAST_WORDS_S)
        self._finishing.cancel()
        await self._finisher.part()

    async def abandon(self, items: Sequence[Item]) -> None:
        """Hands items back at once, whatever is being done with them: the process is about to end."""
        self.draining = True
        entries = [self._entries[item.attempt] for item in items if item.attempt in self._entries]
        await self._tools.ledger.hand_back(items)
        await self._tools.farewell.give_back(entries)

    @property
    def dead(self) -> bool:
        """Whether nothing is committed any more, by a fault of ours, although leases are renewed: it must leave."""
        return self._finishing.done() and not self._finishing.cancelled()

    @property
    def busy(self) -> bool:
        """Whether anything is in flight."""
        return bool(self._in_flight)

    def facts(self) -> dict[str, str]:
        """What the heartbeat announces of the server."""
        counts = self._in_flight.counts()
        return {f"in_flight:{priority}": str(counts[priority]) for priority in PRIORITIES} | {
            "in_flight:suspects": str(self._in_flight.aside),
            "draining": str(int(self.draining)),
            "progress_age_s": f"{time.monotonic() - self.last_progress_s:.1f}",
        }
