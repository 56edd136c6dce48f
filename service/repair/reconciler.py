"""The reconciler: a process of its own that puts right what crashes, lost leases and a lost Redis leave behind.

Any number may run; the holder of an advisory lock works, the others stand by. It never is a job in the queue it repairs.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from batching import failpoints
from batching.errors import StorageFull, StoreUnavailable
from batching.items import LaneKey
from batching.lanes import LANES_DOWN, Lanes, open_lanes
from service.handoff import ATTEND_S, put_and_stamp
from service.repair import removals, repairs, retention
from service.repair.days import Days
from service.repair.orphans import Orphans
from service.repair.periods import Period
from service.repair.repairs import Budgets
from service.repair.sole import Sole
from service.settings import Settings
from service.store import ObjectStore, open_store
from service.telemetry import configure_logging
from service.truth import fleet, partitions, replays
from service.truth.database import AsyncEngine, DatabaseUnavailable, make_engine

log = logging.getLogger(__name__)

LOCK = 0x6175_676D_0002
DEAD_AFTER_LEASES = 2
"""Lane entries taken this many leases ago and not settled belong to nobody."""
PAGES_A_PASS = 20
"""Pages of one repair in one pass, so that no repair keeps the others waiting."""
REFILL = 2000
"""Items of one lane handed off before the next lane has its turn."""
FACTS_TTL_S = 60.0
MISSED_S = repairs.SETTLED_S - ATTEND_S + 0.5
"""So late an API process is taken to be dead: what it wrote last is old enough to be judged by then."""
PROMISED_S = 5.0
"""Longest time from a commit to its hand-off, for which an API process may also wait for its turn of the core."""
MOST_PROMISED = 100_000
"""Items of one lane that are looked for after the death of an API process."""
RETENTION_EVERY_S = 600.0
"""Pause between two looks at what is older than it is kept."""
KEYS_EVERY_S = 21_600.0
"""Pause between two walks over idempotency keys, nearly all of which stay as long as their batches."""


@dataclass(frozen=True)
class Keep:
    """How long things are kept."""

    batches_days: float = 0
    """After their end; 0: until they are deleted."""
    images_days: float = 0
    """After their last use; 0: until they are deleted."""
    orphan_s: float = 86_400
    """Objects that no row needs."""


@dataclass
class Reconciler:
    """What one reconciler works with, what it remembers, and what it has repaired so far."""

    engine: AsyncEngine
    lanes: Lanes
    store: ObjectStore
    lease_s: float
    lane_window: int
    budgets: Budgets
    keep: Keep = Keep()
    repaired: Counter[str] = field(default_factory=Counter)
    """Items: expired, poisoned, cancelled, dead, lost, stranded, refilled. And forgotten_replays,
    retired_batches, _images, _keys, removed_batches, _images, _rows, _objects, _orphans, made_partitions,
    dropped_partitions."""
    _epoch: str = ""
    _dying: bool = False
    _troubles: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._divided, self._retained = Period(RETENTION_EVERY_S), Period(RETENTION_EVERY_S)
        self._keys, self._keys_walked = retention.Keys(self.engine), Period(KEYS_EVERY_S)
        self._images = retention.Images(self.engine, self.keep.images_days)
        self._days = Days(self.engine, self.store, self.keep.orphan_s)
        self._orphans = Orphans(self.engine, self.store, self.keep.orphan_s)

    async def repair(self) -> bool:
        """One pass over everything; says whether there was more to do than one pass does."""
        steps: dict[str, Callable[[], Awaitable[bool]]] = {
            "leases": self._leases,
            "batches": self._batches,
            "epoch": self._lost,
            "dead entries": self._dead,
            "stranded items": self._stranded,
            "promised items": self._promised,
            "refill": self._refill,
            "wake-up": self._wake,
            "partitions": self._partitions,
            "retention": self._retention,
            "removals": self._removals,
            "orphans": self._collect,
        }
        more = False
        for name, step in steps.items():
            try:
                more = await step() or more
            except (*LANES_DOWN, DatabaseUnavailable, StoreUnavailable, StorageFull) as error:
                self._trouble(name, f"{type(error).__name__}: {error}")
            else:
                self._trouble(name, "")
        return more

    async def _leases(self) -> bool:
        before = self.repaired["expired"]
        more = await self._pages(lambda: repairs.end_leases(self.engine, self.budgets))
        if self.repaired["expired"] > before or self._dying:
            was, self._dying = self._dying, await fleet.dying(self.engine)
            if self._dying and not was:
                log.error("workers die one after the other: no picture is charged for it, and the service is not ready")
            elif was and not self._dying:
                log.warning("workers live again: pictures are charged for the deaths of their processes")
        return more

    async def _batches(self) -> bool:
        return await self._pages(lambda: repairs.end_batches(self.engine))

    async def _lost(self) -> bool:
        """Redis was emptied, or this is the first pass: what was handed off to another epoch is not handed off."""
        epoch = await self.lanes.ensure_epoch()
        if epoch == self._epoch:
            return False

        async def page() -> Counter[str]:
            return Counter(lost=await repairs.forget_other_epochs(self.engine, epoch))

        if await self._pages(page):
            return True
        self._epoch = epoch
        return False

    async def _dead(self) -> bool:
        idle_ms = round(DEAD_AFTER_LEASES * self.lease_s * 1000)

        async def page() -> Counter[str]:
            entries = await self.lanes.dead_entries(idle_ms, repairs.PAGE)
            if entries:
                failpoints.hit(failpoints.REPAIR)
                # first the rows: entries settled too soon would leave items that nobody looks for
                await repairs.forget_items(self.engine, [entry.item_id for entry in entries])
                await self.lanes.settle(entries)
            return Counter(dead=len(entries))

        return await self._pages(page)

    async def _stranded(self) -> bool:
        lanes = await repairs.lanes_handed_off(self.engine)
        asked_s = time.monotonic()
        ages = await self.lanes.ages(lanes) if lanes else []

        async def page() -> Counter[str]:
            since_s = time.monotonic() - asked_s
            older = {lane: age_s + since_s for lane, age_s in zip(lanes, ages, strict=True)}
            return Counter(stranded=await repairs.forget_stranded(self.engine, older))

        return await self._pages(page)

    async def _promised(self) -> bool:
        """What API processes that died had just written as handed off, and is in no lane, however full that is."""
        absent = {sender: late_s for sender, late_s in (await self.lanes.absent()).items() if late_s > MISSED_S}
        if not absent:
            return False
        age_s = max(absent.values()) + ATTEND_S + PROMISED_S
        for lane in await repairs.lanes_handed_off(self.engine):
            promised = await repairs.handed_off_since(self.engine, lane, age_s, MOST_PROMISED)
            if not promised:
                continue
            kept = await self.lanes.put_since(lane, age_s + PROMISED_S)
            lost = [item for item in promised if item not in kept]
            if lost:
                self._count(Counter(stranded=await repairs.forget_items(self.engine, lost)))
        for sender in absent:
            await self.lanes.part(sender)
        return False

    async def _refill(self) -> bool:
        lanes = await repairs.lanes_waiting(self.engine)
        more = False
        for lane, length in zip(lanes, await self.lanes.lengths(lanes) if lanes else [], strict=True):
            more = await self._refill_lane(lane, self.lane_window - length) or more
        return more

    async def _refill_lane(self, lane: LaneKey, room: int) -> bool:
        most = min(room, REFILL)
        if most <= 0:
            return False
        waiting = await repairs.next_waiting(self.engine, lane, most, self.budgets)
        failpoints.hit(failpoints.REPAIR)
        put = await put_and_stamp(self.engine, self.lanes, lane, waiting, self.lane_window) if waiting else 0
        self._count(Counter(refilled=put))
        return put == most < room

    async def _wake(self) -> bool:
        await self.lanes.wake()
        await self.lanes.forget_dead_workers(FACTS_TTL_S)
        return False

    async def _removals(self) -> bool:
        self._count(Counter(forgotten_replays=await replays.forget(self.engine)))
        batches = await removals.remove_batches(self.engine, self.store)
        images = await removals.remove_images(self.engine, self.store)
        self._count(batches + images)
        return batches.total() > 0

    async def _partitions(self) -> bool:
        if self._divided.due:
            today = datetime.now(UTC).date()
            made = await partitions.make_ahead(self.engine, today)
            dropped = await partitions.drop_empty(self.engine, today - timedelta(days=1))
            self._count(Counter(made_partitions=made, dropped_partitions=dropped))
            self._divided.done()
        return False

    async def _retention(self) -> bool:
        """Only now and then: a day more or less is not counted in seconds."""
        if not self._retained.due:
            return False
        hidden = keys = 0
        more = False
        if self.keep.batches_days:
            hidden = await retention.hide_batches(self.engine, self.keep.batches_days)
            more = hidden == retention.PAGE
        if self.keep.images_days:
            images, more_images = await self._images.step()
            self._count(Counter(retired_images=images))
            more = more or more_images
        removed, more_days = await self._days.step()
        self._count(removed)
        more = more or more_days
        if self._keys_walked.due:
            keys, more_keys = await self._keys.step()
            if not more_keys:
                self._keys_walked.done()
            more = more or more_keys
        self._count(Counter(retired_batches=hidden, retired_keys=keys))
        if not more:
            self._retained.done()
        return more

    async def _collect(self) -> bool:
        more = await self._orphans.step()
        self._count(Counter(removed_orphans=self._orphans.removed))
        return more

    async def _pages(self, page: Callable[[], Awaitable[Counter[str]]]) -> bool:
        for _ in range(PAGES_A_PASS):
            done = await page()
            self._count(done)
            if done.total() < repairs.PAGE:
                return False
        return True

    def _count(self, done: Counter[str]) -> None:
        self.repaired += done
        found = {name: number for name, number in done.items() if number}
        if found and found.keys() != {"refilled"}:
            log.info("repaired: %s", ", ".join(f"{number} {name}" for name, number in found.items()))

    def _trouble(self, step: str, reason: str) -> None:
        """Says what stops a step when it begins and when it ends, not at every pass."""
        before = self._troubles.get(step, "")
        if reason.partition(":")[0] != before.partition(":")[0]:
            log.warning("%s: %s", step, reason or "works again")
        self._troubles[step] = reason


def budgets(settings: Settings) -> Budgets:
    """What the settings allow an item."""
    return Budgets(settings.max_executions, settings.max_crashes, settings.micro_batch_pixels)


def keep(settings: Settings) -> Keep:
    """How long the settings keep things."""
    return Keep(settings.keep_batches_days, settings.keep_images_days, settings.orphan_s)


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Repairs, while this is the one that may, until `stop` is set; the pass under way is ended first."""
    engine = make_engine(settings.database_url, application_name="augment-reconciler", pool_size=2, overflow=2)
    sole = Sole(settings.database_url, LOCK, idle_s=max(30.0, 10 * settings.reconcile_s), application_name="augment-sole")
    try:
        async with open_lanes(settings.redis_url) as lanes:
            reconciler = Reconciler(
                engine,
                lanes,
                open_store(settings),
                settings.lease_s,
                settings.lane_window,
                budgets(settings),
                keep(settings),
            )
            working = False
            while not stop.is_set():
                was, working = working, await _held(sole)
                if working != was:
                    log.info("working" if working else "standing by")
                more = working and await reconciler.repair()
                if working:
                    await _announce(lanes, reconciler)
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), 0.01 if more else settings.reconcile_s)
    finally:
        await sole.close()
        await engine.dispose()


async def _held(sole: Sole) -> bool:
    try:
        return await sole.held()
    except DatabaseUnavailable as error:
        log.warning("cannot ask for the lock: %s", error)
        return False


async def _announce(lanes: Lanes, reconciler: Reconciler) -> None:
    with suppress(*LANES_DOWN):
        await lanes.remember("reconciler", {name: str(count) for name, count in reconciler.repaired.items()}, FACTS_TTL_S)


def main(settings: Settings) -> None:
    """Runs until SIGTERM or SIGINT."""
    configure_logging(settings.log_format, settings.log_level)
    failpoints.arm(failpoints.parse(settings.failpoints))

    async def until_signalled() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await run(settings, stop)

    asyncio.run(until_signalled())
